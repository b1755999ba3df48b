/* The strategies that look at load: least-connections, random, response-time. */
#include "fleet.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PICKS 60000

/* Shares of sequential picks in percent, by strategy, weights and reply times. */
static void
test_shares(void **state)
{
	static const struct {
		const char *name, *strategy;
		uint32_t weights[3];
		uint64_t times[3]; /* microseconds; 0: none yet */
		double wanted[3];
	} rows[] = {
		{"idle: the exact order",
		 "least-connections",
		 {5, 3, 2},
		 {0},
		 {50, 30, 20}},
		{"idle: by weight", "random", {5, 3, 2}, {0}, {50, 30, 20}},
		{"idle: equal", "random", {1, 1, 1}, {0}, {33.33, 33.33, 33.33}},
		{"no times: by weight", "response-time", {5, 3, 2}, {0}, {50, 30, 20}},
		{"equal times: by weight",
		 "response-time",
		 {5, 3, 2},
		 {900, 900, 900},
		 {50, 30, 20}},
		{"half the time, twice the share",
		 "response-time",
		 {1, 1, 1},
		 {1000, 2000, 2000},
		 {50, 25, 25}},
		{"a new one has the mean",
		 "response-time",
		 {1, 1, 1},
		 {1000, 3000, 0},
		 {54.55, 18.18, 27.27}},
		{"a very slow one is not forgotten",
		 "response-time",
		 {1, 1, 1},
		 {1000, 1000, 100000},
		 {49.75, 49.75, 0.5}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t chance = 42;
		struct fleet fleet;

		fleet_open_weights(&fleet, rows[i].strategy, rows[i].weights, 3);
		for (int j = 0; j < 3; j++)
			fleet.servers[j]->reply_ewma = rows[i].times[j];
		for (int pick = 0; pick < PICKS; pick++)
			fleet_visit(&fleet, 0, chance_next(&chance));
		for (int j = 0; j < 3; j++) {
			double picks = (double)fleet.servers[j]->counters.picks;
			double share = 100 * picks / PICKS;

			if (share < rows[i].wanted[j] - 0.75 ||
			    share > rows[i].wanted[j] + 0.75)
				fail_msg("%s: server %d: %f", rows[i].name, j, share);
		}
		fleet_close(&fleet);
	}
}

/* Nothing is put back: what is in flight follows the weights. */
static void
test_load_follows_weights(void **state)
{
	static const struct {
		const char *strategy;
		uint32_t slack; /* of 1,000 */
	} rows[] = {{"least-connections", 1}, {"random", 12}};
	static const uint32_t weights[] = {5, 3, 2};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t chance = 7;
		struct fleet fleet;

		fleet_open_weights(&fleet, rows[i].strategy, weights, 3);
		for (int pick = 0; pick < 1000; pick++)
			fleet_pick(&fleet, 0, chance_next(&chance));
		for (int j = 0; j < 3; j++)
			assert_in_range(fleet.servers[j]->active,
					weights[j] * 100 - rows[i].slack,
					weights[j] * 100 + rows[i].slack);
		fleet_close(&fleet);
	}
}

/* A server that holds on to its transactions gets few more. */
static void
test_busy_server_is_spared(void **state)
{
	static const uint32_t weights[] = {1, 1, 1};
	static const struct {
		const char *strategy;
		uint64_t most; /* of 3,000 */
	} rows[] = {{"least-connections", 0}, {"random", 400}, {"response-time", 60}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t chance = 99;
		struct fleet fleet;

		fleet_open_weights(&fleet, rows[i].strategy, weights, 3);
		for (int j = 0; j < 100; j++)
			assert_true(server_take(fleet.servers[2]));
		for (int pick = 0; pick < 3000; pick++)
			fleet_visit(&fleet, 0, chance_next(&chance));
		if (fleet.servers[2]->counters.picks > rows[i].most)
			fail_msg("%s: %lu", rows[i].strategy,
				 (unsigned long)fleet.servers[2]->counters.picks);
		fleet_close(&fleet);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_load_follows_weights),
		cmocka_unit_test(test_busy_server_is_spared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
