#include "smtp/reply.h"

#include "base/number.h"

#include <assert.h>

#define CODE_LENGTH 3
#define PRINTED_LINE_MAX 510 /* RFC 5321 4.5.3.1.5: 512 with CRLF */
#define NUMBER_MAX 999       /* of each part of an enhanced status code */
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static bool
is_between(char byte, char first, char last)
{
	return byte >= first && byte <= last;
}

/* The Reply-code at the front of a line, 0 where there is none. */
static unsigned
read_code(struct span line)
{
	if (line.length < CODE_LENGTH || !is_between(line.at[0], '2', '5') ||
	    !is_between(line.at[1], '0', '5') || !is_between(line.at[2], '0', '9'))
		return 0;
	return (unsigned)(line.at[0] - '0') * 100 + (unsigned)(line.at[1] - '0') * 10 +
	       (unsigned)(line.at[2] - '0');
}

/* line: without its CRLF. */
static bool
line_is_valid(struct span line)
{
	return read_code(line) != 0 && span_find(line, '\r') == SPAN_NOWHERE &&
	       span_find(line, '\0') == SPAN_NOWHERE &&
	       (line.length == CODE_LENGTH || line.at[CODE_LENGTH] == ' ' ||
		line.at[CODE_LENGTH] == '-');
}

static bool
line_continues(struct span line)
{
	return line.length > CODE_LENGTH && line.at[CODE_LENGTH] == '-';
}

/*
 * Cuts the next line from *rest, without its CRLF. MORE: it has no end yet. Looks no
 * further than a line may be long, so that bytes behind it do not change the verdict.
 */
static enum smtp_reply_result
cut_line(struct span *rest, struct span *line)
{
	size_t end = span_find(span_take(*rest, SMTP_REPLY_LINE_MAX), '\n');

	if (end == SPAN_NOWHERE)
		return rest->length < SMTP_REPLY_LINE_MAX ? SMTP_REPLY_MORE
							  : SMTP_REPLY_BROKEN;
	if (end == 0 || rest->at[end - 1] != '\r')
		return SMTP_REPLY_BROKEN;
	*line = span_take(*rest, end - 1);
	*rest = span_skip(*rest, end + 1);
	return SMTP_REPLY_COMPLETE;
}

/* Checks the next line against those before it. */
static enum smtp_reply_result
read_line(struct smtp_reply_reader *reader, struct span input, bool *continues)
{
	struct span rest = span_skip(input, reader->scanned);
	struct span line;
	enum smtp_reply_result result = cut_line(&rest, &line);

	if (result != SMTP_REPLY_COMPLETE)
		return result;
	if (!line_is_valid(line) || reader->lines == SMTP_REPLY_LINES_MAX ||
	    (reader->lines && read_code(line) != reader->code))
		return SMTP_REPLY_BROKEN;
	reader->code = (uint16_t)read_code(line);
	reader->lines++;
	reader->scanned += (uint32_t)(line.length + 2);
	*continues = line_continues(line);
	return SMTP_REPLY_COMPLETE;
}

enum smtp_reply_result
smtp_reply_read(struct smtp_reply_reader *reader, struct span *input,
		struct smtp_reply *reply)
{
	/* Cut here, the sum of the lines can not pass the limit unseen. */
	struct span bounded = span_take(*input, SMTP_REPLY_BYTES_MAX);
	bool continues = true;

	while (continues) {
		enum smtp_reply_result result = read_line(reader, bounded, &continues);

		if (result == SMTP_REPLY_MORE && bounded.length == SMTP_REPLY_BYTES_MAX)
			return SMTP_REPLY_BROKEN;
		if (result != SMTP_REPLY_COMPLETE)
			return result;
	}
	reply->code = reader->code;
	reply->text = span_take(*input, reader->scanned - 2);
	*input = span_skip(*input, reader->scanned);
	*reader = (struct smtp_reply_reader){0};
	return SMTP_REPLY_COMPLETE;
}

struct smtp_reply
smtp_reply_of(struct span text)
{
	unsigned code = read_code(text);

	assert(code != 0);
	return (struct smtp_reply){code, text};
}

struct span
smtp_reply_cut_line(struct span *rest)
{
	struct span line = span_cut(rest, '\n');

	if (line.length && line.at[line.length - 1] == '\r')
		line.length--;
	return line;
}

static char *
print_line(char *to, struct span line, bool last)
{
	struct span printed = span_take(line, PRINTED_LINE_MAX);

	for (size_t i = 0; i < printed.length; i++)
		to[i] = is_between(printed.at[i], ' ', '~') ? printed.at[i] : '?';
	if (printed.length > CODE_LENGTH || !last) {
		to[CODE_LENGTH] = last ? ' ' : '-';
		printed.length += printed.length == CODE_LENGTH;
	}
	to += printed.length;
	*to++ = '\r';
	*to++ = '\n';
	return to;
}

/* At most this many bytes are printed for it. */
static size_t
printed_size(struct span text)
{
	size_t size = 0;

	for (unsigned lines = 0; lines < SMTP_REPLY_LINES_MAX && text.length; lines++)
		size += span_take(smtp_reply_cut_line(&text), PRINTED_LINE_MAX).length +
			sizeof("-\r\n") - 1;
	return size;
}

enum status
smtp_reply_print(const struct smtp_reply *reply, struct buffer *output)
{
	struct span rest = reply->text;
	char *room;
	char *end;
	enum status status;

	assert(read_code(rest) != 0);
	status = buffer_reserve(output, printed_size(rest), &room);
	if (status != STATUS_OK)
		return status;
	end = room;
	for (unsigned lines = 1; lines <= SMTP_REPLY_LINES_MAX && rest.length;
	     lines++) {
		struct span line = smtp_reply_cut_line(&rest);

		end = print_line(end, line,
				 span_is_empty(rest) || lines == SMTP_REPLY_LINES_MAX);
	}
	buffer_commit(output, (size_t)(end - room));
	return STATUS_OK;
}

