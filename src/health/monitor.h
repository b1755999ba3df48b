/*
 * monitor: watches the servers of a configuration: runs their probes, spread in time,
 * and reports what they find through server_observe(); tells servers that time passes.
 *
 * The first probes come at once, within MONITOR_FIRST; the second ones are spread over
 * the interval, and each interval varies by a tenth, so that a hundred servers are
 * never probed together. While the verdict may be about to change the interval is the
 * fast one, while the server is down the down one. A server never has two probes at a
 * time, and none while it is in maintenance. A certificate that it shows is watched
 * too: see certificate.h.
 *
 * Owner: the control thread. Thread: owner. Allocates in monitor_new(), monitor_watch()
 * and in probes.
 */
#ifndef EVENPOST_HEALTH_MONITOR_H
#define EVENPOST_HEALTH_MONITOR_H

#include "health/record.h"
#include "net/loop.h"

#include <stdint.h>

struct monitor;
struct server;
struct snapshot;
struct tls_client;

/* Milliseconds: all first probes have begun by then; how often servers are ticked. */
#define MONITOR_FIRST 100
#define MONITOR_TICK 250
/* Milliseconds: no interval counts as shorter. */
#define MONITOR_SHORTEST 10

/* How long its probes took; the bounds are server_reply_bounds. */
struct monitor_times {
	const uint64_t *buckets; /* SERVER_REPLY_BUCKETS, not cumulated */
	uint64_t sum_us;
};

/* NULL when memory is out. Watches nothing yet. */
struct monitor *monitor_new(struct loop *loop);
void monitor_free(struct monitor *monitor);

/*
 * From now on watches the servers of this configuration, which must live until the next
 * call or monitor_free(). Servers that were watched before keep their last probe and
 * their times. STATUS_NO_MEMORY: what was watched before still is.
 * tls_clients: by pool, for those with TLS; NULL where no pool has it. It lives as
 * long, and is looked at whenever a probe comes to its handshake: the owner may replace
 * what is in it.
 */
MUST_CHECK enum status
monitor_watch(struct monitor *monitor, const struct snapshot *snapshot,
	      struct tls_client *const *tls_clients);

/* The last probe that ended; NULL: none has. Valid until the loop goes on. */
const struct probe_record *
monitor_last(const struct monitor *monitor, const struct server *server);

/* False: the server is not watched. */
bool monitor_times(const struct monitor *monitor, const struct server *server,
		   struct monitor_times *times);

#endif
