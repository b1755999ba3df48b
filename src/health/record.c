#include "health/record.h"

#include <stdarg.h>
#include <stdio.h>

#define DAY 86400

void
probe_record_init(struct probe_record *record)
{
	*record = (struct probe_record){0};
	buffer_init(&record->transcript, PROBE_BYTES_MAX);
}

void
probe_record_clear(struct probe_record *record)
{
	buffer_clear(&record->transcript);
	probe_record_init(record);
}

static void
make_printable(char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			text[i] = '?';
}

void
probe_record_result(struct probe_record *record, bool passed, const char *format, ...)
{
	va_list arguments;

	if (record->result[0])
		return;
	va_start(arguments, format);
	vsnprintf(record->result, sizeof(record->result), format, arguments);
	va_end(arguments);
	make_printable(record->result, strlen(record->result));
	record->passed = passed;
}

static void
copy_name(struct span name, char text[PROBE_NAME_MAX])
{
	snprintf(text, PROBE_NAME_MAX, "%.*s", SPAN_ARGS(name));
	make_printable(text, strlen(text));
}

void
probe_record_certificate(struct probe_record *record, struct span subject,
			 struct span issuer, int64_t begins, int64_t ends)
{
	struct probe_certificate *certificate = &record->certificate;

	certificate->shown = true;
	certificate->begins = begins;
	certificate->ends = ends;
	copy_name(subject, certificate->subject);
	copy_name(issuer, certificate->issuer);
}

int64_t
probe_certificate_days(const struct probe_certificate *certificate, int64_t at)
{
	int64_t left = certificate->ends - at / 1000;

	return left < 0 ? -((DAY - 1 - left) / DAY) : left / DAY;
}

/* All of the line or nothing: an incomplete one would mislead. */
static void
add_line(struct probe_record *record, const char *side, struct span line)
{
	char *room;
	size_t length = strlen(side) + 2 + line.length + 1;

	if (record->lines == PROBE_LINES_MAX)
		return;
	if (buffer_reserve(&record->transcript, length + 1, &room) != STATUS_OK) {
		record->lines = PROBE_LINES_MAX;
		return;
	}
	snprintf(room, length + 1, "%s: ", side);
	if (line.length)
		memcpy(room + strlen(side) + 2, line.at, line.length);
	make_printable(room, length - 1);
	room[length - 1] = '\n';
	buffer_commit(&record->transcript, length);
	record->lines++;
}

void
probe_record_add(struct probe_record *record, const char *side, struct span text)
{
	while (!span_is_empty(text)) {
		struct span line = span_cut(&text, '\n');

		if (line.length && line.at[line.length - 1] == '\r')
			line.length--;
		add_line(record, side, line);
	}
}

struct span
probe_record_text(const struct probe_record *record)
{
	return buffer_span(&record->transcript);
}
