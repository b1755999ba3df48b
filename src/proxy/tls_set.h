/*
 * tls_set: what one configuration needs from files to be secure: certificates with
 * their keys, authorities, and the logins of pools. The control thread loads it, all
 * workers make their contexts from it; when a file has changed, a new set takes its
 * place. Frozen.
 * Owner: reference-counted. Thread: any; loading reads files: the control thread's
 * work. Allocates when loaded.
 */
#ifndef EVENPOST_PROXY_TLS_SET_H
#define EVENPOST_PROXY_TLS_SET_H

#include "config/snapshot.h"
#include "net/tls_authorities.h"
#include "net/tls_material.h"
#include "net/tls_tickets.h"
#include "proxy/smarthost.h"

struct report;
struct tls_set;

/* Days before the end of a certificate in which somebody should hear of it. */
#define TLS_SET_WARNING_DAYS 14

/*
 * Only what listeners and pools use is read. tickets: for as long as the process runs;
 * where tls.ticket-keys names a file they become what is in it, whatever else is at
 * fault. STATUS_INVALID, STATUS_NO_MEMORY: the report has all faults, each at the
 * setting that names the file.
 */
MUST_CHECK enum status
tls_set_load(struct tls_set **set, const struct snapshot *snapshot,
	     struct tls_tickets *tickets, struct report *report);
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

/* Advice for what has expired, or will in TLS_SET_WARNING_DAYS, and for passwords that
   anybody could read. now: since 1970. */
void tls_set_advise(const struct tls_set *set, const struct snapshot *snapshot,
		    int64_t now, struct report *report);

/* "2026-11-23", in UTC. when: seconds since 1970. Returns day. */
#define TLS_SET_DAY_MAX 32
const char *tls_set_print_day(int64_t when, char day[TLS_SET_DAY_MAX]);

/*
 * The files that a set of this snapshot is made of. paths: an array of the caller's,
 * with room for tls_set_paths_max(); the texts are the snapshot's. Returns the count.
 */
size_t tls_set_paths_max(const struct snapshot *snapshot);
size_t tls_set_paths(const struct snapshot *snapshot, const char **paths);

#endif
