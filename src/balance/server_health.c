/*
 * server_health: the word of health of a server, and the edge detector: what is seen of
 * a server comes in, a change of state is made and logged once.
 */
#include "balance/pool.h"
#include "balance/server_internal.h"
#include "base/log.h"

#include <assert.h>

enum admin { ADMIN_READY, ADMIN_DRAIN, ADMIN_MAINT };

enum mark {
	MARK_PROBED = 1, /* a result is there: MARK_PASSED means something */
	MARK_PASSED = 2, /* the verdict of the probes */
	MARK_EJECTED = 4,
};

/* In place of a state: none was logged yet. */
#define SHOWN_NONE SERVER_STATE_COUNT

/*
 * The health word, unpacked. All that decides the state, apart from the clock and the
 * weight, is in it, and so is the state that was logged last: whose compare-and-swap
 * succeeds has made the change and logs it, once.
 */
struct health {
	uint16_t streak;   /* probe results in a row against the verdict */
	uint16_t failures; /* of real traffic, in a row */
	uint8_t ejections; /* not forgotten yet: each makes the next one longer */
	uint8_t admin;     /* enum admin */
	uint8_t shown;     /* enum server_state, or SHOWN_NONE */
	uint8_t marks;     /* enum mark */
};

static_assert(sizeof(struct health) == sizeof(uint64_t), "health fits one word");

/* An ejection lasts at most this many times the first one. */
#define EJECT_LONGEST 10

static uint64_t
health_pack(struct health health)
{
	uint64_t word;

	memcpy(&word, &health, sizeof(word));
	return word;
}

static struct health
health_unpack(uint64_t word)
{
	struct health health;

	memcpy(&health, &word, sizeof(health));
	return health;
}

uint64_t
health_word_new(bool probed, uint32_t weight)
{
	struct health health = {.shown = SHOWN_NONE};

	if (!probed) {
		health.marks = MARK_PROBED | MARK_PASSED;
		health.shown = weight ? SERVER_UP : SERVER_DRAIN;
	}
	return health_pack(health);
}

static struct health
health_of(const struct server *server)
{
	return health_unpack(
		atomic_load_explicit(&server->health, memory_order_acquire));
}

/* What the administrator wants comes first: it says what traffic may do. */
static enum server_state
health_state(const struct health *health, const struct server *server, int64_t now)
{
	if (health->admin == ADMIN_MAINT)
		return SERVER_MAINT;
	if (health->admin == ADMIN_DRAIN ||
	    atomic_load_explicit(&server->weight, memory_order_relaxed) == 0)
		return SERVER_DRAIN;
	if (!(health->marks & MARK_PASSED))
		return SERVER_DOWN;
	if (health->marks & MARK_EJECTED &&
	    now < atomic_load_explicit(&server->ejected_until, memory_order_relaxed))
		return SERVER_EJECTED;
	return SERVER_UP;
}

enum server_state
server_state_at(const struct server *server, int64_t now)
{
	struct health health = health_of(server);

	return health_state(&health, server, now);
}

bool
server_may_return(const struct server *server, int64_t now)
{
	enum server_state state = server_state_at(server, now);

	return state != SERVER_DRAIN && state != SERVER_MAINT;
}

const char *
server_state_name(enum server_state state)
{
	static const char *const names[SERVER_STATE_COUNT] = {
		[SERVER_UP] = "up",           [SERVER_DOWN] = "down",
		[SERVER_DRAIN] = "drain",     [SERVER_MAINT] = "maint",
		[SERVER_EJECTED] = "ejected",
	};

	assert(state < SERVER_STATE_COUNT);
	return names[state];
}

/* The first result decides alone; after it, needed ones in a row turn the verdict. */
static void
verdict_move(struct health *health, bool passed, uint32_t needed)
{
	bool first = !(health->marks & MARK_PROBED);
	bool verdict = health->marks & MARK_PASSED;

	health->marks |= MARK_PROBED;
	if (!first && passed == verdict) {
		health->streak = 0;
		return;
	}
	if (health->streak < UINT16_MAX)
		health->streak++;
	if (!first && health->streak < needed)
		return;
	health->streak = 0;
	health->marks &= (uint8_t)~MARK_PASSED;
	if (passed)
		health->marks |= MARK_PASSED;
}

static void
probe_passed(struct health *health, const struct server_rules *rules)
{
	verdict_move(health, true, rules->rise);
}

