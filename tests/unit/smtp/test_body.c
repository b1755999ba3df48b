#include "body_record.h"
#include "rows.h"

static const struct reading {
	const char *name;
	struct span input;
	struct span output;
	bool ended;
	size_t left; /* bytes behind the end of data */
	uint8_t faults;
} readings[] = {
	{"an empty message", SPAN(".\r\n"), SPAN(""), true, 0, 0},
	{"an empty line", SPAN("\r\n.\r\n"), SPAN("\r\n"), true, 0, 0},
	{"a line", SPAN("hello\r\n.\r\n"), SPAN("hello\r\n"), true, 0, 0},
	{"a command behind it", SPAN("a\r\n.\r\nQUIT\r\n"), SPAN("a\r\n"), true, 6, 0},
	{"not ended", SPAN("hello\r\nwor"), SPAN("hello\r\nwor"), false, 0, 0},
	{"a CR is held", SPAN("hello\r"), SPAN("hello"), false, 0, 0},
	{"a dot is held", SPAN("hello\r\n."), SPAN("hello\r\n"), false, 0, 0},
	{"a dot and a CR are held", SPAN("a\r\n.\r"), SPAN("a\r\n"), false, 0, 0},
	{"stuffed dots pass", SPAN("..\r\n...a\r\n.\r\n"), SPAN("..\r\n...a\r\n"), true,
	 0, 0},
	{"a dot that a client forgot to stuff passes", SPAN("\r\n.a\r\n.\r\n"),
	 SPAN("\r\n.a\r\n"), true, 0, 0},
	{"dots in a line", SPAN("a.\r\nb.c\r\n.\r\n"), SPAN("a.\r\nb.c\r\n"), true, 0,
	 0},
	{"a bare LF", SPAN("a\nb\r\n.\r\n"), SPAN("a\r\nb\r\n"), true, 0,
	 SMTP_BODY_BARE},
	{"a bare CR", SPAN("a\rb\r\n.\r\n"), SPAN("a\r\nb\r\n"), true, 0,
	 SMTP_BODY_BARE},
	{"a CR too many", SPAN("a\r\r\n.\r\n"), SPAN("a\r\n\r\n"), true, 0,
	 SMTP_BODY_BARE},
	{"LF before CR", SPAN("a\n\rb\r\n.\r\n"), SPAN("a\r\n\r\nb\r\n"), true, 0,
	 SMTP_BODY_BARE},
	{"a NUL", SPAN("a\0b\r\n.\r\n"), SPAN("a\0b\r\n"), true, 0, SMTP_BODY_NUL},
	{"LF . LF", SPAN("a\n.\nb\r\n.\r\n"), SPAN("a\r\n..\r\nb\r\n"), true, 0,
	 SMTP_BODY_BARE},
	{"LF . CRLF", SPAN("a\n.\r\nb\r\n.\r\n"), SPAN("a\r\n..\r\nb\r\n"), true, 0,
	 SMTP_BODY_BARE},
	{"LF .. LF", SPAN("a\n..\nb\r\n.\r\n"), SPAN("a\r\n...\r\nb\r\n"), true, 0,
	 SMTP_BODY_BARE},
	{"CRLF . LF", SPAN("a\r\n.\nb\r\n.\r\n"), SPAN("a\r\n..\r\nb\r\n"), true, 0,
	 SMTP_BODY_BARE},
	{"CRLF . CR", SPAN("a\r\n.\rb\r\n.\r\n"), SPAN("a\r\n..\r\nb\r\n"), true, 0,
	 SMTP_BODY_BARE},
	{"CRLF . CR CRLF", SPAN("a\r\n.\r\r\nb\r\n.\r\n"), SPAN("a\r\n..\r\n\r\nb\r\n"),
	 true, 0, SMTP_BODY_BARE},
	{"CR . CR", SPAN("a\r.\rb\r\n.\r\n"), SPAN("a\r\n..\r\nb\r\n"), true, 0,
	 SMTP_BODY_BARE},
	{"CR . CRLF", SPAN("a\r.\r\nb\r\n.\r\n"), SPAN("a\r\n..\r\nb\r\n"), true, 0,
	 SMTP_BODY_BARE},
	{"CRLF NUL . CRLF", SPAN("a\r\n\0.\r\nb\r\n.\r\n"), SPAN("a\r\n\0.\r\nb\r\n"),
	 true, 0, SMTP_BODY_NUL},
	{"CRLF . NUL CRLF", SPAN("a\r\n.\0\r\nb\r\n.\r\n"), SPAN("a\r\n.\0\r\nb\r\n"),
	 true, 0, SMTP_BODY_NUL},
	{"a dot and LF at the start", SPAN(".\n.\r\n"), SPAN("..\r\n..\r\n"), false, 0,
	 SMTP_BODY_BARE},
	{"a dot, CR and dot at the start", SPAN(".\r.\r\n.\r\n"), SPAN("..\r\n..\r\n"),
	 true, 0, SMTP_BODY_BARE},
	{"a real end behind a false one", SPAN("a\n.\r\n.\r\n"), SPAN("a\r\n..\r\n"),
	 true, 0, SMTP_BODY_BARE},
};

static void
assert_record(const struct body_record *record, const struct reading *row)
{
	assert_true(span_equals(record->output, row->output));
	assert_int_equal(record->ended, row->ended);
	assert_int_equal(row->input.length - record->used, row->left);
	assert_int_equal(record->faults, row->faults);
	assert_true(body_record_is_canonical(record));
}

