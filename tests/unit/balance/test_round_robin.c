#include "fleet.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static uint64_t
picks_of(const struct fleet *fleet, uint32_t index)
{
	return fleet->servers[index]->counters.picks;
}

static void
test_exact_shares(void **state)
{
	static const struct {
		const char *name;
		uint32_t weights[4];
		uint32_t count, picks;
		uint64_t wanted[4];
	} rows[] = {
		{"three equal", {1, 1, 1}, 3, 3000, {1000, 1000, 1000}},
		{"three equal, not a multiple", {1, 1, 1}, 3, 1000, {334, 333, 333}},
		{"5:3:2", {5, 3, 2}, 3, 3000, {1500, 900, 600}},
		{"weight 0", {1, 0, 1}, 3, 1000, {500, 0, 500}},
		{"1000:1", {1000, 1}, 2, 2002, {2000, 2}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fleet fleet;

		fleet_open_weights(&fleet, "round-robin", rows[i].weights,
				   rows[i].count);
		for (uint32_t pick = 0; pick < rows[i].picks; pick++)
			fleet_visit(&fleet, 0, 0);
		for (uint32_t j = 0; j < rows[i].count; j++)
			if (picks_of(&fleet, j) != rows[i].wanted[j])
				fail_msg("%s: server %u: %lu", rows[i].name, j,
					 (unsigned long)picks_of(&fleet, j));
		fleet_close(&fleet);
	}
}

/* The turns of a server that is away are lost; the others keep their proportions. */
static void
test_one_away(void **state)
{
	static const uint32_t weights[] = {5, 3, 2, 4};
	struct fleet fleet;

	(void)state;
	fleet_open_weights(&fleet, "round-robin", weights, 4);
	server_observe(fleet.servers[3], SERVER_ADMIN_DRAIN, NULL, FLEET_NOW);
	for (int pick = 0; pick < 1000; pick++)
		fleet_visit(&fleet, 0, 0);
	assert_int_equal(picks_of(&fleet, 0), 500);
	assert_int_equal(picks_of(&fleet, 1), 300);
	assert_int_equal(picks_of(&fleet, 2), 200);
	assert_int_equal(picks_of(&fleet, 3), 0);
	fleet_close(&fleet);
}

/* Whoever waits for a place draws at most one ticket for each look. */
static void
test_full_costs_little(void **state)
{
	static const struct fleet_server servers[] = {{1000, 0, 1}, {999, 0, 1}};
	struct pool_request request = {.now = FLEET_NOW};
	struct server *server;
	struct fleet fleet;

	(void)state;
	fleet_open(&fleet, "round-robin", &fleet_rules, servers, 2);
	fleet_pick(&fleet, 0, 0);
	fleet_pick(&fleet, 0, 0);
	uint64_t before = fleet.pool->groups->ticket;
	assert_int_equal(pool_pick(fleet.pool, &request, &server), POOL_FULL);
	assert_true(fleet.pool->groups->ticket - before <= 1);
	fleet_close(&fleet);
}

static void
test_new_weights(void **state)
{
	static const uint32_t weights[] = {1, 1};
	struct fleet fleet;

	(void)state;
	fleet_open_weights(&fleet, "round-robin", weights, 2);
	for (int pick = 0; pick < 100; pick++)
		fleet_visit(&fleet, 0, 0);
	pool_set_weight(fleet.pool, fleet.servers[0], 997, FLEET_NOW);
	pool_set_weight(fleet.pool, fleet.servers[1], 3, FLEET_NOW);
	for (int pick = 0; pick < 2000; pick++)
		fleet_visit(&fleet, 0, 0);
	assert_int_equal(picks_of(&fleet, 0), 50 + 1994);
	pool_set_weight(fleet.pool, fleet.servers[0], 0, FLEET_NOW);
	for (int pick = 0; pick < 10; pick++)
		assert_int_equal(fleet_visit(&fleet, 0, 0), 1);
	fleet_close(&fleet);
}

/* A cold server takes a part of its turns that grows with time. */
static void
test_slow_start(void **state)
{
	static const struct {
		int64_t after;        /* of 10 s */
		uint64_t least, most; /* of 10,000 picks among two equal ones */
	} rows[] = {
		{0, 0, 0},
		{2500, 1800, 2200}, /* 1/4 against 1 */
		{5000, 3133, 3533}, /* 1/2 against 1 */
		{10000, 5000, 5000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		static const struct fleet_server servers[] = {{1, 0, 0}, {1, 0, 0}};
		struct server_rules rules = fleet_rules;
		uint64_t chance = 1;
		struct fleet fleet;

		rules.slow_start = 10000;
		fleet_open(&fleet, "round-robin", &rules, servers, 2);
		fleet.servers[1]->up_since = FLEET_NOW - rows[i].after;
		for (int pick = 0; pick < 10000; pick++)
			fleet_visit(&fleet, 0, chance_next(&chance));
		if (picks_of(&fleet, 1) < rows[i].least ||
		    picks_of(&fleet, 1) > rows[i].most)
			fail_msg("after %ld: %lu", (long)rows[i].after,
				 (unsigned long)picks_of(&fleet, 1));
		fleet_close(&fleet);
	}
}

#define THREADS 4
#define PICKS 30000

static void *
pick_many(void *argument)
{
	struct fleet *fleet = argument;
	struct pool_request request = {.now = FLEET_NOW};
	struct server *server;

	for (int i = 0; i < PICKS; i++) {
		if (pool_pick(fleet->pool, &request, &server) != POOL_PICKED)
			return fleet;
		server_put(server);
	}
	return NULL;
}

static void
run_threads(struct fleet *fleet)
{
	pthread_t threads[THREADS];
	void *failed;

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, pick_many, fleet),
				 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
}

static void
test_threads_share_exactly(void **state)
{
	static const uint32_t equal[] = {1, 1, 1, 1, 1, 1, 1}, unequal[] = {5, 3, 2};
	uint64_t least = UINT64_MAX, most = 0;
	struct fleet fleet;

	(void)state;
	fleet_open_weights(&fleet, "round-robin", equal, 7);
	run_threads(&fleet);
	for (uint32_t i = 0; i < 7; i++) {
		least = picks_of(&fleet, i) < least ? picks_of(&fleet, i) : least;
		most = picks_of(&fleet, i) > most ? picks_of(&fleet, i) : most;
	}
	assert_true(most - least <= 1);
	fleet_close(&fleet);
	fleet_open_weights(&fleet, "round-robin", unequal, 3);
	run_threads(&fleet);
	assert_int_equal(picks_of(&fleet, 0), THREADS * PICKS / 2);
	assert_int_equal(picks_of(&fleet, 1), THREADS * PICKS * 3 / 10);
	assert_int_equal(picks_of(&fleet, 2), THREADS * PICKS / 5);
	fleet_close(&fleet);
}

/* Weights change under threads that pick: nothing breaks, nothing is lost. */
static void
test_threads_and_new_weights(void **state)
{
	static const uint32_t weights[] = {1, 1, 1};
	pthread_t threads[2];
	struct fleet fleet;
	void *failed;

	(void)state;
	fleet_open_weights(&fleet, "round-robin", weights, 3);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, pick_many, &fleet),
				 0);
	for (uint32_t i = 0; i < 200; i++)
		pool_set_weight(fleet.pool, fleet.servers[i % 3], 1 + i * 7 % 100,
				FLEET_NOW);
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(picks_of(&fleet, 0) + picks_of(&fleet, 1) +
				 picks_of(&fleet, 2),
			 2 * PICKS);
	fleet_close(&fleet);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact_shares),
		cmocka_unit_test(test_one_away),
		cmocka_unit_test(test_full_costs_little),
		cmocka_unit_test(test_new_weights),
		cmocka_unit_test(test_slow_start),
		cmocka_unit_test(test_threads_share_exactly),
		cmocka_unit_test(test_threads_and_new_weights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
