/*
 * tls_contexts: one worker's TLS: a context for each listener and each pool that has
 * TLS, made of what the control thread has loaded, and the last session with each
 * server, to resume it; and the logins of pools, which come the same way. The control
 * thread has one as well, for its probes. New certificates are taken over between two
 * rounds; sessions that have begun go on with the old ones. Owner: the worker, or the
 * service. Thread: owner. Allocates when made and when it takes over.
 */
#ifndef EVENPOST_PROXY_TLS_CONTEXTS_H
#define EVENPOST_PROXY_TLS_CONTEXTS_H

#include "config/snapshot.h"
#include "net/tls_client.h"
#include "net/tls_server.h"
#include "proxy/tls_set.h"

struct tls_contexts {
	const struct snapshot *snapshot;
	struct tls_server **servers;   /* by listener; NULL: it has no TLS */
	struct tls_client **clients;   /* by pool; likewise */
	struct smarthost **smarthosts; /* by pool; references. NULL: it has none */
	struct tls_session *sessions;  /* by pool and server, one behind the other */
	uint32_t session_count;
};

/* set: NULL where the configuration has no TLS at all. */
MUST_CHECK enum status
tls_contexts_init(struct tls_contexts *contexts, const struct snapshot *snapshot,
		  const struct tls_set *set, struct tls_fault *fault);
/* Also of one whose init has failed. */
void tls_contexts_fini(struct tls_contexts *contexts);

/* What can not be made of the new set stays as it is. */
MUST_CHECK enum status
tls_contexts_take(struct tls_contexts *contexts, const struct tls_set *set,
		  struct tls_fault *fault);

/* Where the last session with the server under the pool's name for it is kept. */
struct tls_session *
tls_contexts_session(struct tls_contexts *contexts, const struct pool_snapshot *pool,
		     const struct server *server);

#endif
