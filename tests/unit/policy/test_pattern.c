/* Patterns of stars, and what they match. */
#include "policy/pattern.h"
#include "rows.h"

static const struct row {
	const char *name;
	const char *pattern;
	const char *text;
	bool matches;
} rows[] = {
	{"the same", "mx.example.net", "mx.example.net", true},
	{"the same in another case", "MX.Example.net", "mx.eXAMPLE.NET", true},
	{"another", "mx.example.net", "mx.example.org", false},
	{"less", "mx.example.net", "mx.example", false},
	{"more", "mx.example", "mx.example.net", false},
	{"nothing is nothing", "", "", true},
	{"nothing is not something", "", "a", false},
	{"a star is anything", "*", "mx.example.net", true},
	{"a star is nothing", "*", "", true},
	{"a star in front", "*.example.net", "a.b.example.net", true},
	{"a star in front, of nothing", "*.example.net", ".example.net", true},
	{"a star in front, and the dot", "*.example.net", "example.net", false},
	{"a star behind", "ann@*", "ann@example.net", true},
	{"a star behind, of another", "ann@*", "bob@example.net", false},
	{"a star between", "a*z", "abcz", true},
	{"a star between, too early an end", "a*z", "azb", false},
	{"the end stands twice", "*ab", "abab", true},
	{"two stars", "a*b*c", "a-b-b-c", true},
	{"two stars, in the wrong order", "a*b*c", "a-c-b", false},
	{"stars side by side", "a**c", "ac", true},
	{"a star at the end, of nothing", "ac*", "ac", true},
	{"one octet", "mx?", "mx1", true},
	{"one octet and none there", "mx?", "mx", false},
	{"one octet and two there", "mx?", "mx12", false},
	{"a star of one at least", "mx?*", "mx", false},
	{"a star in the text is an octet", "a*c", "a*c", true},
	{"octets above 127", "*\xc3\xa9", "caf\xc3\xa9", true},
};

static void
test_match(void **state)
{
	const struct row *row = *state;

	assert_int_equal(pattern_matches(span_from_string(row->pattern),
					 span_from_string(row->text)),
			 row->matches);
}

static const struct cover {
	const char *name;
	const char *pattern;
	const char *other;
	bool covers;
} covers[] = {
	{"all of one", "*", "ann", true},
	{"all of all", "*", "*", true},
	{"one of all", "ann", "*", false},
	{"a domain of one below it", "*.net", "*.example.net", true},
	{"one below a domain of it", "*.example.net", "*.net", false},
	{"the same", "a?c*", "A?c*", true},
	{"one octet of a star", "a?c", "a*c", false},
	{"one octet of an octet", "a?c", "abc", true},
};

static void
test_cover(void **state)
{
	const struct cover *row = *state;

	assert_int_equal(pattern_covers(span_from_string(row->pattern),
					span_from_string(row->other)),
			 row->covers);
}

static void
all_is_stars_alone(void **state)
{
	(void)state;
	assert_true(pattern_matches_all(SPAN("*")));
	assert_true(pattern_matches_all(SPAN("**")));
	assert_false(pattern_matches_all(SPAN("")));
	assert_false(pattern_matches_all(SPAN("*?")));
}

static void
a_set_matches_what_any_does(void **state)
{
	const struct span patterns[] = {SPAN("ann"), SPAN("*@example.net")};
	const struct pattern_set set = {patterns, 2};
	const struct pattern_set none = {0};

	(void)state;
	assert_true(pattern_set_matches(&set, SPAN("Ann")));
	assert_true(pattern_set_matches(&set, SPAN("bob@example.net")));
	assert_false(pattern_set_matches(&set, SPAN("bob")));
	assert_false(pattern_set_matches_all(&set));
	assert_false(pattern_set_matches(&none, SPAN("")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_is_stars_alone),
		cmocka_unit_test(a_set_matches_what_any_does),
	};

	return ROWS_RUN(rows, test_match) + ROWS_RUN(covers, test_cover) +
	       cmocka_run_group_tests_name("pattern", tests, NULL, NULL);
}