static void
test_reading(void **state)
{
	const struct reading *row = *state;

	for (size_t step = 1; step <= row->input.length; step++) {
		struct body_record record = body_record_read(row->input, step);

		assert_record(&record, row);
		body_record_fini(&record);
	}
}

/* Any such octets may stand around a dot: 40 strings on each side of it. */
#define AROUND "\r\n\0"
#define AROUND_MAX 3
#define AROUND_COUNT 40

/* The nth string over the octets, shorter ones first. */
static struct span
around(size_t number, char text[AROUND_MAX])
{
	size_t length = 0;

	for (size_t count = 1; number >= count; count *= 3, length++)
		number -= count;
	for (size_t i = 0; i < length; i++, number /= 3)
		text[i] = AROUND[number % 3];
	return span_of(text, length);
}

static struct span
append(struct span text, char *storage, struct span more)
{
	memcpy(storage + text.length, more.at, more.length);
	return span_of(storage, text.length + more.length);
}

/* A message with a dot among such octets, then its real end, then a command. */
static struct span
make_false_end(size_t before, size_t after, bool at_start, char storage[64])
{
	char octets[AROUND_MAX];
	struct span text = span_of(storage, 0);

	text = append(text, storage, at_start ? SPAN("") : SPAN("a: b"));
	text = append(text, storage, around(before, octets));
	text = append(text, storage, SPAN("."));
	text = append(text, storage, around(after, octets));
	return append(text, storage, SPAN("MAIL\r\n.\r\nQUIT\r\n"));
}

static void
print_octets(struct span text)
{
	print_error("%zu octets:", text.length);
	for (size_t i = 0; i < text.length; i++)
		print_error(" %02x", (unsigned char)text.at[i]);
	print_error("\n");
}

static void
assert_ends_where_it_should(struct span input, size_t step)
{
	struct body_record record = body_record_read(input, step);
	bool right = record.ended && record.used == body_end_of(input) &&
		     body_record_is_canonical(&record);

	if (!right)
		print_octets(input);
	body_record_fini(&record);
	assert_true(right);
}

static void
test_no_false_end_is_taken(void **state)
{
	char storage[64];

	(void)state;
	for (size_t i = 0; i < 2 * AROUND_COUNT * AROUND_COUNT; i++) {
		struct span input = make_false_end(
			i / 2 % AROUND_COUNT, i / 2 / AROUND_COUNT, i % 2, storage);

		for (size_t step = 1; step <= input.length; step++)
			assert_ends_where_it_should(input, step);
	}
}

/* Lines of all lengths up to three windows, some with stuffed dots. */
static struct span
make_clean(char *storage)
{
	struct span text = span_of(storage, 0);

	for (size_t length = 0; length < 1600; length += 13) {
		memset(storage + text.length, 'x', length);
		memset(storage + text.length, '.', length / 13 % 3 == 2 ? 2 : 0);
		text.length += length;
		text = append(text, storage, SPAN("\r\n"));
	}
	return text;
}

static char clean[128 * 1024];

static void
test_clean_input_comes_back_in_one_piece(void **state)
{
	struct span input = make_clean(clean);
	struct body_record record = body_record_read(input, input.length);

	(void)state;
	assert_true(span_equals(record.output, input));
	assert_int_equal(record.pieces, 1);
	assert_int_equal(record.faults, 0);
	body_record_fini(&record);
}

static void
test_clean_input_survives_any_cut(void **state)
{
	struct span input = append(make_clean(clean), clean, SMTP_BODY_END);
	static const size_t steps[] = {1, 2, 3, 5, 511, 512, 513, 1460};

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct body_record record = body_record_read(input, steps[i]);

		assert_true(record.ended);
		assert_true(
			span_equals(record.output, span_take(input, input.length - 3)));
		body_record_fini(&record);
	}
}

/* A long line of text with something in it, and enough behind it to be looked at. */
static struct span
make_long(char *storage, size_t before, struct span odd)
{
	struct span text = span_of(storage, before);

	memset(storage, 'x', before);
	text = append(text, storage, odd);
	memset(storage + text.length, 'y', 700);
	text.length += 700;
	return append(text, storage, SPAN("\r\n.\r\n"));
}

/* Octets are looked at in blocks; none is overlooked where one ends. */
static void
test_oddities_are_found_at_every_place(void **state)
{
	static const struct span oddities[] = {
		SPAN_INITIALIZER("\r"),        SPAN_INITIALIZER("\n"),
		SPAN_INITIALIZER("\r\n"),      SPAN_INITIALIZER("\n\r"),
		SPAN_INITIALIZER("\r\n."),     SPAN_INITIALIZER("\n.\r\n"),
		SPAN_INITIALIZER("\r\n.\r\n"), SPAN_INITIALIZER("\0"),
	};

	(void)state;
	for (size_t before = 0; before < 600; before++) {
		for (size_t i = 0; i < sizeof(oddities) / sizeof(oddities[0]); i++) {
			struct span input = make_long(clean, before, oddities[i]);
			struct body_record whole =
				body_record_read(input, input.length);
			struct body_record bytewise = body_record_read(input, 1);

			assert_true(body_record_equals(&whole, &bytewise));
			assert_true(body_record_is_canonical(&whole));
			body_record_fini(&whole);
			body_record_fini(&bytewise);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_oddities_are_found_at_every_place),
		cmocka_unit_test(test_no_false_end_is_taken),
		cmocka_unit_test(test_clean_input_comes_back_in_one_piece),
		cmocka_unit_test(test_clean_input_survives_any_cut),
	};

	return ROWS_RUN(readings, test_reading) +
	       cmocka_run_group_tests_name("bodies", tests, NULL, NULL);
}
