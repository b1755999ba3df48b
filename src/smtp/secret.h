/*
 * secret: bytes that nobody may find later: they are kept in the vault. What they came
 * through (sockets, buffers) is not wiped by this.
 *
 * A zeroed struct is an empty secret and holds no memory.
 * Owner: the struct it is embedded in. Thread: owner. Takes from the vault as it grows.
 */
#ifndef EVENPOST_SMTP_SECRET_H
#define EVENPOST_SMTP_SECRET_H

#include "base/span.h"
#include "base/status.h"

#include <stdint.h>

#define SECRET_MAX 65536 /* bytes */

struct secret {
	char *bytes; /* of the vault; NULL: none */
	uint32_t length;
	uint32_t capacity;
};

/* Valid until it grows or is cleared. */
static inline struct span
secret_span(const struct secret *secret)
{
	return span_of(secret->bytes, secret->length);
}

/*
 * Room for at least count bytes behind those that are held; they count once .length is
 * raised. STATUS_FULL over SECRET_MAX, STATUS_NO_MEMORY.
 */
MUST_CHECK enum status secret_reserve(struct secret *secret, size_t count, char **room);

/* All or nothing. STATUS_FULL over SECRET_MAX, STATUS_NO_MEMORY. */
MUST_CHECK enum status secret_append(struct secret *secret, struct span bytes);

/* Wipes all of it and gives it back. */
void secret_clear(struct secret *secret);

#endif
