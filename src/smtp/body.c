#include "smtp/body.h"

#include <assert.h>

/*
 * Lines are searched in windows of this size, so that input full of bare CR or LF costs
 * no more than a constant for each of its octets.
 */
#define WINDOW 512
/* Octets that are looked at together. */
#define BLOCK 256

enum octet { OCTET_DOT, OCTET_CR, OCTET_LF, OCTET_OTHER, OCTET_COUNT };

/* What is done at an octet that is not plain text. */
struct rule {
	const char *emit;
	uint8_t then;
	uint8_t flags;
};

#define KEEP 1  /* the octet is not used up: the next state looks at it again */
#define BARE 2  /* a CR or LF was on its own */
#define ENDED 4 /* it was the end of data */

enum state {
	AT_LINE,       /* behind CRLF, or at the start: a dot may be the end of data */
	IN_TEXT,       /* in a line */
	BEHIND_CR,     /* a CR is held */
	BEHIND_DOT,    /* a dot at the start of a line is held */
	BEHIND_DOT_CR, /* and a CR behind it */
	AT_BARE_LINE, /* behind a line end that was none to the client: a dot is text */
	STATE_COUNT
};

static_assert(AT_LINE == 0, "zeroed is the start of a body");

/*
 * RFC 5321 4.1.1.4 and 4.5.2. The one way to the end is AT_LINE, dot, CR, LF. A line of
 * one dot that ends otherwise gets a second dot, as does a dot behind a bare CR or LF:
 * the client did not stuff it, since to the client it does not begin a line.
 */
/* clang-format off */
static const struct rule reader_rules[STATE_COUNT][OCTET_COUNT] = {
	[AT_LINE] = {
		[OCTET_DOT]   = {"", BEHIND_DOT, 0},
		[OCTET_CR]    = {"", BEHIND_CR, 0},
		[OCTET_LF]    = {"\r\n", AT_BARE_LINE, BARE},
		[OCTET_OTHER] = {"", IN_TEXT, KEEP},
	},
	[IN_TEXT] = {
		[OCTET_DOT]   = {".", IN_TEXT, 0},
		[OCTET_CR]    = {"", BEHIND_CR, 0},
		[OCTET_LF]    = {"\r\n", AT_BARE_LINE, BARE},
		[OCTET_OTHER] = {"", IN_TEXT, KEEP},
	},
	[BEHIND_CR] = {
		[OCTET_DOT]   = {"\r\n", AT_BARE_LINE, BARE | KEEP},
		[OCTET_CR]    = {"\r\n", AT_BARE_LINE, BARE | KEEP},
		[OCTET_LF]    = {"\r\n", AT_LINE, 0},
		[OCTET_OTHER] = {"\r\n", AT_BARE_LINE, BARE | KEEP},
	},
	[BEHIND_DOT] = {
		[OCTET_DOT]   = {".", IN_TEXT, KEEP},
		[OCTET_CR]    = {"", BEHIND_DOT_CR, 0},
		[OCTET_LF]    = {"..\r\n", AT_BARE_LINE, BARE},
		[OCTET_OTHER] = {".", IN_TEXT, KEEP},
	},
	[BEHIND_DOT_CR] = {
		[OCTET_DOT]   = {"..\r\n", AT_BARE_LINE, BARE | KEEP},
		[OCTET_CR]    = {"..\r\n", AT_BARE_LINE, BARE | KEEP},
		[OCTET_LF]    = {"", AT_LINE, ENDED},
		[OCTET_OTHER] = {"..\r\n", AT_BARE_LINE, BARE | KEEP},
	},
	[AT_BARE_LINE] = {
		[OCTET_DOT]   = {"..", IN_TEXT, 0},
		[OCTET_CR]    = {"", BEHIND_CR, 0},
		[OCTET_LF]    = {"\r\n", AT_BARE_LINE, BARE},
		[OCTET_OTHER] = {"", IN_TEXT, KEEP},
	},
};

