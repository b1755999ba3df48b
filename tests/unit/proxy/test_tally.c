/* What is counted for the metrics, and the names under which it is shown. */
#include "rows.h"
#include "world.h"

#include <string.h>

/* ---- the histogram ---- */

static const struct row {
	const char *name;
	uint64_t microseconds;
	unsigned bucket;
} rows[] = {
	{"no time", 0, 0},
	{"a bound belongs to its bucket", 1000, 0},
	{"one more does not", 1001, 1},
	{"5 ms", 5000, 1},
	{"in between", 60000, 5},
	{"100 ms", 100000, 5},
	{"the last bound", 300000000, TALLY_BUCKETS - 2},
	{"behind it", 300000001, TALLY_BUCKETS - 1},
	{"a day", 86400000000, TALLY_BUCKETS - 1},
};

static void
test_bucket(void **state)
{
	const struct row *row = *state;
	struct server_tally server = {0};
	struct tally tally = {0};

	tally_message(&tally, &server, MESSAGE_ACCEPTED, 3, row->microseconds);
	for (unsigned i = 0; i < TALLY_BUCKETS; i++)
		assert_int_equal(atomic_load(&tally.seconds[i]), i == row->bucket);
	assert_int_equal(atomic_load(&tally.seconds_sum_us), row->microseconds);
	assert_int_equal(atomic_load(&server.messages[MESSAGE_ACCEPTED]), 1);
	assert_int_equal(atomic_load(&server.recipients[MESSAGE_ACCEPTED]), 3);
}

static void
test_bounds_rise(void **state)
{
	(void)state;
	for (unsigned i = 1; i < TALLY_BUCKETS - 1; i++)
		assert_true(tally_bounds[i - 1] < tally_bounds[i]);
}

/* ---- rows and names ---- */

static void
test_each_server_has_its_row(void **state)
{
	struct server_tally servers[3] = {0};
	struct pool_tally pools[2] = {{.servers = servers}, {.servers = servers + 1}};
	struct tally tally = {.pools = pools, .pool_count = 2};
	const struct pool_snapshot first = {.index = 0};
	const struct pool_snapshot second = {.index = 1};
	const struct server server = {.index = 0};
	const struct server other = {.index = 1};

	(void)state;
	assert_ptr_equal(tally_server(&tally, &first, &server), &servers[0]);
	assert_ptr_equal(tally_server(&tally, &second, &server), &servers[1]);
	assert_ptr_equal(tally_server(&tally, &second, &other), &servers[2]);
	assert_ptr_equal(tally_server(&tally, &second, NULL), &pools[1].nowhere);
}

static const char *
result_name(unsigned value)
{
	return message_result_name((enum message_result)value);
}

static const char *
phase_name(unsigned value)
{
	return retry_phase_name((enum retry_phase)value);
}

/* Labels of metrics: each has one, no two share one. */
static void
check_names(const char *(*name)(unsigned value), unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		assert_non_null(name(i));
		assert_true(strlen(name(i)) > 0);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(name(i), name(j));
	}
}

static void
test_names(void **state)
{
	(void)state;
	check_names(result_name, MESSAGE_RESULT_COUNT);
	check_names(phase_name, RETRY_PHASE_COUNT);
	check_names(reject_reason_name, REJECT_COUNT);
}

/* ---- what a run leaves in it ---- */

static uint64_t
sum_seconds(const struct tally *tally)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < TALLY_BUCKETS; i++)
		sum += atomic_load(&tally->seconds[i]);
	return sum;
}

static void
test_run(void **state)
{
	static const struct manner plain = {.chunks = 10000};
	struct server_tally *first, *second;
	struct world world;

	(void)state;
	world_open(&world, &(struct world_plan){.backends = 2, .mails = 4});
	for (uint32_t i = 0; i < world.mail_count; i++)
		mail_fix(&world.mails[i], 3, 100, i % 2);
	world.mails[0].unknown = 2;
	world.backends[0].forced[MOMENT_END] = FAULT_REJECT;
	world.backends[1].forced[MOMENT_STORED] = FAULT_CLOSE;
	world_send(&world, 0, 0, 1, (struct chance){1})->always = &plain;
	world.senders[0].steady = true;
	assert_true(world_run(&world, world_is_quiet));
	first = world_tally(&world, 0);
	second = world_tally(&world, 1);
	assert_int_equal(atomic_load(&first->messages[MESSAGE_REJECTED]), 2);
	assert_int_equal(atomic_load(&first->recipients[MESSAGE_REJECTED]), 5);
	assert_int_equal(atomic_load(&second->messages[MESSAGE_AMBIGUOUS]), 2);
	assert_int_equal(atomic_load(&world.tallies[0].rejects[REJECT_SERVER]), 1);
	assert_int_equal(atomic_load(&world.tallies[0].sessions), 1);
	assert_int_equal(atomic_load(&world.tallies[0].active), 0);
	assert_int_equal(sum_seconds(&world.tallies[0]), 4);
	world_close(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds_rise),
		cmocka_unit_test(test_each_server_has_its_row),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_run),
	};
	int failed = ROWS_RUN(rows, test_bucket);

	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
