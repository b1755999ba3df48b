#include "health/monitor.h"

#include "balance/server.h"
#include "config/snapshot.h"
#include "health/probe.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* One server and its probes. */
struct watch {
	struct list link;
	struct monitor *monitor;
	struct server *server; /* a reference */
	const struct pool_snapshot *pool;
	struct probe_plan plan;
	struct probe probe;
	struct timer next; /* runs while no probe does */
	struct probe_record last;
	bool ended_once; /* last is there */
	bool resting;    /* in maintenance */
	bool wanted;     /* named by the configuration being taken over */
	uint64_t buckets[SERVER_REPLY_BUCKETS];
	uint64_t sum_us;
};

struct monitor {
	struct loop *loop;
	struct list watches;
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

static void
probe_has_ended(struct probe *probe)
{
	struct watch *watch = CONTAINER_OF(probe, struct watch, probe);
	struct probe_record previous = watch->last;
	bool first = !watch->ended_once;
	char why[PROBE_RESULT_MAX + 32];

	watch->last = probe->record;
	probe->record = previous; /* its storage goes with the next start */
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

	LIST_EACH (&monitor->watches, at)
		tick_watch(CONTAINER_OF(at, struct watch, link), monitor->loop->now);
	loop_timer_start(monitor->loop, &monitor->tick, MONITOR_TICK);
}

struct monitor *
monitor_new(struct loop *loop)
{
	struct monitor *monitor = calloc(1, sizeof(*monitor));

	if (!monitor)
		return NULL;
	monitor->loop = loop;
	list_init(&monitor->watches);
	timer_init(&monitor->tick, tick);
	loop_timer_start(loop, &monitor->tick, MONITOR_TICK);
	return monitor;
}

static void
watch_free(struct watch *watch)
{
	list_remove(&watch->link);
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
	LIST_EACH (&monitor->watches, at)
		watch_free(CONTAINER_OF(at, struct watch, link));
	loop_timer_stop(monitor->loop, &monitor->tick);
	free(monitor);
}

static struct watch *
find_watch(const struct monitor *monitor, const struct server *server)
{
	LIST_EACH (&monitor->watches, at) {
		struct watch *watch = CONTAINER_OF(at, struct watch, link);

		if (watch->server == server)
			return watch;
	}
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
	list_append(&monitor->watches, &watch->link);
	return watch;
}

/* A watch for each server; those that are new have no pool yet. */
static enum status
make_watches(struct monitor *monitor, const struct pool_snapshot *pool)
{
	for (uint32_t i = 0; i < pool->pool->server_count; i++) {
		struct server *server = pool->pool->servers[i];
		struct watch *watch = find_watch(monitor, server);

		if (!watch)
			watch = watch_new(monitor, server);
		if (!watch)
			return STATUS_NO_MEMORY;
		watch->wanted = true;
	}
	return STATUS_OK;
}

/* Without memory for all of the new ones there is none; the old ones stay. */
static void
forget_new_watches(struct monitor *monitor)
{
	LIST_EACH (&monitor->watches, at) {
		struct watch *watch = CONTAINER_OF(at, struct watch, link);

		watch->wanted = false;
		if (!watch->pool)
			watch_free(watch);
	}
}

/* A probe under way goes by the old plan, whose texts are about to go. */
static void
take_plan(struct watch *watch, const struct snapshot *snapshot,
	  const struct pool_snapshot *pool)
{
	probe_stop(&watch->probe);
	watch->wanted = false;
	watch->pool = pool;
	watch->plan = (struct probe_plan){
		.kind = pool->health.kind,
		.protocol = pool->protocol,
		.timeout = pool->health.timeout,
		.hostname = snapshot->hostname,
		.sender = pool->health.sender,
		.recipient = pool->health.recipient,
		.script = pool->health.script,
	};
}

/* The first probes of all servers, evenly over MONITOR_FIRST. */
static void
schedule(struct monitor *monitor, uint32_t count)
{
	uint32_t place = 0;

	LIST_EACH (&monitor->watches, at) {
		struct watch *watch = CONTAINER_OF(at, struct watch, link);
		int64_t delay = (int64_t)MONITOR_FIRST * place++ / count;

		if (watch->plan.kind == PROBE_NONE)
			loop_timer_stop(monitor->loop, &watch->next);
		else if (!watch->resting)
			loop_timer_start(monitor->loop, &watch->next, delay);
	}
}

enum status
monitor_watch(struct monitor *monitor, const struct snapshot *snapshot)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < snapshot->pool_count; i++)
		if (make_watches(monitor, &snapshot->pools[i]) != STATUS_OK) {
			forget_new_watches(monitor);
			return STATUS_NO_MEMORY;
		}
	LIST_EACH (&monitor->watches, at) {
		struct watch *watch = CONTAINER_OF(at, struct watch, link);

		if (!watch->wanted)
			watch_free(watch);
	}
	for (uint32_t i = 0; i < snapshot->pool_count; i++) {
		const struct pool_snapshot *pool = &snapshot->pools[i];

		for (uint32_t j = 0; j < pool->pool->server_count; j++, count++)
			take_plan(find_watch(monitor, pool->pool->servers[j]), snapshot,
				  pool);
	}
	schedule(monitor, count);
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
