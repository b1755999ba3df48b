#include "tools/sink_fault.h"

#include "base/number.h"
#include "smtp/reply.h"

static const char *const where_names[FAULT_WHERE_COUNT] = {
	[FAULT_GREETING] = "greeting", [FAULT_HELLO] = "ehlo",
	[FAULT_STARTTLS] = "starttls", [FAULT_HANDSHAKE] = "handshake",
	[FAULT_MAIL] = "mail",         [FAULT_RCPT] = "rcpt",
	[FAULT_DATA] = "data",         [FAULT_BODY] = "body",
	[FAULT_CHUNK] = "chunk",       [FAULT_END] = "end",
	[FAULT_RSET] = "rset",         [FAULT_QUIT] = "quit",
};

enum argument { NO_ARGUMENT, DURATION, SIZE, NUMBER, TEXT, REPLY };

#define BODY_ALONE (1u << FAULT_BODY)
#define EVERYWHERE ((1u << FAULT_WHERE_COUNT) - 1)
#define HANDSHAKE_ALONE (1u << FAULT_HANDSHAKE)
#define REPLIES (EVERYWHERE & ~BODY_ALONE & ~HANDSHAKE_ALONE)

static const struct {
	const char *name;
	enum argument argument;
	bool optional;  /* the argument; number is 0 or text empty without it */
	unsigned where; /* places in which it makes sense */
} whats[FAULT_WHAT_COUNT] = {
	[FAULT_DELAY] = {"delay", DURATION, false, EVERYWHERE},
	[FAULT_REPLY] = {"reply", REPLY, false, REPLIES | BODY_ALONE},
	[FAULT_EARLY_REPLY] = {"early-reply", SIZE, true, BODY_ALONE},
	[FAULT_SILENCE] = {"silence", SIZE, true, EVERYWHERE},
	[FAULT_DROP] = {"drop", SIZE, true, EVERYWHERE},
	[FAULT_RESET] = {"reset", SIZE, true, EVERYWHERE},
	[FAULT_DROP_AFTER_REPLY] = {"drop-after-reply", NO_ARGUMENT, false, REPLIES},
	[FAULT_RAW] = {"raw", TEXT, false, REPLIES | HANDSHAKE_ALONE},
	[FAULT_GARBAGE] = {"garbage", NO_ARGUMENT, false, REPLIES | HANDSHAKE_ALONE},
	[FAULT_FLOOD] = {"flood", NUMBER, false, REPLIES},
	[FAULT_EXTRA] = {"extra", TEXT, false, REPLIES},
	[FAULT_SPLIT] = {"split", DURATION, true, REPLIES},
	[FAULT_SLOW] = {"slow", SIZE, false, BODY_ALONE},
};

static bool
where_read(struct span name, enum fault_where *where)
{
	for (unsigned at = 0; at < FAULT_WHERE_COUNT; at++) {
		if (span_equals_nocase(name, span_from_string(where_names[at]))) {
			*where = at;
			return true;
		}
	}
	return false;
}

static bool
what_read(struct span name, enum fault_what *what)
{
	for (unsigned at = 0; at < FAULT_WHAT_COUNT; at++) {
		if (span_equals_nocase(name, span_from_string(whats[at].name))) {
			*what = at;
			return true;
		}
	}
	return false;
}

/* "@2" or "@2+" at the end; anything else behind an @ belongs to the text. */
static void
occurrence_cut(struct span *text, struct fault *fault)
{
	size_t at = span_find_last(*text, '@');
	struct span number;
	bool onwards;

	fault->first = 1;
	fault->last = UINT64_MAX;
	if (at == SPAN_NOWHERE)
		return;
	number = span_skip(*text, at + 1);
	onwards = number.length && number.at[number.length - 1] == '+';
	number.length -= onwards;
	if (!number_read(number, UINT32_MAX, &fault->first) || fault->first == 0) {
		fault->first = 1;
		return;
	}
	if (!onwards)
		fault->last = fault->first;
	*text = span_take(*text, at);
}

static bool
hex_read(struct span digits, char *octet)
{
	unsigned value = 0;

	if (digits.length != 2)
		return false;
	for (size_t at = 0; at < 2; at++) {
		char digit = digits.at[at] | 0x20;

		if (digit >= '0' && digit <= '9')
			value = value * 16 + (unsigned)(digit - '0');
		else if (digit >= 'a' && digit <= 'f')
			value = value * 16 + (unsigned)(digit - 'a' + 10);
		else
			return false;
	}
	*octet = (char)value;
	return true;
}