static void
probe_failed(struct health *health, const struct server_rules *rules)
{
	verdict_move(health, false, rules->fall);
}

static void
traffic_worked(struct health *health, const struct server_rules *rules)
{
	(void)rules;
	health->failures = 0;
}

/* What was under way when the server was ejected says nothing new. */
static void
traffic_failed(struct health *health, const struct server_rules *rules)
{
	(void)rules;
	if (!(health->marks & MARK_EJECTED) && health->failures < UINT16_MAX)
		health->failures++;
}

/* Traffic's complaints are forgotten; after maintenance the next probe decides. */
static void
admin_ready(struct health *health, const struct server_rules *rules)
{
	if (health->admin == ADMIN_MAINT && rules->probed) {
		health->marks = 0;
		health->streak = 0;
	}
	health->marks &= (uint8_t)~MARK_EJECTED;
	health->failures = 0;
	health->ejections = 0;
	health->admin = ADMIN_READY;
}

static void
admin_drain(struct health *health, const struct server_rules *rules)
{
	(void)rules;
	health->admin = ADMIN_DRAIN;
}

static void
admin_maint(struct health *health, const struct server_rules *rules)
{
	(void)rules;
	health->admin = ADMIN_MAINT;
}

typedef void health_move(struct health *health, const struct server_rules *rules);

static health_move *const moves[SERVER_OBSERVATION_COUNT] = {
	[SERVER_PROBE_PASSED] = probe_passed,
	[SERVER_PROBE_FAILED] = probe_failed,
	[SERVER_TRAFFIC_WORKED] = traffic_worked,
	[SERVER_TRAFFIC_FAILED] = traffic_failed,
	[SERVER_ADMIN_READY] = admin_ready,
	[SERVER_ADMIN_DRAIN] = admin_drain,
	[SERVER_ADMIN_MAINT] = admin_maint,
};

static int64_t
ejection_length(const struct server_rules *rules, unsigned ejections)
{
	unsigned times = ejections > 4 ? EJECT_LONGEST : 1u << (ejections - 1);

	return rules->eject * (times < EJECT_LONGEST ? times : EJECT_LONGEST);
}

/*
 * Counts one more ejected server, unless that were too many of the pool or its last
 * one. The count never passes the limit; that the last one stays is looked up, not
 * locked: two workers at once may miss it, within the limit.
 */
static bool
ejection_reserve(struct pool *pool, int64_t now)
{
	uint32_t limit = pool->server_count * pool->rules.max_ejected / 100;
	uint32_t ejected = atomic_load_explicit(&pool->ejected, memory_order_relaxed);

	if (limit == 0)
		limit = 1;
	if (pool_up_count(pool, now) < 2)
		return false;
	do {
		if (ejected >= limit)
			return false;
	} while (!atomic_compare_exchange_weak(&pool->ejected, &ejected, ejected + 1));
	return true;
}

/* Never below 0: a server may have been ejected in an earlier pool of the same name. */
static void
ejection_release(struct pool *pool)
{
	uint32_t ejected = atomic_load_explicit(&pool->ejected, memory_order_relaxed);

	do {
		if (ejected == 0)
			return;
	} while (!atomic_compare_exchange_weak(&pool->ejected, &ejected, ejected - 1));
}

/*
 * Ejects where traffic has failed often enough. The end of it is stored before the word
 * is swapped: two threads that race have read the same word and store the same length.
 */
static void
eject_if_due(struct server *server, struct pool *pool, struct health *health,
	     int64_t now)
{
	const struct server_rules *rules = &pool->rules;

	if (rules->passive_failures == 0 ||
	    health->failures < rules->passive_failures ||
	    health_state(health, server, now) != SERVER_UP ||
	    !ejection_reserve(pool, now))
		return;
	health->failures = 0;
	health->marks |= MARK_EJECTED;
	if (health->ejections < UINT8_MAX)
		health->ejections++;
	atomic_store_explicit(&server->ejected_until,
			      now + ejection_length(rules, health->ejections),
			      memory_order_relaxed);
}

/* An ejection ends by time; it is forgotten after a time as long as the longest. */
static void
end_ejection(struct server *server, const struct server_rules *rules,
	     struct health *health, int64_t now)
{
	int64_t until =
		atomic_load_explicit(&server->ejected_until, memory_order_relaxed);

