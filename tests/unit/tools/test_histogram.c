#include "rows.h"
#include "tools/histogram.h"

#include <stdbool.h>

/* One time recorded alone: what is read from it is at most 1/64 above it, never below.
 */
static const struct recording {
	const char *name;
	uint64_t value;
	uint64_t
		seen; /* in the histogram's one bucket, before min and max correct it */
} recordings[] = {
	{"nothing at all", 0, 0},
	{"one microsecond", 1, 1},
	{"the last with a bucket of its own", 63, 63},
	{"the first of an octave", 64, 64},
	{"the last of the exact octave", 127, 127},
	{"the first that shares", 128, 129},
	{"a second", 1000000, 1007615},
	{"the longest", HISTOGRAM_MAX, HISTOGRAM_MAX},
	{"longer than the longest", UINT64_MAX, HISTOGRAM_MAX},
};

static void
test_recording(void **state)
{
	const struct recording *row = *state;
	struct histogram histogram = {0};
	uint64_t expected = row->value < HISTOGRAM_MAX ? row->value : HISTOGRAM_MAX;

	/* a longer one keeps max out of the way */
	histogram_record(&histogram, row->value);
	histogram_record(&histogram, HISTOGRAM_MAX);
	assert_int_equal(histogram.min, expected);
	assert_int_equal(histogram_quantile(&histogram, 0.5), row->seen);
}

/* The values 1 to 1000, in any order. */
static const struct quantile {
	const char *name;
	double share;
	uint64_t low, high;
} quantiles[] = {
	{"the least", 0, 1, 1},         {"the median", 0.5, 500, 508},
	{"nine tenths", 0.9, 900, 914}, {"p99", 0.99, 990, 1000},
	{"p99.9", 0.999, 999, 1000},    {"all", 1, 1000, 1000},
};

static void
test_quantile(void **state)
{
	const struct quantile *row = *state;
	struct histogram histogram = {0};
	uint64_t value;

	for (uint64_t at = 0; at < 1000; at++)
		histogram_record(&histogram, at * 7 % 1000 + 1);
	value = histogram_quantile(&histogram, row->share);
	assert_in_range(value, row->low, row->high);
	assert_int_equal(histogram.total, 1000);
	assert_int_equal(histogram.sum, 500500);
	assert_int_equal(histogram.max, 1000);
}

static void
test_error_is_bounded(void **state)
{
	(void)state;
	for (uint64_t value = 1; value < HISTOGRAM_MAX; value += value / 3 + 1) {
		struct histogram histogram = {0};
		uint64_t seen;

		histogram_record(&histogram, value);
		histogram_record(&histogram, HISTOGRAM_MAX);
		seen = histogram_quantile(&histogram, 0.5);
		assert_true(seen >= value && seen <= value + value / 64);
	}
}

static void
test_empty(void **state)
{
	struct histogram histogram = {0};

	(void)state;
	assert_int_equal(histogram_quantile(&histogram, 0.99), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error_is_bounded),
		cmocka_unit_test(test_empty),
	};

	return ROWS_RUN(recordings, test_recording) +
	       ROWS_RUN(quantiles, test_quantile) +
	       cmocka_run_group_tests(tests, NULL, NULL);
}
