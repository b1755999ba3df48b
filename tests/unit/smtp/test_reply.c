#include "rows.h"
#include "smtp/reply.h"

#define BROKEN 0u
#define MORE 1u

static const struct reading {
	const char *name;
	struct span input;
	unsigned code;    /* or BROKEN, MORE */
	struct span text; /* of the reply */
	size_t left;      /* bytes behind it */
} readings[] = {
	{"one line", SPAN("250 ok\r\n"), 250, SPAN("250 ok"), 0},
	{"a code alone", SPAN("250\r\n"), 250, SPAN("250"), 0},
	{"a code and a blank", SPAN("250 \r\n"), 250, SPAN("250 "), 0},
	{"several lines", SPAN("250-a\r\n250-\r\n250 b\r\n"), 250,
	 SPAN("250-a\r\n250-\r\n250 b"), 0},
	{"a code alone ends several lines", SPAN("250-a\r\n250\r\n"), 250,
	 SPAN("250-a\r\n250"), 0},
	{"what follows stays", SPAN("354 go\r\n250 x"), 354, SPAN("354 go"), 5},
	{"octets above 0x7f", SPAN("550 \xff\xe4\r\n"), 550, SPAN("550 \xff\xe4"), 0},
	{"the smallest code", SPAN("200 \r\n"), 200, SPAN("200 "), 0},
	{"the largest code", SPAN("559 \r\n"), 559, SPAN("559 "), 0},
	{"nothing", SPAN(""), MORE, SPAN(""), 0},
	{"half a line", SPAN("250 o"), MORE, SPAN(""), 5},
	{"a line without its LF", SPAN("250 ok\r"), MORE, SPAN(""), 7},
	{"the last line is missing", SPAN("250-a\r\n250-b\r\n"), MORE, SPAN(""), 14},
	{"a bare LF", SPAN("250 ok\n"), BROKEN, SPAN(""), 0},
	{"a bare LF before the end", SPAN("250-a\n250 b\r\n"), BROKEN, SPAN(""), 0},
	{"a bare CR splits a reply", SPAN("550 no\r250 yes\r\n"), BROKEN, SPAN(""), 0},
	{"a CR too many", SPAN("250 ok\r\r\n"), BROKEN, SPAN(""), 0},
	{"a NUL", SPAN("250 o\0k\r\n"), BROKEN, SPAN(""), 0},
	{"an empty line", SPAN("\r\n"), BROKEN, SPAN(""), 0},
	{"two digits", SPAN("25 ok\r\n"), BROKEN, SPAN(""), 0},
	{"four digits", SPAN("2500 ok\r\n"), BROKEN, SPAN(""), 0},
	{"no digits", SPAN("+OK ready\r\n"), BROKEN, SPAN(""), 0},
	{"a first digit of 1", SPAN("150 ok\r\n"), BROKEN, SPAN(""), 0},
	{"a first digit of 6", SPAN("650 ok\r\n"), BROKEN, SPAN(""), 0},
	{"a second digit of 6", SPAN("260 ok\r\n"), BROKEN, SPAN(""), 0},
	{"neither blank nor hyphen", SPAN("250+ok\r\n"), BROKEN, SPAN(""), 0},
	{"a tab instead of the blank", SPAN("250\tok\r\n"), BROKEN, SPAN(""), 0},
	{"a changed code", SPAN("250-a\r\n550 b\r\n"), BROKEN, SPAN(""), 0},
	{"a second line without a code", SPAN("250-a\r\nb\r\n"), BROKEN, SPAN(""), 0},
	{"a blank before the code", SPAN(" 250 ok\r\n"), BROKEN, SPAN(""), 0},
};

static unsigned
read_reply(struct smtp_reply_reader *reader, struct span *input, struct span *text)
{
	struct smtp_reply reply;

	switch (smtp_reply_read(reader, input, &reply)) {
	case SMTP_REPLY_COMPLETE:
		*text = reply.text;
		return reply.code;
	case SMTP_REPLY_MORE:
		return MORE;
	default:
		return BROKEN;
	}
}