struct span
smtp_reply_first_line(const struct smtp_reply *reply)
{
	struct span rest = reply->text;

	return smtp_reply_cut_line(&rest);
}

/* What stands behind the code and its blank or hyphen. */
static struct span
first_text(const struct smtp_reply *reply)
{
	return span_skip(smtp_reply_first_line(reply), CODE_LENGTH + 1);
}

/* Cuts up to three digits from the front of *rest. */
static bool
cut_number(struct span *rest, uint16_t *value)
{
	size_t digits = 0;
	uint64_t number;

	while (digits < rest->length && is_between(rest->at[digits], '0', '9'))
		digits++;
	if (!number_read(span_take(*rest, digits), NUMBER_MAX, &number))
		return false;
	*value = (uint16_t)number;
	*rest = span_skip(*rest, digits);
	return true;
}

static bool
cut_byte(struct span *rest, char byte)
{
	if (span_is_empty(*rest) || rest->at[0] != byte)
		return false;
	*rest = span_skip(*rest, 1);
	return true;
}

/*
 * status-code = class "." subject "." detail (RFC 3463 2), cut from the front of *rest
 * with what parts it from the text: a blank, or the colon of OpenSMTPD 6.8.
 */
static struct smtp_enhanced
cut_enhanced(struct span *rest)
{
	static const struct smtp_enhanced none;
	struct smtp_enhanced found;
	struct span after = *rest;

	if (!cut_number(&after, &found.class) || !cut_byte(&after, '.') ||
	    !cut_number(&after, &found.subject) || !cut_byte(&after, '.') ||
	    !cut_number(&after, &found.detail))
		return none;
	if (found.class != 2 && found.class != 4 && found.class != 5)
		return none;
	cut_byte(&after, ':');
	if (!span_is_empty(after) && !cut_byte(&after, ' '))
		return none;
	*rest = after;
	return found;
}

struct smtp_enhanced
smtp_reply_enhanced(const struct smtp_reply *reply)
{
	struct span text = first_text(reply);

	return cut_enhanced(&text);
}

struct span
smtp_reply_status(const struct smtp_reply *reply)
{
	struct span line = smtp_reply_first_line(reply);
	struct span text = first_text(reply);

	cut_enhanced(&text);
	line.length -= text.length;
	/* without what parts it from the text */
	while (line.length > CODE_LENGTH &&
	       !is_between(line.at[line.length - 1], '0', '9'))
		line.length--;
	return line;
}

bool
smtp_reply_has_enhanced(const struct smtp_reply *reply, unsigned class,
			unsigned subject, unsigned detail)
{
	struct smtp_enhanced found = smtp_reply_enhanced(reply);

	return class != 0 && found.class == class && found.subject == subject &&
	       found.detail == detail;
}

/*
 * How servers write the name of a message. Either the name follows the mark, or it is
 * the one word between the status codes (and what else is skipped) and the mark.
 */
enum name_place {
	NAME_AFTER,  /* the word behind the mark */
	NAME_BEFORE, /* the word before the mark, alone, or behind <user> */
	NAME_FIRST,  /* the first word; the mark stands anywhere behind it */
};

static const struct {
	enum name_place place;
	struct span mark;
} names[] = {
	{NAME_AFTER, {"queued as ", 10}},                      /* Postfix */
	{NAME_AFTER, {"OK id=", 6}},                           /* Exim */
	{NAME_AFTER, {"Message Queued (", 16}},                /* Haraka */
	{NAME_BEFORE, {" Message accepted for delivery", 30}}, /* Sendmail, OpenSMTPD */
	{NAME_BEFORE, {" Saved", 6}},                          /* Dovecot */
	{NAME_FIRST, {" Queued mail for delivery", 25}},       /* Exchange */
};

/* Of a name before a mark: "OK Message accepted for delivery" has none. */
#define NAME_LENGTH_MIN 6

/* Without "<user@domain> ", which LMTP servers write before the name. */
static struct span
skip_recipient(struct span text)
{
	size_t end = span_find(text, '>');

	if (span_is_empty(text) || text.at[0] != '<' || end == SPAN_NOWHERE ||
	    end + 1 >= text.length || text.at[end + 1] != ' ')
		return text;
	return span_skip(text, end + 2);
}

/* The word at the front as far as it can belong to a name. */
static struct span
take_name(struct span text)
{
	size_t length = 0;

	while (length < text.length && is_between(text.at[length], '!', '~') &&
	       !strchr("),;[", text.at[length]))
		length++;
	return span_take(text, length);
}

static struct span
name_by(enum name_place place, struct span text, struct span mark)
{
	const char *found = memmem(text.at, text.length, mark.at, mark.length);
	size_t before = found ? (size_t)(found - text.at) : 0;
	struct span name;

	if (!found)
		return span_of("", 0);
	if (place == NAME_AFTER)
		return take_name(span_skip(text, before + mark.length));
	text = span_take(text, before);
	if (place == NAME_FIRST)
		return take_name(text);
	name = skip_recipient(text);
	return name.length >= NAME_LENGTH_MIN && take_name(name).length == name.length
		       ? name
		       : span_of("", 0);
}

struct span
smtp_reply_queue_id(const struct smtp_reply *reply)
{
	struct span text = first_text(reply);
	struct span name = span_of("", 0);

	cut_enhanced(&text);
	if (!smtp_reply_is_positive(reply) || span_is_empty(text))
		return name;
	for (size_t i = 0; i < COUNT_OF(names) && span_is_empty(name); i++)
		name = name_by(names[i].place, text, names[i].mark);
	return name;
}
