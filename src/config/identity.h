/*
 * identity: the ways in which a server can learn who the client is, what each means for
 * a connection, and what a server must be set up to do for it: see setup.h.
 * Thread: any. Never allocates.
 */
#ifndef EVENPOST_CONFIG_IDENTITY_H
#define EVENPOST_CONFIG_IDENTITY_H

#include "config/setup.h"

#include <stdbool.h>
#include <stdint.h>

enum identity_method {
	IDENTITY_NONE,
	IDENTITY_PROXY_V1,
	IDENTITY_PROXY_V2,
	IDENTITY_XCLIENT,
	IDENTITY_XFORWARD,
	IDENTITY_TRANSPARENT,
	IDENTITY_HEADER,
	IDENTITY_METHOD_COUNT
};

/* A connection to a server tells of one client, and is that client's alone. */
bool identity_is_personal(enum identity_method method);
/* The server knows the client before it greets: its greeting may be about the client.
 */
bool identity_is_told_first(enum identity_method method);
/* A PROXY header comes before anything else. */
bool identity_has_preamble(enum identity_method method);
/* enum smtp_extension that the server must announce; 0: none. */
uint32_t identity_extension(enum identity_method method);

/* What it demands of the set-up of a server. */
const struct setup_demand *identity_demand(enum identity_method method);

/*
 * A server that takes a PROXY header for commands does not know them. It says so behind
 * its greeting, or where the reply to the next command should be. first: the reply that
 * was read; rest: what stands behind it, unasked. True: *answer is the word for it.
 */
bool identity_was_taken_for_commands(enum identity_method method,
				     const struct smtp_reply *first, struct span rest,
				     struct smtp_reply *answer);

#endif
