#include "fleet.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define KEYS 20000

static uint8_t before[KEYS];

static void
place_all(struct fleet *fleet, uint8_t *places)
{
	for (uint32_t key = 0; key < KEYS; key++)
		places[key] = (uint8_t)fleet_visit(fleet, key, 0);
}

static void
test_shares(void **state)
{
	static const uint32_t weights[] = {5, 3, 2};
	uint32_t count[3] = {0};
	struct fleet fleet;

	(void)state;
	fleet_open_weights(&fleet, "hash", weights, 3);
	place_all(&fleet, before);
	for (int key = 0; key < KEYS; key++)
		count[before[key]]++;
	for (int i = 0; i < 3; i++)
		assert_in_range(count[i], KEYS * weights[i] / 10 - KEYS / 100,
				KEYS * weights[i] / 10 + KEYS / 100);
	fleet_close(&fleet);
}

/* When one of ten leaves, its keys move, no others, and they come back with it. */
static void
test_a_server_leaves(void **state)
{
	static const uint32_t weights[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
	static uint8_t after[KEYS];
	uint32_t moved = 0, to[10] = {0};
	struct fleet fleet;

	(void)state;
	fleet_open_weights(&fleet, "source", weights, 10);
	place_all(&fleet, before);
	server_observe(fleet.servers[4], SERVER_ADMIN_DRAIN, NULL, FLEET_NOW);
	place_all(&fleet, after);
	for (int key = 0; key < KEYS; key++) {
		if (before[key] != after[key]) {
			assert_int_equal(before[key], 4);
			moved++;
			to[after[key]]++;
		}
	}
	assert_in_range(moved, KEYS / 10 - KEYS / 100, KEYS / 10 + KEYS / 100);
	for (int i = 0; i < 10; i++)
		if (i != 4) /* spread over all that are left */
			assert_in_range(to[i], moved / 9 / 2, moved / 9 * 2);
	server_observe(fleet.servers[4], SERVER_ADMIN_READY, NULL, FLEET_NOW);
	place_all(&fleet, after);
	assert_memory_equal(before, after, KEYS);
	fleet_close(&fleet);
}

/* A heavier weight draws keys to it; none moves between the others. */
static void
test_a_weight_grows(void **state)
{
	static const uint32_t weights[] = {1, 1, 1};
	static uint8_t after[KEYS];
	struct fleet fleet;

	(void)state;
	fleet_open_weights(&fleet, "hash", weights, 3);
	place_all(&fleet, before);
	pool_set_weight(fleet.pool, fleet.servers[1], 2, FLEET_NOW);
	place_all(&fleet, after);
	for (int key = 0; key < KEYS; key++)
		assert_true(after[key] == before[key] || after[key] == 1);
	fleet_close(&fleet);
}

/* Two nodes whose configurations name the servers in another order agree. */
static void
test_nodes_agree(void **state)
{
	static const struct fleet_server servers[] = {{3, 0, 0}, {1, 0, 0}, {2, 0, 0}};
	struct server *turned[3];
	struct fleet fleet;
	struct pool *other;

	(void)state;
	fleet_open(&fleet, "hash", &fleet_rules, servers, 3);
	place_all(&fleet, before);
	for (int i = 0; i < 3; i++)
		turned[i] = fleet.servers[2 - i];
	other = pool_new(SPAN("hubs"), strategy_find(SPAN("hash")), &fleet_rules,
			 turned, 3);
	assert_non_null(other);
	for (uint32_t key = 0; key < KEYS; key++) {
		struct pool_request request = {.now = FLEET_NOW, .key = key};
		struct server *server;

		assert_int_equal(pool_pick(other, &request, &server), POOL_PICKED);
		assert_ptr_equal(server, turned[2 - before[key]]);
		server_put(server);
	}
	pool_free(other);
	fleet_close(&fleet);
}

/* One key only: nobody has more than the bound, and the first has the most. */
static void
test_bounded_load(void **state)
{
	static const uint32_t weights[] = {1, 1, 1, 1};
	struct fleet fleet;
	uint32_t first;

	(void)state;
	fleet_open_weights(&fleet, "hash", weights, 4);
	first = fleet_visit(&fleet, 12345, 0);
	for (int i = 0; i < 8; i++) /* the floor: a quiet pool keeps the key in place */
		assert_int_equal(fleet_pick(&fleet, 12345, 0), first);
	for (int i = 8; i < 1000; i++)
		fleet_pick(&fleet, 12345, 0);
	for (int i = 0; i < 4; i++)
		assert_true(fleet.servers[i]->active <= 313); /* 1.25 × 1000 / 4 */
	assert_in_range(fleet.servers[first]->active, 312, 313);
	fleet_close(&fleet);
}

/* A cold server gets a part of its keys, always the same ones. */
static void
test_slow_start(void **state)
{
	static const struct fleet_server servers[] = {{1, 0, 0}, {1, 0, 0}};
	static uint8_t cold[KEYS], again[KEYS];
	struct server_rules rules = fleet_rules;
	struct fleet fleet;
	uint32_t kept = 0, all = 0;

	(void)state;
	rules.slow_start = 1000;
	fleet_open(&fleet, "hash", &rules, servers, 2);
	place_all(&fleet, before);
	fleet.servers[1]->up_since = FLEET_NOW - 500;
	place_all(&fleet, cold);
	place_all(&fleet, again);
	assert_memory_equal(cold, again, KEYS);
	for (int key = 0; key < KEYS; key++) {
		all += before[key];
		kept += cold[key];
		assert_true(cold[key] <= before[key]);
	}
	assert_in_range(kept, all / 2 - all / 20, all / 2 + all / 20);
	fleet_close(&fleet);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_a_server_leaves),
		cmocka_unit_test(test_a_weight_grows),
		cmocka_unit_test(test_nodes_agree),
		cmocka_unit_test(test_bounded_load),
		cmocka_unit_test(test_slow_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
