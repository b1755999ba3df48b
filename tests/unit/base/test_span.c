#include "base/span.h"
#include "rows.h"

#include "base/status.h"

static const struct cut {
	const char *name;
	const char *text;
	const char *head;
	const char *rest;
} cuts[] = {
	{"at the separator", "a=b", "a", "b"},
	{"at the first separator", "a=b=c", "a", "b=c"},
	{"without a separator", "abc", "abc", ""},
	{"separator first", "=b", "", "b"},
	{"separator last", "a=", "a", ""},
	{"empty", "", "", ""},
};

static void
test_cut(void **state)
{
	const struct cut *row = *state;
	struct span rest = span_from_string(row->text);
	struct span head = span_cut(&rest, '=');

	assert_true(span_equals(head, span_from_string(row->head)));
	assert_true(span_equals(rest, span_from_string(row->rest)));
}

static const struct trim {
	const char *name;
	const char *text;
	const char *trimmed;
} trims[] = {
	{"nothing to trim", "a b", "a b"},
	{"both ends", " \ta b\t ", "a b"},
	{"blanks alone", " \t ", ""},
	{"line ends stay", "a\r\n", "a\r\n"},
	{"empty", "", ""},
};

static void
test_trim(void **state)
{
	const struct trim *row = *state;
	struct span trimmed = span_trim(span_from_string(row->text));

	assert_true(span_equals(trimmed, span_from_string(row->trimmed)));
}

static void
null_spans_are_empty(void **state)
{
	struct span nothing = {0};

	(void)state;
	assert_true(span_is_empty(span_skip(nothing, 10)));
	assert_true(span_is_empty(span_take(nothing, 10)));
	assert_true(span_is_empty(span_cut(&nothing, 'x')));
	assert_true(span_equals(nothing, SPAN("")));
	assert_true(span_starts(nothing, SPAN("")));
	assert_int_equal(span_find(nothing, 'x'), SPAN_NOWHERE);
	assert_int_equal(span_find_last(nothing, 'x'), SPAN_NOWHERE);
}

static void
comparison(void **state)
{
	(void)state;
	assert_true(span_equals_nocase(SPAN("MAIL"), SPAN("mail")));
	assert_false(span_equals_nocase(SPAN("MAIL"), SPAN("mai")));
	assert_false(span_equals(SPAN("MAIL"), SPAN("mail")));
	assert_true(span_starts_nocase(SPAN("from:<a>"), SPAN("FROM:")));
	assert_false(span_starts(SPAN("from:"), SPAN("FROM:")));
	assert_false(span_starts(SPAN("fr"), SPAN("from")));
}

static void
finding(void **state)
{
	(void)state;
	assert_int_equal(span_find(SPAN("a@b@c"), '@'), 1);
	assert_int_equal(span_find_last(SPAN("a@b@c"), '@'), 3);
	assert_int_equal(span_find(SPAN("abc"), '@'), SPAN_NOWHERE);
}

static void
every_status_has_a_name(void **state)
{
	(void)state;
	for (enum status status = STATUS_OK; status < STATUS_COUNT; status++)
		assert_non_null(status_name(status));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(null_spans_are_empty),
		cmocka_unit_test(comparison),
		cmocka_unit_test(finding),
		cmocka_unit_test(every_status_has_a_name),
	};

	return ROWS_RUN(cuts, test_cut) + ROWS_RUN(trims, test_trim) +
	       cmocka_run_group_tests_name("span", tests, NULL, NULL);
}