/* To the stuffer a dot is text wherever it stands, and every line end begins a line. */
static const struct rule stuffer_rules[BEHIND_CR + 1][OCTET_COUNT] = {
	[AT_LINE] = {
		[OCTET_DOT]   = {"..", IN_TEXT, 0},
		[OCTET_CR]    = {"", BEHIND_CR, 0},
		[OCTET_LF]    = {"\r\n", AT_LINE, BARE},
		[OCTET_OTHER] = {"", IN_TEXT, KEEP},
	},
	[IN_TEXT] = {
		[OCTET_DOT]   = {".", IN_TEXT, 0},
		[OCTET_CR]    = {"", BEHIND_CR, 0},
		[OCTET_LF]    = {"\r\n", AT_LINE, BARE},
		[OCTET_OTHER] = {"", IN_TEXT, KEEP},
	},
	[BEHIND_CR] = {
		[OCTET_DOT]   = {"\r\n", AT_LINE, BARE | KEEP},
		[OCTET_CR]    = {"\r\n", AT_LINE, BARE | KEEP},
		[OCTET_LF]    = {"\r\n", AT_LINE, 0},
		[OCTET_OTHER] = {"\r\n", AT_LINE, BARE | KEEP},
	},
};
/* clang-format on */

static enum octet
octet_of(char byte)
{
	switch (byte) {
	case '.':
		return OCTET_DOT;
	case '\r':
		return OCTET_CR;
	case '\n':
		return OCTET_LF;
	default:
		return OCTET_OTHER;
	}
}

/* Whether a line beginning with a dot is plainly neither the end nor to be changed. */
static bool
dot_is_stuffed(struct span line)
{
	return line.length >= 2 && line.at[1] != '\r' && line.at[1] != '\n';
}

/*
 * Octets at the front of a line, at most a window of them, that are text or text with
 * its CRLF. The rest of the line, if any, is for the table or the next call.
 */
static size_t
clean_line_length(struct span line, bool *complete)
{
	struct span window = span_take(line, WINDOW);
	const char *lf = memchr(window.at, '\n', window.length);
	size_t text = lf ? (size_t)(lf - window.at) : window.length;
	const char *cr = memchr(window.at, '\r', text);

	*complete = lf && cr && cr + 1 == lf;
	if (*complete)
		return text + 1;
	return cr ? (size_t)(cr - window.at) : text;
}

/*
 * In the registers of the machine: gcc and clang know how, and take two where one is
 * too small. Inlined, since how a function would return them depends on the machine.
 */
typedef unsigned char octets __attribute__((vector_size(32)));
#define INLINED inline __attribute__((always_inline))

static INLINED bool
octets_are_zero(const octets *value)
{
	uint64_t words[sizeof(*value) / sizeof(uint64_t)];

	memcpy(words, value, sizeof(words));
	return (words[0] | words[1] | words[2] | words[3]) == 0;
}

/*
 * Whether the octets of a block, and the one behind it, are text and CRLF alone,
 * without a dot at the start of a line.
 */
static INLINED bool
block_is_clean(const char *at)
{
	octets dirt = {0};

	for (size_t i = 0; i < BLOCK; i += sizeof(octets)) {
		octets these, next;

		memcpy(&these, at + i, sizeof(these));
		memcpy(&next, at + i + 1, sizeof(next));
		dirt |= (octets)(these == '\r') ^ (octets)(next == '\n');
		dirt |= (octets)(these == '\n') & (octets)(next == '.');
		dirt |= (octets)(these == '\0');
	}
	return octets_are_zero(&dirt);
}

