/*
 * tls_set: what one configuration needs from files to be secure: certificates with
 * their keys, authorities, and the logins of pools. The control thread loads it, all
 * workers make their contexts from it; when files have changed, a new set takes its
 * place. Frozen.
 * Owner: reference-counted. Thread: any; loading reads files: the control thread's
 * work. Allocates when loaded.
 */
#ifndef EVENPOST_PROXY_TLS_SET_H
#define EVENPOST_PROXY_TLS_SET_H

#include "config/snapshot.h"
#include "proxy/tls_holdings.h"

struct tls_set;

/*
 * All that listeners and pools use. tickets: for as long as the process runs; where
 * tls.ticket-keys names a file they become what is in it, whatever else is at fault.
 * refusals: of the snapshot's files. STATUS_INVALID: there are some; STATUS_NO_MEMORY.
 */
MUST_CHECK enum status
tls_set_load(struct tls_set **set, const struct snapshot *snapshot,
	     struct tls_tickets *tickets, struct tls_refusals *refusals);
/*
 * What is wanted (by named file) is read again; what of it is refused is as it was
 * before. before: of the same snapshot. STATUS_NO_MEMORY: there is no new set.
 */
MUST_CHECK enum status tls_set_renew(struct tls_set **set, const struct tls_set *before,
				     const struct snapshot *snapshot,
				     const bool *wanted, struct tls_refusals *refusals);
struct tls_set *tls_set_ref(struct tls_set *set);
/* NULL is ignored. */
void tls_set_unref(struct tls_set *set);

/* What is shown to clients; NULL: no listener has TLS. */
struct tls_material *tls_set_material(const struct tls_set *set);
struct tls_tickets *tls_set_tickets(const struct tls_set *set);
/* Who signs the certificates of clients; NULL: they are not asked. */
struct tls_authorities *
tls_set_clients(const struct tls_set *set, const struct listener_snapshot *listener);
/* Who signs those of servers; NULL: any certificate will do. */
struct tls_authorities *
tls_set_servers(const struct tls_set *set, const struct pool_snapshot *pool);
/* What is shown to servers that ask; NULL: nothing. */
struct tls_material *
tls_set_shown(const struct tls_set *set, const struct pool_snapshot *pool);
/* Who we are at the servers; NULL: nobody. */
struct smarthost *
tls_set_smarthost(const struct tls_set *set, const struct pool_snapshot *pool);

/* While the snapshot is there. */
const struct tls_holdings *tls_set_holdings(const struct tls_set *set);

#endif