/* As it comes from a slow server: again and again, a byte longer each time. */
static unsigned
read_bytewise(struct span input, struct span *text)
{
	struct smtp_reply_reader reader = {0};
	unsigned result = MORE;

	for (size_t length = 0; length <= input.length && result == MORE; length++) {
		struct span grown = span_take(input, length);

		result = read_reply(&reader, &grown, text);
	}
	return result;
}

static void
test_reading(void **state)
{
	const struct reading *row = *state;
	struct smtp_reply_reader reader = {0};
	struct span rest = row->input;
	struct span text = SPAN("");

	assert_int_equal(read_reply(&reader, &rest, &text), row->code);
	assert_true(span_equals(text, row->text));
	if (row->code != BROKEN)
		assert_int_equal(rest.length, row->left);
	text = SPAN("");
	assert_int_equal(read_bytewise(row->input, &text), row->code);
	assert_true(span_equals(text, row->text));
}

/* A reply of so many lines, each of so many bytes with its CRLF. */
static const struct limit {
	const char *name;
	size_t lines;
	size_t bytes;
	bool ended; /* the last line is the last of the reply */
	unsigned code;
} limits[] = {
	{"the longest line", 1, 4096, true, 250},
	{"a line too long", 1, 4097, true, BROKEN},
	{"as many lines as may be", 100, 10, true, 250},
	{"a line too many", 101, 10, true, BROKEN},
	{"lines without end", 101, 10, false, BROKEN},
	{"as many bytes as may be", 16, 4096, true, 250},
	{"too many bytes", 17, 4000, true, BROKEN},
	{"bytes without end", 16, 4096, false, BROKEN},
	{"not yet without end", 15, 4096, false, MORE},
};

static char long_reply[128 * 1024];

static struct span
make_reply(size_t lines, size_t bytes, bool ended)
{
	char *to = long_reply;

	for (size_t i = 0; i < lines; i++) {
		memset(to, 'x', bytes - 2);
		memcpy(to, ended && i + 1 == lines ? "250 " : "250-", 4);
		memcpy(to + bytes - 2, "\r\n", 2);
		to += bytes;
	}
	return span_of(long_reply, (size_t)(to - long_reply));
}

static void
test_limit(void **state)
{
	const struct limit *row = *state;
	struct smtp_reply_reader reader = {0};
	struct span input = make_reply(row->lines, row->bytes, row->ended);
	struct span rest = input;
	struct span text;

	assert_int_equal(read_reply(&reader, &rest, &text), row->code);
	if (row->bytes < 100) /* bytewise, long lines would take long */
		assert_int_equal(read_bytewise(input, &text), row->code);
}

static const struct printing {
	const char *name;
	struct span text;
	struct span wanted;
} printings[] = {
	{"one line", SPAN("250 2.0.0 Ok"), SPAN("250 2.0.0 Ok\r\n")},
	{"a code alone", SPAN("250"), SPAN("250\r\n")},
	{"several lines", SPAN("550-a\r\n550 b"), SPAN("550-a\r\n550 b\r\n")},
	{"a code alone in between", SPAN("550-a\r\n550-\r\n550 b"),
	 SPAN("550-a\r\n550-\r\n550 b\r\n")},
	{"what is not printable", SPAN("250 a\tb\x1b[31m\x7f\xc3\xa4"),
	 SPAN("250 a?b?[31m???\r\n")},
};

static void
test_printing(void **state)
{
	const struct printing *row = *state;
	struct smtp_reply reply = smtp_reply_of(row->text);
	struct buffer output;

	buffer_init(&output, 1024);
	assert_int_equal(smtp_reply_print(&reply, &output), STATUS_OK);
	assert_true(span_equals(buffer_span(&output), row->wanted));
	buffer_clear(&output);
}

