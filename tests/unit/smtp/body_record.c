#include "body_record.h"

#include <assert.h>
#include <stdlib.h>

#define END_OF_DATA "\r\n.\r\n"

static struct body_record
record_new(struct span input)
{
	struct body_record record = {0};

	/* No octet becomes more than two, and a last line gets its CRLF. */
	record.storage = malloc(2 * input.length + 2);
	assert(record.storage);
	record.output = span_of(record.storage, 0);
	return record;
}

static void
append(struct body_record *record, struct span piece)
{
	assert(!span_is_empty(piece));
	memcpy(record->storage + record->output.length, piece.at, piece.length);
	record->output.length += piece.length;
	record->pieces++;
}

struct body_record
body_record_read(struct span input, size_t step)
{
	struct body_record record = record_new(input);
	struct smtp_body_reader reader = {0};

	while (record.used < input.length && !record.ended) {
		struct span given = span_take(span_skip(input, record.used), step);
		struct span rest = given;
		enum smtp_body_result result;
		struct span piece;

		while ((result = smtp_body_read(&reader, &rest, &piece)) ==
		       SMTP_BODY_PIECE)
			append(&record, piece);
		record.ended = result == SMTP_BODY_ENDED;
		assert(record.ended || span_is_empty(rest));
		record.used += given.length - rest.length;
	}
	assert(reader.length == record.output.length);
	record.faults = reader.faults;
	return record;
}

struct body_record
body_record_stuff(struct span input, size_t step)
{
	struct body_record record = record_new(input);
	struct smtp_body_stuffer stuffer = {0};

	while (!record.ended) {
		struct span given = span_take(span_skip(input, record.used), step);
		bool last = record.used + given.length == input.length;
		enum smtp_body_result result;
		struct span rest = given;
		struct span piece;

		while ((result = smtp_body_stuff(&stuffer, &rest, last, &piece)) ==
		       SMTP_BODY_PIECE)
			append(&record, piece);
		assert(span_is_empty(rest));
		record.ended = result == SMTP_BODY_ENDED;
		assert(record.ended == last);
		record.used += given.length;
	}
	record.faults = stuffer.faults;
	return record;
}

void
body_record_fini(struct body_record *record)
{
	free(record->storage);
}

bool
body_record_equals(const struct body_record *a, const struct body_record *b)
{
	return span_equals(a->output, b->output) && a->used == b->used &&
	       a->faults == b->faults && a->ended == b->ended;
}

static bool
ends_in_crlf(struct span text)
{
	return text.length >= 2 && !memcmp(text.at + text.length - 2, "\r\n", 2);
}

bool
body_record_is_canonical(const struct body_record *record)
{
	struct span text = record->output;

	for (size_t i = 0; i < text.length; i++) {
		bool cr_before = i > 0 && text.at[i - 1] == '\r';

		/* Alike: each CR has a LF behind it, and each LF a CR before it. */
		if (cr_before != (text.at[i] == '\n'))
			return false;
	}
	if (span_starts(text, SPAN(".\r\n")) ||
	    (text.length && memmem(text.at, text.length, END_OF_DATA, 5)))
		return false;
	return !record->ended || span_is_empty(text) || ends_in_crlf(text);
}

size_t
body_end_of(struct span input)
{
	const char *found;

	if (span_starts(input, SPAN(".\r\n")))
		return 3;
	found = input.length ? memmem(input.at, input.length, END_OF_DATA, 5) : NULL;
	return found ? (size_t)(found - input.at) + 5 : SPAN_NOWHERE;
}

size_t
body_unstuff(char *text, size_t length)
{
	bool at_line = true;
	size_t kept = 0;

	for (size_t i = 0; i < length; i++) {
		bool stuffed = at_line && text[i] == '.';

		at_line = text[i] == '\n';
		if (!stuffed)
			text[kept++] = text[i];
	}
	return kept;
}

size_t
body_normalize(struct span input, char *text)
{
	size_t length = 0;

	for (size_t i = 0; i < input.length; i++) {
		bool cr = input.at[i] == '\r';

		if (!cr && input.at[i] != '\n') {
			text[length++] = input.at[i];
			continue;
		}
		text[length++] = '\r';
		text[length++] = '\n';
		if (cr && i + 1 < input.length && input.at[i + 1] == '\n')
			i++;
	}
	return length;
}
