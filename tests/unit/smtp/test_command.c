#include "rows.h"
#include "smtp/command.h"

static const struct reading {
	const char *name;
	struct span line;
	bool valid;
	enum smtp_verb verb;
	struct span word;
	struct span argument;
} readings[] = {
	{"EHLO", SPAN("EHLO mx.test"), true, SMTP_EHLO, SPAN("EHLO"), SPAN("mx.test")},
	{"lower case", SPAN("helo mx"), true, SMTP_HELO, SPAN("helo"), SPAN("mx")},
	{"LHLO", SPAN("LHLO mx"), true, SMTP_LHLO, SPAN("LHLO"), SPAN("mx")},
	{"no argument", SPAN("DATA"), true, SMTP_DATA, SPAN("DATA"), SPAN("")},
	{"blanks around the argument", SPAN("NOOP   a  b  "), true, SMTP_NOOP,
	 SPAN("NOOP"), SPAN("a  b")},
	{"blanks instead of one", SPAN("QUIT   "), true, SMTP_QUIT, SPAN("QUIT"),
	 SPAN("")},
	{"MAIL", SPAN("MAIL FROM:<a@b> SIZE=1"), true, SMTP_MAIL, SPAN("MAIL"),
	 SPAN("<a@b> SIZE=1")},
	{"RCPT", SPAN("RCPT TO:<a@b>"), true, SMTP_RCPT, SPAN("RCPT"), SPAN("<a@b>")},
	{"FROM in mixed case", SPAN("mail From:<>"), true, SMTP_MAIL, SPAN("mail"),
	 SPAN("<>")},
	{"blanks around FROM", SPAN("MAIL  FROM:  <a@b>"), true, SMTP_MAIL,
	 SPAN("MAIL"), SPAN("<a@b>")},
	{"MAIL alone", SPAN("MAIL"), true, SMTP_MAIL, SPAN("MAIL"), SPAN("")},
	{"MAIL without FROM", SPAN("MAIL <a@b>"), true, SMTP_MAIL, SPAN("MAIL"),
	 SPAN("")},
	{"MAIL with TO", SPAN("MAIL TO:<a@b>"), true, SMTP_MAIL, SPAN("MAIL"),
	 SPAN("")},
	{"RCPT with FROM", SPAN("RCPT FROM:<a>"), true, SMTP_RCPT, SPAN("RCPT"),
	 SPAN("")},
	{"FROM without its colon", SPAN("MAIL FROM <a@b>"), true, SMTP_MAIL,
	 SPAN("MAIL"), SPAN("")},
	{"MAIL glued to FROM", SPAN("MAILFROM:<a@b>"), true, SMTP_UNKNOWN,
	 SPAN("MAILFROM:<a@b>"), SPAN("")},
	{"a verb that begins as another", SPAN("DATAX"), true, SMTP_UNKNOWN,
	 SPAN("DATAX"), SPAN("")},
	{"half a verb", SPAN("DAT"), true, SMTP_UNKNOWN, SPAN("DAT"), SPAN("")},
	{"nothing", SPAN(""), true, SMTP_UNKNOWN, SPAN(""), SPAN("")},
	{"a blank before the verb", SPAN(" QUIT"), true, SMTP_UNKNOWN, SPAN(""),
	 SPAN("QUIT")},
	{"octets above 0x7f", SPAN("EHLO \xc3\xa4"), true, SMTP_EHLO, SPAN("EHLO"),
	 SPAN("\xc3\xa4")},
	{"XCLIENT", SPAN("XCLIENT ADDR=::1"), true, SMTP_XCLIENT_COMMAND,
	 SPAN("XCLIENT"), SPAN("ADDR=::1")},
	{"a NUL", SPAN("QUIT\0"), false, SMTP_UNKNOWN, SPAN(""), SPAN("")},
	{"a bare CR", SPAN("RCPT TO:<a@b>\rRCPT TO:<c@d>"), false, SMTP_UNKNOWN,
	 SPAN(""), SPAN("")},
	{"a bare LF", SPAN("NOOP\nQUIT"), false, SMTP_UNKNOWN, SPAN(""), SPAN("")},
	{"a tab", SPAN("EHLO\tmx"), false, SMTP_UNKNOWN, SPAN(""), SPAN("")},
	{"a delete", SPAN("EHLO m\x7fx"), false, SMTP_UNKNOWN, SPAN(""), SPAN("")},
};

static void
test_reading(void **state)
{
	const struct reading *row = *state;
	struct smtp_command command;

	assert_int_equal(smtp_command_read(row->line, &command), row->valid);
	if (!row->valid)
		return;
	assert_int_equal(command.verb, row->verb);
	assert_true(span_equals(command.word, row->word));
	assert_true(span_equals(command.argument, row->argument));
}

static void
test_a_missing_path_is_null(void **state)
{
	struct smtp_command command;

	(void)state;
	assert_true(smtp_command_read(SPAN("MAIL FROM"), &command));
	assert_null(command.argument.at);
	assert_true(smtp_command_read(SPAN("MAIL FROM:"), &command));
	assert_non_null(command.argument.at);
}

