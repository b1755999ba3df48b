#include "rows.h"

#include "policy/rate_table.h"

/* A time at which the 44 bits of the clock have just come round. */
#define ROUND ((uint64_t)1 << 44)
#define SECOND 1000000u

struct visit {
	uint64_t hash;
	uint64_t at; /* µs behind the row's start */
	bool may;
};

static const struct row {
	const char *name;
	struct rate rate;
	uint64_t start;
	struct visit visits[8]; /* until a hash of 0 */
} rows[] = {
	{"as many at once as the rate says",
	 {3, 1000},
	 5 * SECOND,
	 {{1, 0, true}, {1, 0, true}, {1, 0, true}, {1, 0, false}}},
	{"then evenly",
	 {2, 1000},
	 5 * SECOND,
	 {{1, 0, true},
	  {1, 0, true},
	  {1, 499999, false},
	  {1, 500000, true},
	  {1, 500001, false},
	  {1, SECOND, true}}},
	{"a refusal costs nothing",
	 {1, 1000},
	 5 * SECOND,
	 {{1, 0, true}, {1, 10, false}, {1, 999999, false}, {1, SECOND, true}}},
	{"clients do not count for each other",
	 {1, 1000},
	 5 * SECOND,
	 {{1, 0, true}, {1ull << 50, 0, true}, {1, 1, false}, {1ull << 50, 1, false}}},
	{"no rate", {0, 0}, 5 * SECOND, {{1, 0, true}, {1, 0, true}, {1, 0, true}}},
	{"a rate finer than the clock",
	 {2000000, 1000},
	 5 * SECOND,
	 {{1, 0, true}, {1, 0, true}}},
	{"over the end of the clock",
	 {1, 1000},
	 ROUND - 1000,
	 {{1, 0, true}, {1, 2000, false}, {1, SECOND, true}, {1, SECOND + 1, false}}},
	{"long away", {1, 1000}, 0, {{1, 1, true}, {1, ROUND / 2, true}}},
};

static void
test_visits(void **state)
{
	const struct row *row = *state;
	struct rate_table table;

	assert_int_equal(rate_table_init(&table, &row->rate, 100), STATUS_OK);
	for (const struct visit *visit = row->visits; visit->hash; visit++) {
		uint64_t hash = visit->hash << 8, now = row->start + visit->at;

		assert_int_equal(rate_table_may(&table, hash, now), visit->may);
		assert_int_equal(rate_table_take(&table, hash, now), visit->may);
	}
	rate_table_fini(&table);
}

/* More clients than there is room for: none is refused for another's sake. */
static void
test_crowd(void **state)
{
	const struct rate rate = {1, 1000};
	struct rate_table table;

	(void)state;
	assert_int_equal(rate_table_init(&table, &rate, 1), STATUS_OK);
	for (uint64_t client = 1; client <= 10000; client++)
		assert_true(rate_table_take(&table, client * 0x9e3779b97f4a7c15u, 7));
	rate_table_fini(&table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_crowd)};

	return ROWS_RUN(rows, test_visits) + cmocka_run_group_tests(tests, NULL, NULL);
}
