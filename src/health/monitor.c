#include "health/monitor.h"

#include "balance/server.h"
#include "config/snapshot.h"
#include "health/certificate.h"
#include "health/probe.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* One server and its probes. */
struct watch {
	struct monitor *monitor;
	struct server *server; /* a reference */
	const struct pool_snapshot *pool;
	struct probe_plan plan;
	struct probe probe;
	struct timer next; /* runs while no probe does */
	struct probe_record last;
	struct certificate_watch certificate;
	bool ended_once; /* last is there */
	bool resting;    /* in maintenance */
	bool wanted;     /* named by the configuration being taken over */
	uint64_t buckets[SERVER_REPLY_BUCKETS];
	uint64_t sum_us;
};

struct monitor {
	struct loop *loop;
	struct watch **watches;
	uint32_t count;
	struct timer tick;
};

/* Uniform from 0 to below 1. */
static double
dice(void)
{
	return (double)arc4random() * 0x1p-32;
}

static void start_probe(struct watch *watch);

static void
next_due(struct timer *timer)
{
	start_probe(CONTAINER_OF(timer, struct watch, next));
}

/*
 * Until the next probe, in milliseconds, whatever is configured never none. first: the
 * one that ended was the first.
 */
static int64_t
next_delay(const struct watch *watch, bool first)
{
	const struct pool_snapshot *pool = watch->pool;
	bool up = server_passes_probes(watch->server);
	int64_t delay = up ? pool->health.interval : pool->health.down_interval;

	if (up != watch->last.passed)
		delay = pool->health.fast_interval;
	if (delay < MONITOR_SHORTEST)
		delay = MONITOR_SHORTEST;
	if (first)
		return (int64_t)((double)delay * dice());
	return (int64_t)((double)delay * (0.9 + 0.2 * dice()));
}

/* A probe that did not come to the handshake says nothing new of the certificate. */
static void
take_certificate(struct watch *watch, const struct probe_record *previous)
{
	if (watch->last.certificate.shown)
		certificate_look(&watch->certificate, watch->server,
				 &watch->last.certificate, watch->last.at);
	else if (watch->plan.tls_client)
		watch->last.certificate = previous->certificate;
}

static void
probe_has_ended(struct probe *probe)
{
	struct watch *watch = CONTAINER_OF(probe, struct watch, probe);
	struct probe_record previous = watch->last;
	bool first = !watch->ended_once;
	char why[PROBE_RESULT_MAX + 32];

	watch->last = probe->record;
	probe->record = previous; /* its storage goes with the next start */
	take_certificate(watch, &previous);
	watch->ended_once = true;
	watch->buckets[server_reply_bucket(watch->last.took_us)]++;
	watch->sum_us += watch->last.took_us;
	snprintf(why, sizeof(why), "probe %s: %s", probe_kind_name(watch->plan.kind),
		 watch->last.result);
	server_observe(watch->server,
		       watch->last.passed ? SERVER_PROBE_PASSED : SERVER_PROBE_FAILED,
		       why, watch->monitor->loop->now);
	loop_timer_start(watch->monitor->loop, &watch->next, next_delay(watch, first));
}

static void
start_probe(struct watch *watch)
{
	int64_t now = watch->monitor->loop->now;

	watch->resting = server_state_at(watch->server, now) == SERVER_MAINT;
	if (!watch->resting)
		probe_start(&watch->probe, &watch->plan, watch->server,
			    probe_has_ended);
}

/* Who comes back from maintenance is probed at once. */
static void
tick_watch(struct watch *watch, int64_t now)
{
	server_tick(watch->server, now);
	if (watch->resting && server_state_at(watch->server, now) != SERVER_MAINT)
		start_probe(watch);
}

static void
tick(struct timer *timer)
{
	struct monitor *monitor = CONTAINER_OF(timer, struct monitor, tick);

	for (uint32_t i = 0; i < monitor->count; i++)
		tick_watch(monitor->watches[i], monitor->loop->now);
	loop_timer_start(monitor->loop, &monitor->tick, MONITOR_TICK);
}

struct monitor *
monitor_new(struct loop *loop)
{
	struct monitor *monitor = calloc(1, sizeof(*monitor));

	if (!monitor)
		return NULL;
	monitor->loop = loop;
	timer_init(&monitor->tick, tick);
	loop_timer_start(loop, &monitor->tick, MONITOR_TICK);
	return monitor;
}

static void
watch_free(struct watch *watch)
{
	loop_timer_stop(watch->monitor->loop, &watch->next);
	probe_fini(&watch->probe);
	probe_record_clear(&watch->last);
	server_unref(watch->server);
	free(watch);
}

void
monitor_free(struct monitor *monitor)
{
	if (!monitor)
		return;
	for (uint32_t i = 0; i < monitor->count; i++)
		watch_free(monitor->watches[i]);
	loop_timer_stop(monitor->loop, &monitor->tick);
	free(monitor->watches);
	free(monitor);
}

static struct watch *
find_watch(const struct monitor *monitor, const struct server *server)
{
	for (uint32_t i = 0; i < monitor->count; i++)
		if (monitor->watches[i]->server == server)
			return monitor->watches[i];
	return NULL;
}