/* text: behind the backslash. Returns how much of it was used, 0 where it is none. */
static size_t
escape_read(struct span text, char *octet)
{
	static const char letters[] = "rnt0\\";
	static const char octets[] = "\r\n\t\0\\";
	const char *letter;

	if (span_is_empty(text))
		return 0;
	if (text.at[0] == 'x')
		return hex_read(span_take(span_skip(text, 1), 2), octet) ? 3 : 0;
	letter = memchr(letters, text.at[0], sizeof(letters) - 1);
	if (!letter)
		return 0;
	*octet = octets[letter - letters];
	return 1;
}

bool
fault_text_read(struct arena *arena, struct span text, struct span *decoded)
{
	char *room = arena_take(arena, text.length + 1);
	size_t length = 0;

	if (!room)
		return false;
	while (!span_is_empty(text)) {
		size_t used = 1;

		room[length] = text.at[0];
		if (text.at[0] == '\\') {
			used = 1 + escape_read(span_skip(text, 1), &room[length]);
			if (used == 1)
				return false;
		}
		text = span_skip(text, used);
		length++;
	}
	*decoded = span_of(room, length);
	return true;
}

bool
fault_text_is_reply(struct span text)
{
	struct arena arena = {0};
	struct smtp_reply_reader reader = {0};
	struct smtp_reply reply;
	char *line = arena_take(&arena, text.length + 2);
	struct span input = span_of(line, text.length + 2);
	bool whole;

	if (!line)
		return false;
	memcpy(line, text.at, text.length);
	memcpy(line + text.length, "\r\n", 2);
	whole = smtp_reply_read(&reader, &input, &reply) == SMTP_REPLY_COMPLETE &&
		span_is_empty(input);
	arena_reset(&arena);
	return whole;
}

static bool
argument_read(struct fault_table *table, struct span text, struct fault *fault)
{
	int64_t milliseconds;

	switch (whats[fault->what].argument) {
	case DURATION:
		if (!number_read_duration(text, &milliseconds))
			return false;
		fault->number = (uint64_t)milliseconds;
		return true;
	case SIZE:
		return number_read_size(text, &fault->number);
	case NUMBER:
		return number_read(text, 1000000, &fault->number) && fault->number > 0;
	case TEXT:
		return fault_text_read(&table->texts, text, &fault->text);
	case REPLY:
		return fault_text_read(&table->texts, text, &fault->text) &&
		       fault_text_is_reply(fault->text);
	default:
		return false;
	}
}

/* text: "what" or "what:argument". */
static const char *
deed_read(struct fault_table *table, struct span text, struct fault *fault)
{
	size_t colon = span_find(text, ':');

	if (!what_read(span_cut(&text, ':'), &fault->what))
		return "nothing of that name can happen";
	if (!(whats[fault->what].where & (1u << fault->where)))
		return "that can not happen there";
	if (colon == SPAN_NOWHERE) {
		bool complete = whats[fault->what].optional ||
				whats[fault->what].argument == NO_ARGUMENT;

		return complete ? NULL : "it needs an argument";
	}
	return argument_read(table, text, fault) ? NULL : "the argument is malformed";
}

bool
fault_table_add(struct fault_table *table, struct span text, const char **why)
{
	struct fault fault = {0};
	struct span where = span_cut(&text, '=');

	if (table->count == FAULTS_MAX) {
		*why = "too many faults";
		return false;
	}
	if (!where_read(where, &fault.where)) {
		*why = "no such place in the conversation";
		return false;
	}
	occurrence_cut(&text, &fault);
	*why = deed_read(table, text, &fault);
	if (*why)
		return false;
	if (fault.what == FAULT_SLOW && fault.number == 0) {
		*why = "the argument is malformed";
		return false;
	}
	table->rows[table->count++] = fault;
	table->planned[fault.where] = true;
	return true;
}

void
fault_table_fini(struct fault_table *table)
{
	arena_reset(&table->texts);
}

bool
fault_table_plan(struct fault_table *table, enum fault_where where,
		 struct fault_plan *plan)
{
	uint64_t occurrence = ++table->seen[where];
	bool any = false;

	*plan = (struct fault_plan){0};
	if (!table->planned[where])
		return false;
	for (unsigned at = 0; at < table->count; at++) {
		const struct fault *fault = &table->rows[at];

		if (fault->where != where || occurrence < fault->first ||
		    occurrence > fault->last)
			continue;
		plan->acts[fault->what] = fault;
		any = true;
	}
	table->done += any;
	return any;
}
