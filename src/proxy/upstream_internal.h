/*
 * What the files of upstream share: upstream.c (its life, its bytes, who has it) and
 * upstream_opening.c (all that is said before a leg may use it).
 */
#ifndef EVENPOST_PROXY_UPSTREAM_INTERNAL_H
#define EVENPOST_PROXY_UPSTREAM_INTERNAL_H

#include "proxy/upstream.h"

/* Ends it; the leg hears why, and what the server said about the client, or NULL. */
void upstream_lose(struct upstream *upstream, enum server_failure failure,
		   const char *why, const struct smtp_reply *reply);
/* The same, and the server is to blame. */
void
upstream_fail(struct upstream *upstream, enum server_failure failure, const char *why);

/* The connection is made: what comes before anything else is sent. False: it ended. */
bool upstream_begin_opening(struct upstream *upstream);
/* A reply in GREETING, HELLO or IDENTITY. */
void upstream_take_opening(struct upstream *upstream, const struct smtp_reply *reply);

#endif
