#include "balance/pool.h"

#include "balance/group.h"
#include "balance/strategy.h"

#include <assert.h>
#include <stdlib.h>

static const struct strategy *const strategies[] = {
	&strategy_round_robin,
	&strategy_least_connections,
	&strategy_random,
	&strategy_source,
	&strategy_hash,
	&strategy_response_time,
	NULL,
};

const struct strategy *
strategy_find(struct span name)
{
	for (size_t i = 0; strategies[i]; i++)
		if (span_equals(name, span_from_string(strategies[i]->name)))
			return strategies[i];
	return NULL;
}

const char *
strategy_name(const struct strategy *strategy)
{
	return strategy->name;
}

bool
strategy_wants_key(const struct strategy *strategy)
{
	return strategy->wants_key;
}

/* The lowest preference from floor on. False: there is none. */
static bool
next_preference(const struct pool *pool, uint64_t floor, uint32_t *preference)
{
	bool found = false;

	for (uint32_t i = 0; i < pool->server_count; i++) {
		uint32_t own = pool->servers[i]->preference;

		if (own >= floor && (!found || own < *preference)) {
			*preference = own;
			found = true;
		}
	}
	return found;
}

static uint32_t
count_preferences(const struct pool *pool)
{
	uint32_t preference = 0, count = 0;
	uint64_t floor = 0;

	while (next_preference(pool, floor, &preference)) {
		floor = preference + 1ull;
		count++;
	}
	return count;
}

static bool
make_groups(struct pool *pool)
{
	uint32_t count = count_preferences(pool);
	uint32_t preference = 0;
	uint64_t floor = 0;

	if (count == 0)
		return true;
	pool->groups = aligned_alloc(_Alignof(struct pool_group),
				     count * sizeof(*pool->groups));
	if (!pool->groups)
		return false;
	while (next_preference(pool, floor, &preference)) {
		if (!group_init(&pool->groups[pool->group_count], preference,
				pool->servers, pool->server_count))
			return false;
		pool->group_count++;
		floor = preference + 1ull;
	}
	return true;
}

/* From here on server_observe() goes by this pool's rules. */
static void
adopt_servers(struct pool *pool)
{
	for (uint32_t i = 0; i < pool->server_count; i++) {
		struct server *server = pool->servers[i];

		if (server_is_counted_ejected(server))
			atomic_fetch_add(&pool->ejected, 1);
		atomic_store(&server->index, i);
		atomic_store(&server->pool, pool);
	}
}

struct pool *
pool_new(struct span name, const struct strategy *strategy,
	 const struct server_rules *rules, struct server **servers,
	 uint32_t server_count)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	assert(server_count <= POOL_SERVERS_MAX);
	if (!pool)
		return NULL;
	pool->strategy = strategy;
	pool->rules = *rules;
	pool->name = strndup(name.at, name.length);
	pool->servers = calloc(server_count + 1, sizeof(struct server *));
	if (!pool->name || !pool->servers)
		goto fail;
	for (; pool->server_count < server_count; pool->server_count++)
		pool->servers[pool->server_count] =
			server_ref(servers[pool->server_count]);
	if (!make_groups(pool))
		goto fail;
	adopt_servers(pool);
	return pool;
fail:
	pool_free(pool);
	return NULL;
}

void
pool_free(struct pool *pool)
{
	if (!pool)
		return;
	for (uint32_t i = 0; i < pool->server_count; i++) {
		struct pool *own = pool;

		atomic_compare_exchange_strong(&pool->servers[i]->pool, &own, NULL);
		server_unref(pool->servers[i]);
	}
	for (uint32_t i = 0; i < pool->group_count; i++)
		group_fini(&pool->groups[i]);
	free(pool->groups);
	free(pool->servers);
	free(pool->name);
	free(pool);
}

void
pool_set_weight(struct pool *pool, struct server *server, uint32_t weight, int64_t now)
{
	assert(weight <= POOL_WEIGHT_MAX);
	atomic_store(&server->weight, weight);
	for (uint32_t i = 0; i < pool->group_count; i++)
		if (pool->groups[i].preference == server->preference)
			group_order(&pool->groups[i]);
	server_tick(server, now);
}

