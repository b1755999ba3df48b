#include "balance/server.h"

#include "balance/pool.h"
#include "base/log.h"

#include <assert.h>
#include <stdlib.h>

const uint32_t server_reply_bounds[SERVER_REPLY_BUCKETS - 1] = {
	5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10000, 60000};

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

const char *
server_failure_name(enum server_failure failure)
{
	static const char *const names[SERVER_FAILURE_COUNT] = {
		[SERVER_FAILURE_CONNECT] = "connect",
		[SERVER_FAILURE_GREETING] = "greeting",
		[SERVER_FAILURE_TIMEOUT] = "timeout",
		[SERVER_FAILURE_LOST] = "lost",
		[SERVER_FAILURE_4XX] = "4xx",
		[SERVER_FAILURE_5XX] = "5xx",
	};

	assert(failure < SERVER_FAILURE_COUNT);
	return names[failure];
}

static void
server_delete(struct server *server)
{
	free(server->name);
	free(server->address_text);
	free(server);
}

struct server *
server_new(const struct server_settings *settings, bool probed)
{
	struct server *server = calloc(1, sizeof(*server));
	struct health health = {.shown = SHOWN_NONE};

	if (!server)
		return NULL;
	server->name = strndup(settings->name.at, settings->name.length);
	server->address_text =
		strndup(settings->address_text.at, settings->address_text.length);
	if (!server->name || !server->address_text) {
		server_delete(server);
		return NULL;
	}
	if (!probed) {
		health.marks = MARK_PROBED | MARK_PASSED;
		health.shown = settings->weight ? SERVER_UP : SERVER_DRAIN;
	}
	atomic_init(&server->references, 1);
	atomic_init(&server->weight, settings->weight);
	atomic_init(&server->preference, settings->preference);
	atomic_init(&server->max_connections, settings->max_connections);
	atomic_init(&server->health, health_pack(health));
	atomic_init(&server->probed_once, !probed);
	server->source = settings->source;
	if (settings->address.length)
		server_set_address(server, &settings->address);
	return server;
}

struct server *
server_ref(struct server *server)
{
	atomic_fetch_add_explicit(&server->references, 1, memory_order_relaxed);
	return server;
}

void
server_unref(struct server *server)
{
	unsigned references =
		atomic_fetch_sub_explicit(&server->references, 1, memory_order_acq_rel);

	assert(references > 0);
	if (references == 1)
		server_delete(server);
}

/*
 * The address is a seqlock with one writer. The words are released and acquired one by
 * one, so that no fence is needed: who has seen a new word sees the odd version, too.
 */
void
server_set_address(struct server *server, const struct endpoint *address)
{
	uint64_t words[16] = {0};
	uint32_t version =
		atomic_load_explicit(&server->address_version, memory_order_relaxed);

	static_assert(sizeof(*address) <= sizeof(words), "an endpoint fits");
	memcpy(words, address, sizeof(*address));
	atomic_store_explicit(&server->address_version, version + 1,
			      memory_order_relaxed);
	for (int i = 0; i < 16; i++)
		atomic_store_explicit(&server->address_words[i], words[i],
				      memory_order_release);
	atomic_store_explicit(&server->address_version, version + 2,
			      memory_order_release);
}

bool
server_address(const struct server *server, struct endpoint *address)
{
	uint64_t words[16];
	uint32_t before, after;

	do {
		before = atomic_load_explicit(&server->address_version,
					      memory_order_acquire);
		for (int i = 0; i < 16; i++)
			words[i] = atomic_load_explicit(&server->address_words[i],
							memory_order_acquire);
		after = atomic_load_explicit(&server->address_version,
					     memory_order_relaxed);
	} while (before != after || before & 1);
	memcpy(address, words, sizeof(*address));
	return address->length != 0;
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

/* Traffic's complaints are forgotten; after maintenance the next probe decides alone.
 */
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

/* A server that was never probed is kept out of use, but there is nothing to say yet.
 */
static void
show(struct server *server, struct health *health, int64_t now)
{
	enum server_state state = health_state(health, server, now);

	if (state == SERVER_DOWN && !(health->marks & MARK_PROBED))
		return;
	if (state == SERVER_UP && health->shown != SERVER_UP &&
	    health->shown != SHOWN_NONE)
		atomic_store_explicit(&server->up_since, now, memory_order_relaxed);
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

/* One step of the health word; move: NULL for what time and weight alone have changed.
 */
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

bool
server_take(struct server *server)
{
	uint32_t limit =
		atomic_load_explicit(&server->max_connections, memory_order_relaxed);
	uint32_t active = atomic_load_explicit(&server->active, memory_order_relaxed);

	do {
		if (limit && active >= limit)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&server->active, &active, active + 1, memory_order_acq_rel,
		memory_order_relaxed));
	return true;
}

void
server_put(struct server *server)
{
	uint32_t active =
		atomic_fetch_sub_explicit(&server->active, 1, memory_order_acq_rel);

	assert(active > 0);
}

uint32_t
server_warmth(const struct server *server, int64_t now)
{
	const struct pool *pool =
		atomic_load_explicit(&server->pool, memory_order_acquire);
	int64_t since = atomic_load_explicit(&server->up_since, memory_order_relaxed);
	int64_t slow_start = pool ? pool->rules.slow_start : 0;

	if (slow_start == 0 || since == 0 || now - since >= slow_start)
		return 256;
	return now <= since ? 0 : (uint32_t)((now - since) * 256 / slow_start);
}

unsigned
server_reply_bucket(uint64_t microseconds)
{
	unsigned bucket = 0;

	while (bucket < SERVER_REPLY_BUCKETS - 1 &&
	       microseconds > server_reply_bounds[bucket] * 1000ull)
		bucket++;
	return bucket;
}

void
server_count_reply(struct server *server, uint64_t microseconds)
{
	uint64_t taken =
		microseconds ? microseconds : 1; /* 0 says that there is none */
	uint64_t average =
		atomic_load_explicit(&server->reply_ewma, memory_order_relaxed);
	uint64_t next;

	atomic_fetch_add_explicit(
		&server->counters.replies[server_reply_bucket(microseconds)], 1,
		memory_order_relaxed);
	atomic_fetch_add_explicit(&server->counters.reply_us, microseconds,
				  memory_order_relaxed);
	do {
		next = average ? (average * 7 + taken) / 8 : taken;
	} while (!atomic_compare_exchange_weak_explicit(
		&server->reply_ewma, &average, next ? next : 1, memory_order_relaxed,
		memory_order_relaxed));
}

void
server_learn_extensions(struct server *server, struct smtp_extensions extensions)
{
	atomic_store_explicit(&server->size, extensions.size, memory_order_relaxed);
	atomic_store_explicit(&server->extensions,
			      extensions.set | SERVER_EXTENSIONS_KNOWN,
			      memory_order_release);
}

bool
server_extensions(const struct server *server, struct smtp_extensions *extensions)
{
	uint32_t set = atomic_load_explicit(&server->extensions, memory_order_acquire);

	*extensions = (struct smtp_extensions){
		.set = set & ~SERVER_EXTENSIONS_KNOWN,
		.size = atomic_load_explicit(&server->size, memory_order_relaxed),
	};
	return set & SERVER_EXTENSIONS_KNOWN;
}