static void
test_printing_cuts_long_lines(void **state)
{
	struct span text = span_take(make_reply(1, 4096, true), 4094);
	struct smtp_reply reply = smtp_reply_of(text);
	struct buffer output;

	(void)state;
	buffer_init(&output, 1024);
	assert_int_equal(smtp_reply_print(&reply, &output), STATUS_OK);
	assert_int_equal(buffer_length(&output), 512);
	assert_true(span_starts(text, span_take(buffer_span(&output), 510)));
	assert_true(span_equals(span_skip(buffer_span(&output), 510), SPAN("\r\n")));
	buffer_clear(&output);
}

static void
test_printing_cuts_many_lines(void **state)
{
	struct span text = make_reply(120, 10, true);
	struct smtp_reply reply = smtp_reply_of(span_take(text, text.length - 2));
	struct buffer output;
	struct span last;

	(void)state;
	buffer_init(&output, 4096);
	assert_int_equal(smtp_reply_print(&reply, &output), STATUS_OK);
	assert_int_equal(buffer_length(&output), 1000);
	last = span_skip(buffer_span(&output), 990);
	assert_true(span_equals(last, SPAN("250 xxxx\r\n")));
	buffer_clear(&output);
}

static void
test_printing_is_all_or_nothing(void **state)
{
	struct smtp_reply reply = SMTP_REPLY("451-4.3.2 one\r\n451 4.3.2 two");
	struct buffer output;

	(void)state;
	buffer_init(&output, 16);
	assert_int_equal(smtp_reply_print(&reply, &output), STATUS_FULL);
	assert_true(buffer_is_empty(&output));
}

static const struct enhanced {
	const char *name;
	const char *text;
	unsigned class, subject, detail;
} enhanced[] = {
	{"a success", "250 2.1.5 Ok", 2, 1, 5},
	{"nothing behind it", "450 4.7.1", 4, 7, 1},
	{"three digits", "550 5.7.606 Access denied", 5, 7, 606},
	{"the first line counts", "550-5.1.1 no\r\n550 5.7.1 such", 5, 1, 1},
	{"a colon behind it", "250 2.0.0: 1a2b3c4d Message accepted", 2, 0, 0},
	{"none", "250 Ok", 0, 0, 0},
	{"no text", "250", 0, 0, 0},
	{"two parts", "250 2.1 Ok", 0, 0, 0},
	{"four parts", "220 2.1.5.1 ready", 0, 0, 0},
	{"four digits", "550 5.1.1234 no", 0, 0, 0},
	{"a class of 3", "354 3.0.0 go", 0, 0, 0},
	{"an empty part", "550 5..1 no", 0, 0, 0},
	{"a word glued to it", "250 2.0.0Ok", 0, 0, 0},
};

static void
test_enhanced(void **state)
{
	const struct enhanced *row = *state;
	struct smtp_reply reply = smtp_reply_of(span_from_string(row->text));
	struct smtp_enhanced found = smtp_reply_enhanced(&reply);

	assert_int_equal(found.class, row->class);
	assert_int_equal(found.subject, row->subject);
	assert_int_equal(found.detail, row->detail);
	assert_int_equal(
		smtp_reply_has_enhanced(&reply, row->class, row->subject, row->detail),
		row->class != 0);
	assert_false(smtp_reply_has_enhanced(&reply, 5, 9, 9));
}

