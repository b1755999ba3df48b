/*
 * first_words: what a server says before anything else, held against what its pool's
 * tls expects: TLS where a greeting in clear should be, or the other way round, is
 * mostly the wrong port. Probes and traffic have the same words for it.
 * Thread: any. Never allocates.
 */
#ifndef EVENPOST_CONFIG_FIRST_WORDS_H
#define EVENPOST_CONFIG_FIRST_WORDS_H

#include "config/snapshot.h"

struct endpoint;
struct server;

/*
 * Both note a fault of its set-up where its first octets are certainly the other thing,
 * and return a few words for it; NULL: they are not. own: our address towards it.
 *
 * in_clear: of a handshake that failed; in_tls: of what is no greeting, or not yet, and
 * came in clear.
 */
const char *first_words_in_clear(enum pool_tls tls, struct server *server,
				 const struct endpoint *own, struct span said);
const char *first_words_in_tls(enum pool_tls tls, struct server *server,
			       const struct endpoint *own, struct span said);

/* A handshake failed since it refused the connection in clear: with 4yz or 5yz. */
bool first_words_refuse(enum pool_tls tls, struct span said);

/* It has greeted as it should: no such fault. Cheap where there was none. */
void first_words_are_good(struct server *server);

/* To stand behind "no greeting": what may be the reason, beginning with ": "; or "". */
const char *first_words_missing(enum pool_tls tls, const struct server *server);

#endif
