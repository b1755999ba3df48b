#include "fleet.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* The order as digits, as far as there are servers with one digit. */
static void
test_orders(void **state)
{
	static const struct {
		const char *name;
		uint32_t weights[4];
		uint32_t count;
		const char *order;
	} rows[] = {
		{"equal", {1, 1, 1}, 3, "012"},
		{"equal and heavy is the same", {100, 100, 100}, 3, "012"},
		{"nginx's example", {5, 1, 1}, 3, "0010200"},
		{"5:3:2", {5, 3, 2}, 3, "0120010210"},
		{"divided by what they share", {10, 6, 4}, 3, "0120010210"},
		{"weight 0 has no turn", {2, 0, 1}, 3, "020"},
		{"no weight at all", {0, 0}, 2, ""},
		{"one", {7}, 1, "0"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char order[32] = "";
		struct fleet fleet;
		const struct pool_group *group;

		fleet_open_weights(&fleet, "round-robin", rows[i].weights,
				   rows[i].count);
		group = fleet.pool->groups;
		for (uint32_t place = 0; place < group->length; place++)
			order[place] = (char)('0' + group_turn(group, place));
		if (strcmp(order, rows[i].order))
			fail_msg("%s: %s", rows[i].name, order);
		fleet_close(&fleet);
	}
}

/* Too many turns: scaled down, in proportion, and no one is left out. */
static void
test_scaling(void **state)
{
	static uint32_t weights[POOL_SERVERS_MAX], turns[POOL_SERVERS_MAX];
	struct fleet fleet;
	const struct pool_group *group;

	(void)state;
	for (uint32_t i = 0; i < POOL_SERVERS_MAX; i++)
		weights[i] = i % 2    ? POOL_WEIGHT_MAX
			     : i == 0 ? 1
				      : POOL_WEIGHT_MAX / 2 + 1;
	fleet_open_weights(&fleet, "round-robin", weights, POOL_SERVERS_MAX);
	group = fleet.pool->groups;
	assert_true(group->length <= GROUP_TURNS_MAX);
	assert_true(group->length > GROUP_TURNS_MAX / 2);
	for (uint32_t place = 0; place < group->length; place++)
		turns[group_turn(group, place)]++;
	for (uint32_t i = 1; i < POOL_SERVERS_MAX; i++) {
		double wanted = weights[i] * (double)group->length / (512. * 1501);

		assert_true(turns[i] >= wanted - 1.6 && turns[i] <= wanted + 1.6);
	}
	assert_int_equal(turns[0], 1);
	fleet_close(&fleet);
}

/* At every place of the order no server is more than one turn from its due. */
static void
test_smoothness(void **state)
{
	static const uint32_t weights[] = {17, 5, 3, 1};
	uint32_t turns[4] = {0};
	struct fleet fleet;
	const struct pool_group *group;

	(void)state;
	fleet_open_weights(&fleet, "round-robin", weights, 4);
	group = fleet.pool->groups;
	assert_int_equal(group->length, 26);
	for (uint32_t place = 0; place < 10 * group->length; place++) {
		turns[group_turn(group, place)]++;
		for (int i = 0; i < 4; i++) {
			double due = (place + 1) * weights[i] / 26.;

			assert_true(turns[i] > due - 1.01 && turns[i] < due + 1.01);
		}
	}
	fleet_close(&fleet);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_scaling),
		cmocka_unit_test(test_smoothness),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