/* The same as clean_line_length() of many lines, for input without dirt. */
static INLINED size_t
clean_blocks(struct span rest, bool *complete)
{
	size_t length = 0;

	if (rest.at[0] == '\n')
		return 0; /* what the blocks do not look at: the octet before */
	while (length + BLOCK < rest.length && block_is_clean(rest.at + length))
		length += BLOCK;
	/* the LF belongs to it, and is there: else the block were not clean */
	if (length && rest.at[length - 1] == '\r')
		length++;
	*complete = length && rest.at[length - 1] == '\n';
	return length;
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static size_t
clean_blocks_wide(struct span rest, bool *complete)
{
	return clean_blocks(rest, complete);
}
#endif

/* The hot path, as wide as the machine is. */
static size_t
clean_blocks_length(struct span rest, bool *complete)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2"))
		return clean_blocks_wide(rest, complete);
#endif
	return clean_blocks(rest, complete);
}

/* Octets at the front of input that are given back as they are; moves *state along. */
static size_t
clean_length(struct span input, bool stuffed, uint8_t *state, uint8_t *faults)
{
	size_t length = 0;

	while (length < input.length) {
		struct span rest = span_of(input.at + length, input.length - length);
		bool complete;
		size_t some;

		if (*state == AT_LINE && rest.at[0] == '.' &&
		    !(stuffed && dot_is_stuffed(rest)))
			break;
		some = clean_blocks_length(rest, &complete);
		if (some == 0) {
			some = clean_line_length(rest, &complete);
			if (memchr(rest.at, '\0', some))
				*faults |= SMTP_BODY_NUL;
		}
		if (some == 0)
			break;
		*state = complete ? AT_LINE : IN_TEXT;
		length += some;
	}
	return length;
}

/* One octet by the table: what comes out, perhaps nothing, and the rule's flags. */
static uint8_t
step(const struct rule rules[][OCTET_COUNT], struct span *input, uint8_t *state,
     uint8_t *faults, struct span *piece)
{
	const struct rule *rule = &rules[*state][octet_of(input->at[0])];

	*piece = span_from_string(rule->emit);
	*state = rule->then;
	if (rule->flags & BARE)
		*faults |= SMTP_BODY_BARE;
	if (!(rule->flags & KEEP))
		*input = span_skip(*input, 1);
	return rule->flags;
}

/* The longest clean piece; empty where the next octet is one for the table. */
static struct span
take_clean(struct span *input, bool stuffed, uint8_t *state, uint8_t *faults)
{
	struct span piece = span_of(NULL, 0);

	if (*state == AT_LINE || *state == IN_TEXT)
		piece = span_take(*input, clean_length(*input, stuffed, state, faults));
	*input = span_skip(*input, piece.length);
	return piece;
}

enum smtp_body_result
smtp_body_read(struct smtp_body_reader *reader, struct span *input, struct span *piece)
{
	while (!span_is_empty(*input)) {
		*piece = take_clean(input, true, &reader->state, &reader->faults);
		if (span_is_empty(*piece) &&
		    step(reader_rules, input, &reader->state, &reader->faults, piece) &
			    ENDED)
			return SMTP_BODY_ENDED;
		reader->length += piece->length;
		if (!span_is_empty(*piece))
			return SMTP_BODY_PIECE;
	}
	return SMTP_BODY_MORE;
}

/* Ends an unfinished last line. */
static enum smtp_body_result
finish(struct smtp_body_stuffer *stuffer, struct span *piece)
{
	if (stuffer->state == AT_LINE)
		return SMTP_BODY_ENDED;
	if (stuffer->state == BEHIND_CR)
		stuffer->faults |= SMTP_BODY_BARE;
	stuffer->state = AT_LINE;
	*piece = SPAN("\r\n");
	return SMTP_BODY_PIECE;
}

enum smtp_body_result
smtp_body_stuff(struct smtp_body_stuffer *stuffer, struct span *input, bool last,
		struct span *piece)
{
	while (!span_is_empty(*input)) {
		*piece = take_clean(input, false, &stuffer->state, &stuffer->faults);
		if (span_is_empty(*piece))
			step(stuffer_rules, input, &stuffer->state, &stuffer->faults,
			     piece);
		if (!span_is_empty(*piece))
			return SMTP_BODY_PIECE;
	}
	return last ? finish(stuffer, piece) : SMTP_BODY_MORE;
}