static const struct queue_id {
	const char *name;
	const char *text;
	const char *wanted;
} queue_ids[] = {
	{"Postfix", "250 2.0.0 Ok: queued as 4XyZ0B3cLrz9sRh", "4XyZ0B3cLrz9sRh"},
	{"Postfix, short names", "250 2.0.0 Ok: queued as 1F2A3B4C5D", "1F2A3B4C5D"},
	{"Postfix behind amavisd",
	 "250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 9ACE1",
	 "9ACE1"},
	{"Exim 4.96", "250 OK id=1pXyZ1-0004Qd-2b", "1pXyZ1-0004Qd-2b"},
	{"Exim 4.97", "250 OK id=1rAbCd-00000003QdW-2bcd", "1rAbCd-00000003QdW-2bcd"},
	{"OpenSMTPD", "250 2.0.0 1a2b3c4d Message accepted for delivery", "1a2b3c4d"},
	{"OpenSMTPD 6.8", "250 2.0.0: 1a2b3c4d Message accepted for delivery",
	 "1a2b3c4d"},
	{"Sendmail", "250 2.0.0 4AIJ8Kxy012345 Message accepted for delivery",
	 "4AIJ8Kxy012345"},
	{"Exchange",
	 "250 2.6.0 <a1b2@mail.example> [InternalId=41944, Hostname=EX1.corp.example] "
	 "1834 "
	 "bytes in 0.2, 8 KB/sec Queued mail for delivery",
	 "<a1b2@mail.example>"},
	{"IIS", "250 2.6.0 <EX1abc@mail.example> Queued mail for delivery",
	 "<EX1abc@mail.example>"},
	{"Dovecot LMTP", "250 2.0.0 <bob@b.example> 4Gb3Lk1ZPWU5EQAAX9Q Saved",
	 "4Gb3Lk1ZPWU5EQAAX9Q"},
	{"Haraka", "250 Message Queued (0A1B2C3D-4E5F.1)", "0A1B2C3D-4E5F.1"},
	{"no name", "250 2.0.0 Ok", ""},
	{"no text", "250", ""},
	{"a sentence before the mark", "250 OK Message accepted for delivery", ""},
	{"the mark alone", "250 2.5.0 Message accepted for delivery", ""},
	{"two words before the mark",
	 "250 2.0.0 mail abcdefgh Message accepted for delivery", ""},
	{"nothing behind the mark", "250 2.0.0 Ok: queued as ", ""},
	{"a refusal", "451 4.3.0 not queued as 123456", ""},
	{"no name of control octets", "250 2.0.0 Ok: queued as AB\x1b[31m", "AB"},
};

static void
test_queue_id(void **state)
{
	const struct queue_id *row = *state;
	struct smtp_reply reply = smtp_reply_of(span_from_string(row->text));

	assert_true(span_equals(smtp_reply_queue_id(&reply),
				span_from_string(row->wanted)));
}

static void
test_first_line(void **state)
{
	struct smtp_reply one = SMTP_REPLY("250 one");
	struct smtp_reply two = SMTP_REPLY("550-one\r\n550 two");

	(void)state;
	assert_true(span_equals(smtp_reply_first_line(&one), SPAN("250 one")));
	assert_true(span_equals(smtp_reply_first_line(&two), SPAN("550-one")));
	assert_int_equal(two.code, 550);
}

static const struct status_row {
	const char *name;
	const char *text;
	const char *wanted;
} statuses[] = {
	{"code and text", "250 one", "250"},
	{"a code alone", "250", "250"},
	{"an enhanced code", "535 5.7.8 AUTH PLAIN AGFubgBz", "535 5.7.8"},
	{"the first line's", "535-5.7.8 no\r\n535 5.7.9 no", "535-5.7.8"},
	{"a colon behind it", "250 2.0.0: 1a2b", "250 2.0.0"},
	{"nothing behind it", "450 4.7.1", "450 4.7.1"},
	{"digits that are none", "535 5.7.8AGFubgBz", "535"},
};

static void
test_status(void **state)
{
	const struct status_row *row = *state;
	struct smtp_reply reply = smtp_reply_of(span_from_string(row->text));

	assert_true(
		span_equals(smtp_reply_status(&reply), span_from_string(row->wanted)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_printing_cuts_long_lines),
		cmocka_unit_test(test_printing_cuts_many_lines),
		cmocka_unit_test(test_printing_is_all_or_nothing),
		cmocka_unit_test(test_first_line),
	};

	return ROWS_RUN(readings, test_reading) + ROWS_RUN(limits, test_limit) +
	       ROWS_RUN(printings, test_printing) + ROWS_RUN(enhanced, test_enhanced) +
	       ROWS_RUN(queue_ids, test_queue_id) + ROWS_RUN(statuses, test_status) +
	       cmocka_run_group_tests_name("replies", tests, NULL, NULL);
}
