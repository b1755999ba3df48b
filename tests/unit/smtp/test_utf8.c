#include "rows.h"
#include "smtp/utf8.h"

static const struct row {
	const char *name;
	struct span text;
	size_t length; /* of the character at the front; 0: none */
} rows[] = {
	{"ASCII", SPAN("ab"), 1},
	{"a NUL", SPAN("\0"), 1},
	{"the last of one octet", SPAN("\x7f"), 1},
	{"the first of two", SPAN("\xc2\x80"), 2},
	{"the last of two", SPAN("\xdf\xbf"), 2},
	{"the first of three", SPAN("\xe0\xa0\x80"), 3},
	{"below the surrogates", SPAN("\xed\x9f\xbf"), 3},
	{"above the surrogates", SPAN("\xee\x80\x80"), 3},
	{"the last of three", SPAN("\xef\xbf\xbf"), 3},
	{"the first of four", SPAN("\xf0\x90\x80\x80"), 4},
	{"the last of four", SPAN("\xf4\x8f\xbf\xbf"), 4},
	{"nothing", SPAN(""), 0},
	{"a continuation alone", SPAN("\x80"), 0},
	{"overlong, two octets", SPAN("\xc1\xbf"), 0},
	{"overlong, three octets", SPAN("\xe0\x9f\xbf"), 0},
	{"overlong, four octets", SPAN("\xf0\x8f\xbf\xbf"), 0},
	{"the first surrogate", SPAN("\xed\xa0\x80"), 0},
	{"the last surrogate", SPAN("\xed\xbf\xbf"), 0},
	{"above the last", SPAN("\xf4\x90\x80\x80"), 0},
	{"five octets", SPAN("\xf8\x88\x80\x80\x80"), 0},
	{"0xff", SPAN("\xff"), 0},
	{"two octets cut off", SPAN("\xc3"), 0},
	{"three octets cut off", SPAN("\xe2\x82"), 0},
	{"a second octet of ASCII", SPAN("\xc3z"), 0},
	{"a last octet of ASCII", SPAN("\xf0\x90\x80z"), 0},
};

static void
test_character(void **state)
{
	const struct row *row = *state;

	assert_int_equal(utf8_character_length(row->text), row->length);
}

static void
test_text(void **state)
{
	(void)state;
	assert_true(utf8_is_valid(SPAN("")));
	assert_true(utf8_is_valid(SPAN("a\xc3\xb6\xe2\x82\xac\xf0\x9f\x93\xa7z")));
	assert_false(utf8_is_valid(SPAN("a\xc3\xb6\xe2\x82")));
	assert_false(utf8_is_valid(SPAN("a\xffz")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
	};

	return ROWS_RUN(rows, test_character) +
	       cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