/*
 * Looks at each server of the group once, for when the strategy has found none: because
 * there is none, or because the one that it chose was filled meanwhile, is cold, or
 * has a turn too seldom. Returns the best that it saw: GROUP_ELIGIBLE has been
 * reserved.
 */
static enum group_verdict
scan(struct pool_group *group, const struct pool_request *request,
     struct server **server)
{
	enum group_verdict best = GROUP_UNUSABLE;
	/* Draws no ticket: those who wait for a place must not skew the order. */
	uint64_t ticket = atomic_load_explicit(&group->ticket, memory_order_relaxed);
	uint32_t first = group_turn(group, ticket + request->chance);

	for (uint32_t i = 0; i < group->server_count; i++) {
		uint32_t at = (first + i) % group->server_count;
		enum group_verdict verdict = group_judge(group->servers[at], request);

		if (verdict == GROUP_ELIGIBLE && server_take(group->servers[at])) {
			*server = group->servers[at];
			return GROUP_ELIGIBLE;
		}
		if (verdict == GROUP_ELIGIBLE)
			verdict = GROUP_FULL;
		if (verdict < best)
			best = verdict;
	}
	return best;
}

static enum pool_result
pick_in_groups(struct pool *pool, const struct pool_request *request,
	       struct server **server)
{
	enum pool_result result = POOL_EMPTY;

	for (uint32_t i = 0; i < pool->group_count; i++) {
		struct pool_group *group = &pool->groups[i];

		*server = pool->strategy->pick(group, request);
		if (*server)
			return POOL_PICKED;
		switch (scan(group, request, server)) {
		case GROUP_ELIGIBLE:
			return POOL_PICKED;
		case GROUP_FULL:
			return POOL_FULL;
		case GROUP_INCAPABLE:
			result = POOL_INCAPABLE;
			break;
		case GROUP_UNUSABLE:
			break;
		}
	}
	return result;
}

enum pool_result
pool_pick(struct pool *pool, const struct pool_request *request, struct server **server)
{
	enum pool_result result = pick_in_groups(pool, request, server);
	struct pool_request again = *request;

	if (result == POOL_EMPTY && atomic_load(&pool->ejected) > 0) {
		again.last_resort = true;
		result = pick_in_groups(pool, &again, server);
	}
	if (result == POOL_PICKED)
		atomic_fetch_add_explicit(&(*server)->counters.picks, 1,
					  memory_order_relaxed);
	return result;
}

bool
pool_is_capable(const struct pool *pool, const struct pool_request *request)
{
	for (uint32_t i = 0; i < pool->server_count; i++)
		if (server_may_return(pool->servers[i], request->now) &&
		    group_is_capable(pool->servers[i], request))
			return true;
	return false;
}

bool
pool_extensions(const struct pool *pool, struct smtp_extensions *extensions)
{
	struct smtp_extensions own;
	bool known = false;

	for (uint32_t i = 0; i < pool->server_count; i++) {
		if (!server_extensions(pool->servers[i], &own))
			continue;
		*extensions = known ? smtp_extensions_intersect(*extensions, own) : own;
		known = true;
	}
	return known;
}

/* The weight of the servers of a preference that are up. */
static uint64_t
weight_up(const struct pool_group *group, int64_t now)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < group->server_count; i++)
		if (server_is_up(group->servers[i], now))
			sum += group->servers[i]->weight;
	return sum;
}

double
pool_share_wanted(const struct pool *pool, const struct server *server, int64_t now)
{
	if (!server_is_up(server, now))
		return 0;
	for (uint32_t i = 0; i < pool->group_count; i++) {
		uint64_t weight = weight_up(&pool->groups[i], now);

		if (weight)
			return pool->groups[i].preference == server->preference
				       ? (double)server->weight / (double)weight
				       : 0;
	}
	return 0;
}

uint32_t
pool_up_count(const struct pool *pool, int64_t now)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < pool->server_count; i++)
		count += server_is_up(pool->servers[i], now);
	return count;
}

bool
pool_is_observed(const struct pool *pool)
{
	for (uint32_t i = 0; i < pool->server_count; i++)
		if (!atomic_load(&pool->servers[i]->probed_once))
			return false;
	return true;
}
