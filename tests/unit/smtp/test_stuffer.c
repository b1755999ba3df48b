#include "body_record.h"
#include "rows.h"

static const struct stuffing {
	const char *name;
	struct span input;
	struct span output;
	uint8_t faults;
} stuffings[] = {
	{"nothing", SPAN(""), SPAN(""), 0},
	{"a line", SPAN("hello\r\n"), SPAN("hello\r\n"), 0},
	{"an unfinished line", SPAN("hello"), SPAN("hello\r\n"), 0},
	{"a line that ends in CR", SPAN("hello\r"), SPAN("hello\r\n"), SMTP_BODY_BARE},
	{"a line that ends in LF", SPAN("hello\n"), SPAN("hello\r\n"), SMTP_BODY_BARE},
	{"a dot alone", SPAN("."), SPAN("..\r\n"), 0},
	{"a line of one dot", SPAN(".\r\n"), SPAN("..\r\n"), 0},
	{"two dots", SPAN("a\r\n..\r\n"), SPAN("a\r\n...\r\n"), 0},
	{"the end of data", SPAN("a\r\n.\r\nb"), SPAN("a\r\n..\r\nb\r\n"), 0},
	{"a dot behind a bare LF", SPAN("a\n.\nb\r\n"), SPAN("a\r\n..\r\nb\r\n"),
	 SMTP_BODY_BARE},
	{"a dot behind a bare CR", SPAN("a\r.\rb\r\n"), SPAN("a\r\n..\r\nb\r\n"),
	 SMTP_BODY_BARE},
	{"dots in a line", SPAN("a.b..\r\n"), SPAN("a.b..\r\n"), 0},
	{"a CR too many", SPAN("a\r\r\nb"), SPAN("a\r\n\r\nb\r\n"), SMTP_BODY_BARE},
	{"an empty line at the end", SPAN("a\r\n\r\n"), SPAN("a\r\n\r\n"), 0},
	{"a NUL", SPAN("a\0b\r\n"), SPAN("a\0b\r\n"), SMTP_BODY_NUL},
};

static void
test_stuffing(void **state)
{
	const struct stuffing *row = *state;

	for (size_t step = 1; step <= row->input.length + 1; step++) {
		struct body_record record = body_record_stuff(row->input, step);

		assert_true(span_equals(record.output, row->output));
		assert_int_equal(record.faults, row->faults);
		assert_true(body_record_is_canonical(&record));
		body_record_fini(&record);
	}
}

static void
test_more_input_is_asked_for(void **state)
{
	struct smtp_body_stuffer stuffer = {0};
	struct span input = SPAN("a\r\n");
	struct span piece;

	(void)state;
	assert_int_equal(smtp_body_stuff(&stuffer, &input, false, &piece),
			 SMTP_BODY_PIECE);
	assert_int_equal(smtp_body_stuff(&stuffer, &input, false, &piece),
			 SMTP_BODY_MORE);
	assert_int_equal(smtp_body_stuff(&stuffer, &input, true, &piece),
			 SMTP_BODY_ENDED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_more_input_is_asked_for),
	};

	return ROWS_RUN(stuffings, test_stuffing) +
	       cmocka_run_group_tests_name("stuffing", tests, NULL, NULL);
}
