#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Kept free for what log_end() writes: a brace and a line feed. */
#define END_ROOM 2

/* Bytes of a value as written. */
#define VALUE_MAX 256
#define LONG_VALUE_MAX 512

static _Atomic(enum log_format) format_in_force = LOG_LOGFMT;
static _Atomic(enum log_level) level_in_force = LOG_INFO;

typedef void log_sink(struct span line, enum log_level level);
static _Atomic(log_sink *) sink_in_force;

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARNING] = "warning",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

void
log_set_format(enum log_format format)
{
	atomic_store(&format_in_force, format);
}

void
log_set_level(enum log_level level)
{
	atomic_store(&level_in_force, level);
}

void
log_set_sink(void (*sink)(struct span line, enum log_level level))
{
	atomic_store(&sink_in_force, sink);
}

bool
log_wants(enum log_level level)
{
	return level <= atomic_load_explicit(&level_in_force, memory_order_relaxed);
}

/* A line keeps the format it began with, whatever a reload does meanwhile. */
static bool
is_json(const struct log_line *line)
{
	return line->length > 0 && line->text[0] == '{';
}

static bool
put(struct log_line *line, struct span bytes)
{
	if (bytes.length > sizeof(line->text) - END_ROOM - line->length)
		return false;
	memcpy(line->text + line->length, bytes.at, bytes.length);
	line->length = (uint16_t)(line->length + bytes.length);
	return true;
}

static bool
put_key(struct log_line *line, const char *key)
{
	struct span name = span_from_string(key);

	if (is_json(line))
		return put(line, line->length > 1 ? SPAN(",\"") : SPAN("\"")) &&
		       put(line, name) && put(line, SPAN("\":"));
	return (line->length == 0 || put(line, SPAN(" "))) && put(line, name) &&
	       put(line, SPAN("="));
}

/* A field that does not fit is left out whole, so that every line can be parsed. */
static void
put_field(struct log_line *line, const char *key, struct span value, bool quoted)
{
	struct span quote = quoted ? SPAN("\"") : SPAN("");
	uint16_t before = line->length;

	if (!put_key(line, key) || !put(line, quote) || !put(line, value) ||
	    !put(line, quote))
		line->length = before;
}

static bool
is_printable(char byte)
{
	return byte >= 0x20 && byte <= 0x7e;
}

/* Returns how many bytes were written to escaped. */
static size_t
escape_byte(char byte, bool json, char escaped[6])
{
	static const char digits[] = "0123456789abcdef";
	struct span prefix = json ? SPAN("\\u00") : SPAN("\\x");
	unsigned value = (unsigned char)byte;

	if (byte == '"' || byte == '\\') {
		escaped[0] = '\\';
		escaped[1] = byte;
		return 2;
	}
	if (is_printable(byte)) {
		escaped[0] = byte;
		return 1;
	}
	memcpy(escaped, prefix.at, prefix.length);
	escaped[prefix.length] = digits[value >> 4];
	escaped[prefix.length + 1] = digits[value & 15];
	return prefix.length + 2;
}

/* Stops before the first byte whose escape does not fit below max. */
static struct span
escape_value(struct span value, bool json, size_t max, char escaped[LONG_VALUE_MAX])
{
	size_t length = 0;

	for (size_t i = 0; i < value.length; i++) {
		char one[6];
		size_t count = escape_byte(value.at[i], json, one);

		if (length + count > max)
			break;
		memcpy(escaped + length, one, count);
		length += count;
	}
	return span_of(escaped, length);
}

static bool
needs_quotes(struct span value)
{
	/* A bare dash means that there is no value. */
	if (span_equals(value, SPAN("-")))
		return true;
	for (size_t i = 0; i < value.length; i++)
		if (!is_printable(value.at[i]) || strchr(" \"=\\", value.at[i]))
			return true;
	return false;
}

static size_t
value_max(const char *key)
{
	return !strcmp(key, "reply") || !strcmp(key, "why") ? LONG_VALUE_MAX
							    : VALUE_MAX;
}

void
log_span(struct log_line *line, const char *key, struct span value)
{
	char escaped[LONG_VALUE_MAX];
	bool json;

	if (line->silent)
		return;
	json = is_json(line);
	if (span_is_empty(value)) {
		put_field(line, key, json ? SPAN("null") : SPAN("-"), false);
		return;
	}
	put_field(line, key, escape_value(value, json, value_max(key), escaped),
		  json || needs_quotes(value));
}

void
log_string(struct log_line *line, const char *key, const char *value)
{
	log_span(line, key, value ? span_from_string(value) : SPAN(""));
}

/* The decimal digits of a value, written at the end of the text. */
static struct span
print_number(uint64_t value, char text[20])
{
	char *at = text + 20;

	do {
		*--at = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	return span_of(at, (size_t)(text + 20 - at));
}

void
log_number(struct log_line *line, const char *key, uint64_t value)
{
	char text[20];

	if (!line->silent)
		put_field(line, key, print_number(value, text), false);
}

void
log_milliseconds(struct log_line *line, const char *key, uint64_t microseconds)
{
	uint64_t tenths = microseconds / 100 + (microseconds % 100 >= 50);
	char digits[20];
	char text[24];
	struct span whole;

	if (line->silent)
		return;
	whole = print_number(tenths / 10, digits);
	memcpy(text, whole.at, whole.length);
	text[whole.length] = '.';
	text[whole.length + 1] = (char)('0' + tenths % 10);
	put_field(line, key, span_of(text, whole.length + 2), false);
}

/* Only the milliseconds are formatted anew while the second lasts. */
static void
log_time(struct log_line *line)
{
	static _Thread_local char text[sizeof("2026-11-23T18:00:00.123Z")];
	static _Thread_local time_t second = -1;
	struct timespec now;
	long milliseconds;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != second) {
		struct tm utc;

		gmtime_r(&now.tv_sec, &utc);
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S.000Z", &utc);
		second = now.tv_sec;
	}
	milliseconds = now.tv_nsec / 1000000;
	text[20] = (char)('0' + milliseconds / 100);
	text[21] = (char)('0' + milliseconds / 10 % 10);
	text[22] = (char)('0' + milliseconds % 10);
	log_span(line, "time", span_of(text, sizeof(text) - 1));
}

void
log_begin(struct log_line *line, enum log_level level, const char *event)
{
	line->level = level;
	line->length = 0;
	line->silent = !log_wants(level);
	if (line->silent)
		return;
	if (atomic_load(&format_in_force) == LOG_JSON)
		put(line, SPAN("{"));
	log_time(line);
	log_string(line, "level", level_names[level]);
	log_string(line, "event", event);
}

static void
write_to_stderr(struct span line)
{
	while (line.length) {
		ssize_t written = write(STDERR_FILENO, line.at, line.length);

		/* There is nowhere to complain to. */
		if (written <= 0)
			return;
		line = span_skip(line, (size_t)written);
	}
}

void
log_end(struct log_line *line)
{
	struct span end = is_json(line) ? SPAN("}\n") : SPAN("\n");
	log_sink *sink = atomic_load(&sink_in_force);
	struct span whole;

	if (line->silent)
		return;
	memcpy(line->text + line->length, end.at, end.length);
	whole = span_of(line->text, line->length + end.length);
	if (sink)
		sink(whole, line->level);
	else
		write_to_stderr(whole);
}

void
log_message(enum log_level level, const char *event, const char *format, ...)
{
	char text[LONG_VALUE_MAX + 1];
	struct log_line line;
	va_list arguments;

	if (!log_wants(level))
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	log_begin(&line, level, event);
	log_string(&line, "why", text);
	log_end(&line);
}
