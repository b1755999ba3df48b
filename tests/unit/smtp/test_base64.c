#include "rows.h"
#include "smtp/base64.h"

#include <string.h>

static const struct row {
	const char *name;
	struct span text;
	struct span octets;
} rows[] = {
	{"nothing", SPAN(""), SPAN("")},
	{"one octet", SPAN("Zg=="), SPAN("f")},
	{"two octets", SPAN("Zm8="), SPAN("fo")},
	{"three octets", SPAN("Zm9v"), SPAN("foo")},
	{"six octets", SPAN("Zm9vYmFy"), SPAN("foobar")},
	{"each kind of digit", SPAN("AZaz09+/"), SPAN("\x01\x96\xb3\xd3\xdf\xbf")},
	{"NUL", SPAN("AAAA"), SPAN("\0\0\0")},
	{"0xff", SPAN("/w=="), SPAN("\xff")},
};

static void
test_both_ways(void **state)
{
	const struct row *row = *state;
	char room[16];
	size_t length;

	assert_true(base64_is_valid(row->text));
	assert_true(base64_decode(row->text, room, &length));
	assert_true(span_equals(span_of(room, length), row->octets));
	assert_int_equal(BASE64_ENCODED(row->octets.length), row->text.length);
	base64_encode(row->octets, room);
	assert_true(span_equals(span_of(room, row->text.length), row->text));
}

static const struct bad {
	const char *name;
	struct span text;
} bads[] = {
	{"no whole group", SPAN("Zm9")},
	{"a digit too many", SPAN("Zm9vY")},
	{"padding alone", SPAN("=")},
	{"a group of padding", SPAN("====")},
	{"three of padding", SPAN("Z===")},
	{"padding in the middle", SPAN("Zg==Zm9v")},
	{"a digit behind padding", SPAN("Zg=v")},
	{"bits left over by one octet", SPAN("Zh==")},
	{"bits left over by two octets", SPAN("Zm9=")},
	{"a blank", SPAN("Zm 9")},
	{"a blank at the end", SPAN("Zm9vYmE ")},
	{"a NUL", SPAN("Zm9\0")},
	{"the URL's alphabet", SPAN("-_-_")},
	{"8-bit", SPAN("Zm9\xc3")},
	{"below the letters", SPAN("@@@@")},
	{"between the letters", SPAN("[[[[")},
	{"below the small letters", SPAN("````")},
	{"above the small letters", SPAN("{{{{")},
	{"above the numbers", SPAN("::::")},
};

static void
test_refused(void **state)
{
	const struct bad *row = *state;
	char room[16];
	size_t length;

	assert_false(base64_is_valid(row->text));
	assert_false(base64_decode(row->text, room, &length));
}

int
main(void)
{
	return ROWS_RUN(rows, test_both_ways) + ROWS_RUN(bads, test_refused);
}
