#include "base/log.h"
#include "rows.h"

#include <stdio.h>

/* What the sink was given last. */
static char caught[8192];

static void
catch_line(struct span line, enum log_level level)
{
	(void)level;
	assert_true(line.length < sizeof(caught));
	memcpy(caught, line.at, line.length);
	caught[line.length] = 0;
}

/* What follows the time, the level and the event; the line feed is cut off. */
static const char *
caught_fields(const char *behind)
{
	char *fields = strstr(caught, behind);
	char *end = strchr(caught, '\n');

	assert_non_null(fields);
	assert_non_null(end);
	assert_int_equal(end[1], 0);
	*end = 0;
	return fields + strlen(behind);
}

static const struct value {
	const char *name;
	struct span value;
	const char *logfmt;
	const char *json;
} values[] = {
	{"a word", {"hub2", 4}, "hub2", "\"hub2\""},
	{"an address", {"ann@a.example", 13}, "ann@a.example", "\"ann@a.example\""},
	{"absent", {NULL, 0}, "-", "null"},
	{"empty", {"", 0}, "-", "null"},
	{"a dash that somebody sent", {"-", 1}, "\"-\"", "\"-\""},
	{"a blank", {"a b", 3}, "\"a b\"", "\"a b\""},
	{"a quote", {"a\"b", 3}, "\"a\\\"b\"", "\"a\\\"b\""},
	{"a backslash", {"a\\b", 3}, "\"a\\\\b\"", "\"a\\\\b\""},
	{"an equals sign", {"a=b", 3}, "\"a=b\"", "\"a=b\""},
	{"a forged line", {"a\nb", 3}, "\"a\\x0ab\"", "\"a\\u000ab\""},
	{"a carriage return", {"\r", 1}, "\"\\x0d\"", "\"\\u000d\""},
	{"a NUL", {"a\0b", 3}, "\"a\\x00b\"", "\"a\\u0000b\""},
	{"a delete", {"\x7f", 1}, "\"\\x7f\"", "\"\\u007f\""},
	{"an escape sequence", {"\033[2J", 4}, "\"\\x1b[2J\"", "\"\\u001b[2J\""},
	{"UTF-8", {"\xc3\xa9", 2}, "\"\\xc3\\xa9\"", "\"\\u00c3\\u00a9\""},
};

static void
log_value(struct span value)
{
	struct log_line line;

	log_begin(&line, LOG_INFO, "test");
	log_span(&line, "key", value);
	log_number(&line, "after", 1);
	log_end(&line);
}

static void
test_value(void **state)
{
	const struct value *row = *state;
	char wanted[64];

	log_set_format(LOG_LOGFMT);
	log_value(row->value);
	snprintf(wanted, sizeof(wanted), "%s after=1", row->logfmt);
	assert_string_equal(caught_fields(" event=test key="), wanted);
	log_set_format(LOG_JSON);
	log_value(row->value);
	snprintf(wanted, sizeof(wanted), "%s,\"after\":1}", row->json);
	assert_string_equal(caught_fields(",\"event\":\"test\",\"key\":"), wanted);
	log_set_format(LOG_LOGFMT);
}

static const struct duration {
	const char *name;
	uint64_t microseconds;
	const char *text;
} durations[] = {
	{"nothing", 0, "0.0"},
	{"rounded down", 12449, "12.4"},
	{"rounded up", 12450, "12.5"},
	{"carried", 999960, "1000.0"},
	{"the longest", UINT64_MAX, "18446744073709551.6"},
};

static void
test_duration(void **state)
{
	const struct duration *row = *state;
	struct log_line line;

	log_begin(&line, LOG_INFO, "test");
	log_milliseconds(&line, "took_ms", row->microseconds);
	log_end(&line);
	assert_string_equal(caught_fields("took_ms="), row->text);
}

static void
line_begins_with_time_and_level(void **state)
{
	unsigned year;
	unsigned month;
	unsigned day;
	unsigned milliseconds;

	(void)state;
	log_value(SPAN("x"));
	assert_int_equal(sscanf(caught,
				"time=%4u-%2u-%2uT%*2u:%*2u:%*2u.%3uZ level=info",
				&year, &month, &day, &milliseconds),
			 4);
	assert_true(year >= 2024 && month >= 1 && month <= 12 && day >= 1 && day <= 31);
}

static void
levels_below_are_silent(void **state)
{
	struct log_line line;

	(void)state;
	caught[0] = 0;
	log_set_level(LOG_WARNING);
	log_value(SPAN("x"));
	log_message(LOG_INFO, "test", "not heard");
	log_begin(&line, LOG_DEBUG, "test");
	log_milliseconds(&line, "took_ms", 1);
	log_end(&line);
	assert_string_equal(caught, "");
	assert_true(log_wants(LOG_ERROR));
	assert_false(log_wants(LOG_INFO));
	log_set_level(LOG_INFO);
}

/* Bytes that the value takes up between the quotes. */
static size_t
written_length(const char *key, char byte)
{
	char value[2000];
	char *fields;
	struct log_line line;
	size_t count = 0;

	memset(value, byte, sizeof(value));
	log_begin(&line, LOG_INFO, "test");
	log_span(&line, key, span_of(value, sizeof(value)));
	log_number(&line, "after", 1);
	log_end(&line);
	fields =
		strstr(caught, "event=test ") + strlen("event=test ") + strlen(key) + 1;
	while (fields[count] != ' ')
		count++;
	return count;
}

static void
values_are_capped(void **state)
{
	(void)state;
	assert_int_equal(written_length("from", 'x'), 256);
	assert_int_equal(written_length("reply", 'x'), 512);
	assert_int_equal(written_length("why", 'x'), 512);
	assert_int_equal(written_length("from", '\n'), 256 + 2);
}

static void
what_does_not_fit_is_left_out_whole(void **state)
{
	char value[256];
	struct log_line line;

	(void)state;
	memset(value, 'x', sizeof(value));
	log_set_format(LOG_JSON);
	log_begin(&line, LOG_INFO, "test");
	for (int i = 0; i < 100; i++)
		log_span(&line, "key", span_of(value, sizeof(value)));
	log_end(&line);
	assert_true(strlen(caught) <= sizeof(line.text));
	assert_string_equal(caught + strlen(caught) - 5, "xx\"}\n");
	log_set_format(LOG_LOGFMT);
}

static void
message_is_a_why(void **state)
{
	(void)state;
	log_message(LOG_ERROR, "test", "no such %s", "user");
	assert_string_equal(caught_fields("level=error event=test "),
			    "why=\"no such user\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_begins_with_time_and_level),
		cmocka_unit_test(levels_below_are_silent),
		cmocka_unit_test(values_are_capped),
		cmocka_unit_test(what_does_not_fit_is_left_out_whole),
		cmocka_unit_test(message_is_a_why),
	};

	log_set_sink(catch_line);
	return ROWS_RUN(values, test_value) + ROWS_RUN(durations, test_duration) +
	       cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
