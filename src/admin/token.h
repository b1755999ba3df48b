/*
 * token: the secret that HTTP clients must show. Read once; never logged.
 * Owner: the struct it is embedded in. Thread: any. Allocates nothing.
 */
#ifndef EVENPOST_ADMIN_TOKEN_H
#define EVENPOST_ADMIN_TOKEN_H

#include "base/span.h"
#include "base/status.h"

#define TOKEN_MAX 512

struct token {
	char text[TOKEN_MAX];
	size_t length; /* 0: none is wanted */
};

/*
 * The first line of the file, without blanks around it. STATUS_INVALID when it is
 * empty, too long or not printable ASCII, STATUS_NOT_FOUND, STATUS_DENIED,
 * STATUS_SYSTEM; errno tells of all but the first.
 */
MUST_CHECK enum status token_read(struct token *token, const char *path);
/* In words, right after token_read(). */
const char *token_fault(enum status status);

/* The time it takes depends on the length of what was given alone. */
bool token_matches(const struct token *token, struct span given);

void token_clear(struct token *token);

#endif