static struct watch *
watch_new(struct monitor *monitor, struct server *server)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->monitor = monitor;
	watch->server = server_ref(server);
	probe_init(&watch->probe, monitor->loop);
	probe_record_init(&watch->last);
	timer_init(&watch->next, next_due);
	return watch;
}

static uint32_t
count_servers(const struct snapshot *snapshot)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < snapshot->pool_count; i++)
		count += snapshot->pools[i].pool->server_count;
	return count;
}

/* A probe under way goes by the old plan, whose texts are about to go. */
static void
take_plan(struct watch *watch, const struct snapshot *snapshot,
	  const struct pool_snapshot *pool, struct tls_client *const *tls_client)
{
	probe_stop(&watch->probe);
	watch->pool = pool;
	watch->plan = (struct probe_plan){
		.kind = pool->health.kind,
		.protocol = pool->protocol,
		.identity = pool->identity,
		.timeout = pool->health.timeout,
		.tls = pool->tls,
		.tls_fallback = pool->tls_fallback,
		.relays_logins = pool->hears_logins,
		.tls_name = setup_tls_name(pool, watch->server),
		.tls_client = tls_client,
		.hostname = snapshot->hostname,
		.sender = pool->health.sender,
		.recipient = pool->health.recipient,
		.script = pool->health.script,
	};
}

/*
 * Adds a watch for each server of the pool, the old one where there is one. New ones
 * have no pool yet.
 */
static enum status
add_watches(struct monitor *monitor, const struct pool *pool, struct watch **watches,
	    uint32_t *count)
{
	for (uint32_t i = 0; i < pool->server_count; i++) {
		struct watch *watch = find_watch(monitor, pool->servers[i]);

		if (!watch)
			watch = watch_new(monitor, pool->servers[i]);
		if (!watch)
			return STATUS_NO_MEMORY;
		watches[(*count)++] = watch;
	}
	return STATUS_OK;
}

/* All or none: on failure no new one is left, and the old ones stay. */
static enum status
make_watches(struct monitor *monitor, const struct snapshot *snapshot,
	     struct watch **watches, uint32_t *count)
{
	enum status status = STATUS_OK;

	*count = 0;
	for (uint32_t i = 0; i < snapshot->pool_count && status == STATUS_OK; i++)
		status = add_watches(monitor, snapshot->pools[i].pool, watches, count);
	for (uint32_t i = 0; i < *count && status != STATUS_OK; i++)
		if (!watches[i]->pool)
			watch_free(watches[i]);
	return status;
}

/* Sets the plans of the watches, which stand in the order of the servers. */
static void
take_plans(const struct snapshot *snapshot, struct tls_client *const *tls_clients,
	   struct watch **watches)
{
	for (uint32_t i = 0; i < snapshot->pool_count; i++) {
		const struct pool_snapshot *pool = &snapshot->pools[i];
		bool tls = tls_clients && pool_speaks_tls(pool);

		for (uint32_t j = 0; j < pool->pool->server_count; j++)
			take_plan(*watches++, snapshot, pool,
				  tls ? &tls_clients[i] : NULL);
	}
}

/* What the new configuration does not name goes. A NULL ends the new watches. */
static void
replace_watches(struct monitor *monitor, struct watch **watches, uint32_t count)
{
	for (struct watch **at = watches; *at; at++)
		(*at)->wanted = true;
	for (uint32_t i = 0; i < monitor->count; i++)
		if (!monitor->watches[i]->wanted)
			watch_free(monitor->watches[i]);
	for (struct watch **at = watches; *at; at++)
		(*at)->wanted = false;
	free(monitor->watches);
	monitor->watches = watches;
	monitor->count = count;
}

/* The first probes of all servers, evenly over MONITOR_FIRST. */
static void
schedule(struct monitor *monitor)
{
	for (uint32_t i = 0; i < monitor->count; i++) {
		struct watch *watch = monitor->watches[i];

		if (watch->plan.kind == PROBE_NONE)
			loop_timer_stop(monitor->loop, &watch->next);
		else if (!watch->resting)
			loop_timer_start(monitor->loop, &watch->next,
					 (int64_t)MONITOR_FIRST * i / monitor->count);
	}
}

enum status
monitor_watch(struct monitor *monitor, const struct snapshot *snapshot,
	      struct tls_client *const *tls_clients)
{
	struct watch **watches =
		calloc(count_servers(snapshot) + 1ul, sizeof(struct watch *));
	uint32_t count;

	if (!watches)
		return STATUS_NO_MEMORY;
	if (make_watches(monitor, snapshot, watches, &count) != STATUS_OK) {
		free(watches);
		return STATUS_NO_MEMORY;
	}
	take_plans(snapshot, tls_clients, watches);
	replace_watches(monitor, watches, count);
	schedule(monitor);
	return STATUS_OK;
}

const struct probe_record *
monitor_last(const struct monitor *monitor, const struct server *server)
{
	const struct watch *watch = find_watch(monitor, server);

	return watch && watch->ended_once ? &watch->last : NULL;
}

bool
monitor_times(const struct monitor *monitor, const struct server *server,
	      struct monitor_times *times)
{
	const struct watch *watch = find_watch(monitor, server);

	if (!watch)
		return false;
	*times = (struct monitor_times){watch->buckets, watch->sum_us};
	return true;
}