static void
test_every_verb_is_found_by_its_name(void **state)
{
	struct smtp_command command;

	(void)state;
	for (enum smtp_verb verb = 0; verb < SMTP_UNKNOWN; verb++) {
		assert_true(smtp_command_read(smtp_verb_name(verb), &command));
		assert_int_equal(command.verb, verb);
	}
	assert_true(span_equals(smtp_verb_name(SMTP_UNKNOWN), SPAN("-")));
}

static const struct opening {
	const char *name;
	struct span bytes;
	bool foreign;
} openings[] = {
	{"a GET", SPAN("GET / HTTP/1.1\r\n"), true},
	{"a POST", SPAN("POST /x"), true},
	{"a CONNECT", SPAN("CONNECT mx:25 HTTP/1.1\r\n"), true},
	{"an HTTP/2 preface", SPAN("PRI * HTTP/2.0\r\n"), true},
	{"a TLS hello", SPAN("\x16\x03\x01\x02"), true},
	{"the first octet of a TLS hello", SPAN("\x16"), true},
	{"half a GET", SPAN("GET"), false},
	{"nothing", SPAN(""), false},
	{"an EHLO", SPAN("EHLO mx\r\n"), false},
	{"a QUIT", SPAN("QUIT\r\n"), false},
	{"a verb that is none", SPAN("GETX \r\n"), false},
};

static void
test_opening(void **state)
{
	const struct opening *row = *state;

	assert_int_equal(smtp_command_is_foreign(row->bytes), row->foreign);
}

static const struct chunk {
	const char *name;
	const char *argument;
	bool valid;
	uint64_t size;
	bool last;
} chunks[] = {
	{"a chunk", "1000", true, 1000, false},
	{"the last", "1000 LAST", true, 1000, true},
	{"the last in lower case", "1000 last", true, 1000, true},
	{"two blanks", "1000  LAST", true, 1000, true},
	{"nothing but the end", "0 LAST", true, 0, true},
	{"leading zeros", "0007", true, 7, false},
	{"19 digits", "9999999999999999999", true, UINT64_C(9999999999999999999),
	 false},
	{"20 digits", "10000000000000000000", false, 0, false},
	{"20 digits with zeros", "00000000000000000001", false, 0, false},
	{"no size", "", false, 0, false},
	{"LAST alone", "LAST", false, 0, false},
	{"a minus sign", "-1", false, 0, false},
	{"a plus sign", "+1", false, 0, false},
	{"hexadecimal", "0x10", false, 0, false},
	{"another word", "10 FIRST", false, 0, false},
	{"words behind LAST", "10 LAST x", false, 0, false},
	{"LAST glued to the size", "10LAST", false, 0, false},
};

static void
test_chunk(void **state)
{
	const struct chunk *row = *state;
	uint64_t size = 0;
	bool last = false;

	assert_int_equal(
		smtp_command_read_chunk(span_from_string(row->argument), &size, &last),
		row->valid);
	if (!row->valid)
		return;
	assert_int_equal(size, row->size);
	assert_int_equal(last, row->last);
}

static char long_name[256];

static const struct hello {
	const char *name;
	struct span hello;
	bool valid;
} hellos[] = {
	{"a domain", SPAN("mx.example.com"), true},
	{"a single label", SPAN("localhost"), true},
	{"underscores", SPAN("my_pc.local"), true},
	{"an IPv4 literal", SPAN("[192.0.2.1]"), true},
	{"an IPv6 literal", SPAN("[IPv6:2001:db8::1]"), true},
	{"an address without brackets", SPAN("192.0.2.1"), true},
	{"UTF-8",
	 SPAN("b\xc3\xbc"
	      "cher.example"),
	 true},
	{"255 bytes", {long_name, 255}, true},
	{"256 bytes", {long_name, 256}, false},
	{"nothing", SPAN(""), false},
	{"a blank", SPAN("my pc"), false},
	{"a control octet", SPAN("a\x1b[31m"), false},
	{"a NUL", SPAN("a\0b"), false},
	{"a delete", SPAN("a\x7f"), false},
	{"a lone octet above 0x7f", SPAN("caf\xe9"), false},
	{"an overlong form", SPAN("a\xc0\xafz"), false},
	{"a surrogate", SPAN("\xed\xa0\x80"), false},
	{"above U+10FFFF", SPAN("\xf4\x90\x80\x80"), false},
	{"a character cut off", SPAN("a\xe2\x82"), false},
};

static void
test_hello(void **state)
{
	const struct hello *row = *state;

	assert_int_equal(smtp_command_hello_is_valid(row->hello), row->valid);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_missing_path_is_null),
		cmocka_unit_test(test_every_verb_is_found_by_its_name),
	};

	memset(long_name, 'a', sizeof(long_name));
	return ROWS_RUN(readings, test_reading) + ROWS_RUN(openings, test_opening) +
	       ROWS_RUN(chunks, test_chunk) + ROWS_RUN(hellos, test_hello) +
	       cmocka_run_group_tests_name("commands", tests, NULL, NULL);
}