	if (health->ejections == 0 || now < until)
		return;
	if (health->marks & MARK_EJECTED) {
		health->marks &= (uint8_t)~MARK_EJECTED;
		health->failures = 0;
	} else if (now - until >= EJECT_LONGEST * rules->eject) {
		health->ejections = 0;
	}
}

/* A server that was never probed is not in use, but there is nothing to say yet. */
static void
show(struct server *server, struct health *health, int64_t now)
{
	enum server_state state = health_state(health, server, now);

	if (state == SERVER_DOWN && !(health->marks & MARK_PROBED))
		return;
	if (state == SERVER_UP && health->shown != SERVER_UP) {
		health->failures = 0;
		if (health->shown != SHOWN_NONE)
			atomic_store_explicit(&server->up_since, now,
					      memory_order_relaxed);
	}
	health->shown = (uint8_t)state;
}

static void
log_edge(const struct server *server, const struct pool *pool, unsigned was,
	 enum server_state state, const char *why)
{
	static const uint8_t badness[SERVER_STATE_COUNT + 1] = {
		[SERVER_UP] = 0,    [SHOWN_NONE] = 0,     [SERVER_DRAIN] = 1,
		[SERVER_MAINT] = 2, [SERVER_EJECTED] = 3, [SERVER_DOWN] = 4,
	};
	struct log_line line;

	log_begin(&line, badness[state] > badness[was] ? LOG_WARNING : LOG_INFO,
		  "server");
	log_string(&line, "pool", pool->name);
	log_string(&line, "server", server->name);
	log_string(&line, "state", server_state_name(state));
	log_string(&line, "was", was == SHOWN_NONE ? NULL : server_state_name(was));
	log_string(&line, "why", why);
	log_end(&line);
}

/* False: another thread was faster, and *before is what it left. */
static bool
health_swap(struct server *server, struct health *before, struct health after)
{
	uint64_t word = health_pack(*before);
	bool swapped = atomic_compare_exchange_strong_explicit(
		&server->health, &word, health_pack(after), memory_order_acq_rel,
		memory_order_acquire);

	*before = health_unpack(word);
	return swapped;
}

/* One step of the health word; move: NULL where only time and weight have changed. */
static bool
server_move(struct server *server, struct pool *pool, health_move *move,
	    const char *why, int64_t now)
{
	struct health before = health_of(server);
	struct health after;

	for (;;) {
		after = before;
		if (move) {
			move(&after, &pool->rules);
			eject_if_due(server, pool, &after, now);
		} else {
			end_ejection(server, &pool->rules, &after, now);
		}
		show(server, &after, now);
		if (health_pack(after) == health_pack(before))
			return false;
		bool ejects = after.marks & ~before.marks & MARK_EJECTED;

		if (health_swap(server, &before, after))
			break;
		if (ejects)
			ejection_release(pool);
	}
	if (before.marks & ~after.marks & MARK_EJECTED)
		ejection_release(pool);
	if (before.shown == after.shown)
		return false;
	log_edge(server, pool, before.shown, after.shown, why);
	return true;
}

/* What a change that nobody observed comes from. */
static const char *
tick_reason(const struct server *server)
{
	if (health_of(server).shown == SERVER_EJECTED)
		return "ejection over";
	return atomic_load(&server->weight) == 0 ? "weight 0" : "weight above 0";
}

bool
server_tick(struct server *server, int64_t now)
{
	struct pool *pool = atomic_load_explicit(&server->pool, memory_order_acquire);

	server_tick_faults(server, now);
	return pool && server_move(server, pool, NULL, tick_reason(server), now);
}

bool
server_observe(struct server *server, enum server_observation observation,
	       const char *why, int64_t now)
{
	struct pool *pool = atomic_load_explicit(&server->pool, memory_order_acquire);
	bool ticked, moved;

	assert(observation < SERVER_OBSERVATION_COUNT);
	if (observation == SERVER_TRAFFIC_WORKED && health_of(server).failures == 0)
		return false;
	if (!pool)
		return false;
	ticked = server_move(server, pool, NULL, tick_reason(server), now);
	moved = server_move(server, pool, moves[observation], why, now);
	if (observation == SERVER_PROBE_PASSED || observation == SERVER_PROBE_FAILED)
		atomic_store(&server->probed_once, true);
	return ticked || moved;
}

bool
server_passes_probes(const struct server *server)
{
	return health_of(server).marks & MARK_PASSED;
}

bool
server_is_counted_ejected(const struct server *server)
{
	return health_of(server).marks & MARK_EJECTED;
}
