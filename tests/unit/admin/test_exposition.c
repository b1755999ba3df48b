#include "admin/exposition.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *name;
	struct label labels[2];
	unsigned label_count;
	uint64_t value;
	const char *text;
} counts[] = {
	{"no label", {{NULL}}, 0, 7, "m 7\n"},
	{"one label", {{"a", SPAN_INITIALIZER("x")}}, 1, 0, "m{a=\"x\"} 0\n"},
	{"two labels",
	 {{"a", SPAN_INITIALIZER("x")}, {"b", SPAN_INITIALIZER("y z")}},
	 2,
	 1,
	 "m{a=\"x\",b=\"y z\"} 1\n"},
	{"an empty value", {{"a", SPAN_INITIALIZER("")}}, 1, 1, "m{a=\"\"} 1\n"},
	{"escapes",
	 {{"a", SPAN_INITIALIZER("\"x\\y\nz\"")}},
	 1,
	 1,
	 "m{a=\"\\\"x\\\\y\\nz\\\"\"} 1\n"},
	{"the greatest", {{NULL}}, 0, UINT64_MAX, "m 18446744073709551615\n"},
};

static void
expect_text(const char *name, struct buffer *buffer, const char *wanted)
{
	struct span text = buffer_span(buffer);

	if (!span_equals(text, span_from_string(wanted)))
		fail_msg("%s: got\n%.*swanted\n%s", name, SPAN_ARGS(text), wanted);
	buffer_clear(buffer);
}

static void
test_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(counts); i++) {
		struct buffer buffer;
		struct exposition exposition;

		buffer_init(&buffer, 4096);
		exposition_init(&exposition, &buffer);
		exposition.family = "m";
		exposition_count(&exposition, counts[i].labels, counts[i].label_count,
				 counts[i].value);
		assert_int_equal(exposition.status, STATUS_OK);
		expect_text(counts[i].name, &buffer, counts[i].text);
	}
}

static void
test_family(void **state)
{
	struct buffer buffer;
	struct exposition exposition;

	(void)state;
	buffer_init(&buffer, 4096);
	exposition_init(&exposition, &buffer);
	exposition_begin(&exposition, "load_seconds", "gauge", "What it says.");
	exposition_real(&exposition, NULL, 0, 0.125);
	expect_text("family", &buffer,
		    "# HELP load_seconds What it says.\n"
		    "# TYPE load_seconds gauge\n"
		    "load_seconds 0.125\n");
}

static void
test_histogram(void **state)
{
	static const uint32_t bounds[] = {1, 25, 30000};
	static const uint64_t buckets[] = {2, 0, 3, 1};
	const struct histogram histogram = {bounds, 4, buckets, 31500250};
	const struct label label = {"pool", SPAN_INITIALIZER("hubs")};
	struct buffer buffer;
	struct exposition exposition;

	(void)state;
	buffer_init(&buffer, 4096);
	exposition_init(&exposition, &buffer);
	exposition.family = "m_seconds";
	exposition_histogram(&exposition, &label, 1, &histogram);
	expect_text("histogram", &buffer,
		    "m_seconds_bucket{pool=\"hubs\",le=\"0.001\"} 2\n"
		    "m_seconds_bucket{pool=\"hubs\",le=\"0.025\"} 2\n"
		    "m_seconds_bucket{pool=\"hubs\",le=\"30\"} 5\n"
		    "m_seconds_bucket{pool=\"hubs\",le=\"+Inf\"} 6\n"
		    "m_seconds_sum{pool=\"hubs\"} 31.50025\n"
		    "m_seconds_count{pool=\"hubs\"} 6\n");
}

static void
test_full(void **state)
{
	struct buffer buffer;
	struct exposition exposition;

	(void)state;
	buffer_init(&buffer, 8);
	exposition_init(&exposition, &buffer);
	exposition_begin(&exposition, "m", "gauge", "Too long.");
	exposition_count(&exposition, NULL, 0, 1);
	assert_int_equal(exposition.status, STATUS_FULL);
	assert_true(buffer_is_empty(&buffer));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_family),
		cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
