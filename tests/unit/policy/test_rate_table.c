#include "rows.h"

#include "policy/rate_table.h"

/* A time at which the 44 bits of the clock have just come round. */
#define ROUND ((uint64_t)1 << 44)
#define SECOND 1000000u

static const struct siphash_key key = {{1, 2}};

struct visit {
	const char *client;
	uint64_t at; /* µs behind the row's start */
	bool may;
};

static const struct row {
	const char *name;
	struct rate rate;
	uint64_t start;
	struct visit visits[8]; /* until there is no client */
} rows[] = {
	{"as many at once as the rate says",
	 {3, 1000},
	 5 * SECOND,
	 {{"a", 0, true}, {"a", 0, true}, {"a", 0, true}, {"a", 0, false}}},
	{"then evenly",
	 {2, 1000},
	 5 * SECOND,
	 {{"a", 0, true},
	  {"a", 0, true},
	  {"a", 499999, false},
	  {"a", 500000, true},
	  {"a", 500001, false},
	  {"a", SECOND, true}}},
	{"a refusal costs nothing",
	 {1, 1000},
	 5 * SECOND,
	 {{"a", 0, true}, {"a", 10, false}, {"a", 999999, false}, {"a", SECOND, true}}},
	{"clients do not count for each other",
	 {1, 1000},
	 5 * SECOND,
	 {{"a", 0, true}, {"b", 0, true}, {"a", 1, false}, {"b", 1, false}}},
	{"no rate",
	 {0, 0},
	 5 * SECOND,
	 {{"a", 0, true}, {"a", 0, true}, {"a", 0, true}}},
	{"a rate finer than the clock",
	 {2000000, 1000},
	 5 * SECOND,
	 {{"a", 0, true}, {"a", 0, true}}},
	{"over the end of the clock",
	 {1, 1000},
	 ROUND - 1000,
	 {{"a", 0, true},
	  {"a", 2000, false},
	  {"a", SECOND, true},
	  {"a", SECOND + 1, false}}},
	{"long away", {1, 1000}, 0, {{"a", 1, true}, {"a", ROUND / 2, true}}},
};

static void
test_visits(void **state)
{
	const struct row *row = *state;
	struct rate_table table;

	assert_int_equal(rate_table_init(&table, &row->rate, 100, &key), STATUS_OK);
	for (const struct visit *visit = row->visits; visit->client; visit++) {
		struct span client = span_from_string(visit->client);
		uint64_t now = row->start + visit->at;

		assert_int_equal(rate_table_may(&table, client, now), visit->may);
		assert_int_equal(rate_table_take(&table, client, now), visit->may);
	}
	rate_table_fini(&table);
}

#define CROWD 1000

/* More clients than a table has room for, each twice in the same instant. None is
   refused for another's sake (with these keys); counted: who was refused for his own.
 */
static void
take_crowd(const struct siphash_key *with, bool counted[CROWD])
{
	const struct rate rate = {1, 1000};
	struct rate_table table;

	assert_int_equal(rate_table_init(&table, &rate, 1, with), STATUS_OK);
	for (uint32_t client = 0; client < CROWD; client++) {
		struct span name = span_of((const char *)&client, sizeof(client));

		assert_true(rate_table_take(&table, name, 7));
		counted[client] = !rate_table_take(&table, name, 7);
	}
	rate_table_fini(&table);
}

static void
test_crowd(void **state)
{
	static bool counted[CROWD];
	unsigned count = 0;

	(void)state;
	take_crowd(&key, counted);
	for (size_t i = 0; i < CROWD; i++)
		count += counted[i];
	assert_int_equal(count, 64); /* the words of the smallest table */
}

/* Who has to share places with whom, nobody can know beforehand. */
static void
test_key(void **state)
{
	const struct siphash_key other = {{3, 4}};
	static bool one[CROWD], two[CROWD];

	(void)state;
	take_crowd(&key, one);
	take_crowd(&other, two);
	assert_memory_not_equal(one, two, sizeof(one));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_crowd),
					   cmocka_unit_test(test_key)};

	return ROWS_RUN(rows, test_visits) + cmocka_run_group_tests(tests, NULL, NULL);
}
