#include "smtp/command.h"

#include "base/number.h"
#include "smtp/utf8.h"

#include <assert.h>

#define HELLO_MAX 255
#define CHUNK_DIGITS_MAX 19
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	struct span name;
	struct span preposition; /* stands between the verb and its path */
} verbs[SMTP_VERB_COUNT] = {
	[SMTP_EHLO] = {{"EHLO", 4}, {"", 0}},
	[SMTP_HELO] = {{"HELO", 4}, {"", 0}},
	[SMTP_LHLO] = {{"LHLO", 4}, {"", 0}},
	[SMTP_MAIL] = {{"MAIL", 4}, {"FROM:", 5}},
	[SMTP_RCPT] = {{"RCPT", 4}, {"TO:", 3}},
	[SMTP_DATA] = {{"DATA", 4}, {"", 0}},
	[SMTP_BDAT] = {{"BDAT", 4}, {"", 0}},
	[SMTP_RSET] = {{"RSET", 4}, {"", 0}},
	[SMTP_NOOP] = {{"NOOP", 4}, {"", 0}},
	[SMTP_QUIT] = {{"QUIT", 4}, {"", 0}},
	[SMTP_VRFY] = {{"VRFY", 4}, {"", 0}},
	[SMTP_EXPN] = {{"EXPN", 4}, {"", 0}},
	[SMTP_HELP] = {{"HELP", 4}, {"", 0}},
	[SMTP_TURN] = {{"TURN", 4}, {"", 0}},
	[SMTP_ETRN] = {{"ETRN", 4}, {"", 0}},
	[SMTP_STARTTLS_COMMAND] = {{"STARTTLS", 8}, {"", 0}},
	[SMTP_AUTH_COMMAND] = {{"AUTH", 4}, {"", 0}},
	[SMTP_XCLIENT_COMMAND] = {{"XCLIENT", 7}, {"", 0}},
	[SMTP_XFORWARD_COMMAND] = {{"XFORWARD", 8}, {"", 0}},
	[SMTP_UNKNOWN] = {{"-", 1}, {"", 0}},
};

static bool
has_control(struct span line)
{
	for (size_t i = 0; i < line.length; i++) {
		unsigned char byte = (unsigned char)line.at[i];

		if (byte < 0x20 || byte == 0x7f)
			return true;
	}
	return false;
}

static enum smtp_verb
find_verb(struct span word)
{
	for (enum smtp_verb verb = 0; verb < SMTP_UNKNOWN; verb++) {
		if (span_equals_nocase(word, verbs[verb].name))
			return verb;
	}
	return SMTP_UNKNOWN;
}

bool
smtp_command_read(struct span line, struct smtp_command *command)
{
	struct span preposition;

	if (has_control(line))
		return false;
	command->argument = line;
	command->word = span_cut(&command->argument, ' ');
	command->argument = span_trim(command->argument);
	command->verb = find_verb(command->word);

	preposition = verbs[command->verb].preposition;
	if (span_is_empty(preposition))
		return true;
	if (span_starts_nocase(command->argument, preposition))
		command->argument =
			span_trim(span_skip(command->argument, preposition.length));
	else
		command->argument = span_of(NULL, 0);
	return true;
}

struct span
smtp_verb_name(enum smtp_verb verb)
{
	assert(verb < SMTP_VERB_COUNT);
	return verbs[verb].name;
}

/* Every command line is looked at: most differ in the first letter, whatever its case.
 */
static inline bool
may_start_alike(struct span bytes, struct span opening)
{
	return bytes.length && ((bytes.at[0] ^ opening.at[0]) & ~0x20) == 0;
}

bool
smtp_command_is_foreign(struct span bytes)
{
	static const struct span openings[] = {
		{"\x16", 1}, /* the record type of a TLS hello */
		{"GET ", 4},   {"POST ", 5},   {"CONNECT ", 8}, {"HEAD ", 5},
		{"PUT ", 4},   {"DELETE ", 7}, {"OPTIONS ", 8}, {"PATCH ", 6},
		{"TRACE ", 6}, {"PRI ", 4},
	};

	for (size_t i = 0; i < COUNT_OF(openings); i++) {
		if (may_start_alike(bytes, openings[i]) &&
		    span_starts_nocase(bytes, openings[i]))
			return true;
	}
	return false;
}

/* RFC 3030 2: chunk-size [ SP "LAST" ] */
bool
smtp_command_read_chunk(struct span argument, uint64_t *size, bool *last)
{
	struct span rest = argument;
	struct span digits = span_cut(&rest, ' ');
	bool marked = span_equals_nocase(span_trim(rest), SPAN("LAST"));

	if (!marked && digits.length != argument.length)
		return false;
	if (digits.length > CHUNK_DIGITS_MAX || !number_read(digits, UINT64_MAX, size))
		return false;
	*last = marked;
	return true;
}

bool
smtp_command_read_auth(struct span argument, struct span *mechanism,
		       struct span *initial)
{
	struct span rest = argument;

	*mechanism = span_cut(&rest, ' ');
	rest = span_trim(rest);
	*initial = span_is_empty(rest) ? span_of(NULL, 0) : rest;
	if (span_equals(rest, SPAN("=")))
		initial->length = 0;
	return !span_is_empty(*mechanism) && span_find(rest, ' ') == SPAN_NOWHERE;
}

bool
smtp_command_hello_is_valid(struct span name)
{
	return !span_is_empty(name) && name.length <= HELLO_MAX && !has_control(name) &&
	       span_find(name, ' ') == SPAN_NOWHERE && utf8_is_valid(name);
}
