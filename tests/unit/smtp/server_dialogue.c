#include "server_dialogue.h"

#include "smtp/sasl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define QUESTIONS_MAX 128
#define TEXT_MAX 8192
#define SENT_MAX 65536

const struct smtp_server_options server_dialogue_options = {
	.hostname = SPAN("mx.test"),
	.max_message_size = 1000,
	.max_recipients = 3,
	.max_errors = 5,
	.max_idle_commands = 5,
};

static const struct smtp_extensions everything = {
	SMTP_PIPELINING | SMTP_SIZE | SMTP_8BITMIME | SMTP_SMTPUTF8 | SMTP_DSN |
		SMTP_ENHANCEDSTATUSCODES | SMTP_CHUNKING | SMTP_AUTH,
	1000, SASL_PLAIN | SASL_LOGIN | SASL_CRAM_MD5};

struct play {
	const struct server_dialogue *row;
	struct span line; /* of the dialogue, now */
	bool bytewise;
	struct smtp_server_options options;
	struct smtp_server server;
	char sent[SENT_MAX]; /* by the client */
	size_t sent_length;
	size_t shown;                      /* bytes of it that the server may look at */
	size_t taken;                      /* bytes of it that it has taken */
	struct smtp_event ahead;           /* what came behind a body, or MORE */
	uint32_t questions[QUESTIONS_MAX]; /* slots still open, the oldest first */
	size_t question_count;
};

static void
check(const struct play *play, bool right, const char *problem, struct span found)
{
	if (right)
		return;
	print_error("%s (%s)\n  at:    %.*s\n  %s: %.*s\n", play->row->name,
		    play->bytewise ? "byte by byte" : "whole", SPAN_ARGS(play->line),
		    problem, SPAN_ARGS(found));
	fail();
}

static void
check_status(const struct play *play, enum status status)
{
	check(play, status == STATUS_OK, "status",
	      span_from_string(status_name(status)));
}

static const struct token {
	const char *name;
	char octet;
} tokens[] = {{"<CR>", '\r'}, {"<LF>", '\n'}, {"<NUL>", '\0'}};

#define TOKEN_COUNT (sizeof(tokens) / sizeof(tokens[0]))

static char
take_octet(struct span *text)
{
	struct span name;
	char octet;

	for (size_t i = 0; i < TOKEN_COUNT; i++) {
		name = span_from_string(tokens[i].name);
		if (span_starts(*text, name)) {
			*text = span_skip(*text, name.length);
			return tokens[i].octet;
		}
	}
	octet = text->at[0];
	*text = span_skip(*text, 1);
	return octet;
}

/* text grows by the octets, the unprintable ones as tokens. */
static void
describe_octets(char *text, struct span octets)
{
	size_t end = strlen(text);

	for (size_t i = 0; i < octets.length; i++) {
		const char *name = NULL;

		for (size_t k = 0; k < TOKEN_COUNT; k++)
			if (tokens[k].octet == octets.at[i])
				name = tokens[k].name;
		if (name)
			end += (size_t)snprintf(text + end, TEXT_MAX - end, "%s", name);
		else
			end += (size_t)snprintf(text + end, TEXT_MAX - end, "%c",
						octets.at[i]);
		assert_true(end < TEXT_MAX);
	}
}

static void
client_sends(struct play *play, struct span text)
{
	while (text.length) {
		assert_true(play->sent_length < SENT_MAX);
		play->sent[play->sent_length++] = take_octet(&text);
	}
}

static void
client_repeats(struct play *play, struct span text)
{
	struct span count = span_cut(&text, ' ');

	for (long i = strtol(count.at, NULL, 10); i > 0; i--)
		client_sends(play, text);
}

static const char *const event_names[] = {
	[SMTP_EVENT_MORE] = "more",         [SMTP_EVENT_BLOCKED] = "blocked",
	[SMTP_EVENT_HELLO] = "hello",       [SMTP_EVENT_STARTTLS] = "starttls",
	[SMTP_EVENT_AUTH] = "auth",         [SMTP_EVENT_AUTH_RESPONSE] = "response",
	[SMTP_EVENT_MAIL] = "mail",         [SMTP_EVENT_RCPT] = "rcpt",
	[SMTP_EVENT_DATA] = "data",         [SMTP_EVENT_CHUNK] = "chunk",
	[SMTP_EVENT_BODY] = "body",         [SMTP_EVENT_CHUNK_END] = "chunk-end",
	[SMTP_EVENT_BODY_END] = "body-end", [SMTP_EVENT_ABANDON] = "abandon",
	[SMTP_EVENT_RSET] = "rset",         [SMTP_EVENT_REFUSED] = "refused",
	[SMTP_EVENT_QUIT] = "quit",         [SMTP_EVENT_CLOSE] = "close",
};

static void
describe_envelope(const struct smtp_event *event, char *text)
{
	struct span parameters = event->mail.parameters.text;

	snprintf(text, TEXT_MAX, "%s %.*s%s%.*s", event_names[event->type],
		 SPAN_ARGS(event->mail.path.mailbox), parameters.length ? " " : "",
		 SPAN_ARGS(parameters));
}

static void
describe_auth(const struct smtp_event *event, char *text)
{
	struct span initial = event->auth.initial;

	if (initial.at && !initial.length)
		initial = SPAN("=");
	snprintf(text, TEXT_MAX, "auth %.*s%s%.*s",
		 SPAN_ARGS(sasl_mechanism_name(event->auth.mechanism)),
		 initial.at ? " " : "", SPAN_ARGS(initial));
}

static void
describe_event(const struct smtp_event *event, char *text)
{
	switch (event->type) {
	case SMTP_EVENT_HELLO:
		snprintf(text, TEXT_MAX, "hello %.*s %.*s",
			 SPAN_ARGS(smtp_verb_name(event->hello.verb)),
			 SPAN_ARGS(event->hello.name));
		break;
	case SMTP_EVENT_AUTH:
		describe_auth(event, text);
		break;
	case SMTP_EVENT_AUTH_RESPONSE:
		snprintf(text, TEXT_MAX, "response %.*s", SPAN_ARGS(event->response));
		break;
	case SMTP_EVENT_MAIL:
	case SMTP_EVENT_RCPT:
		describe_envelope(event, text);
		break;
	case SMTP_EVENT_CHUNK:
		snprintf(text, TEXT_MAX, "chunk %llu%s",
			 (unsigned long long)event->chunk.size,
			 event->chunk.last ? " last" : "");
		break;
	case SMTP_EVENT_REFUSED:
		snprintf(text, TEXT_MAX, "refused %s",
			 smtp_refusal_name(event->refused.reason));
		break;
	default:
		snprintf(text, TEXT_MAX, "%s", event_names[event->type]);
	}
}

static bool
asks(enum smtp_event_type type)
{
	return type == SMTP_EVENT_HELLO || type == SMTP_EVENT_STARTTLS ||
	       type == SMTP_EVENT_AUTH || type == SMTP_EVENT_AUTH_RESPONSE ||
	       type == SMTP_EVENT_MAIL || type == SMTP_EVENT_RCPT ||
	       type == SMTP_EVENT_DATA || type == SMTP_EVENT_CHUNK_END ||
	       type == SMTP_EVENT_BODY_END;
}

static void
note_question(struct play *play, const struct smtp_event *event)
{
	if (!asks(event->type))
		return;
	assert_true(play->question_count < QUESTIONS_MAX);
	play->questions[play->question_count++] = event->slot;
}

/* Shows the server what it has seen so far, and more of it as long as it asks for more.
 */
static void
pull(struct play *play, struct smtp_event *event)
{
	struct span input;

	if (!play->bytewise)
		play->shown = play->sent_length;
	for (;;) {
		input = span_of(play->sent + play->taken, play->shown - play->taken);
		smtp_server_next(&play->server, &input, event);
		play->taken = play->shown - input.length;
		note_question(play, event);
		if (event->type != SMTP_EVENT_MORE || play->shown == play->sent_length)
			return;
		play->shown++;
	}
}

/*
 * The pieces of a body are one event; what comes behind it is kept. Of a body that is
 * then abandoned, how much of it came before is a matter of how the input was cut: no
 * event.
 */
static void
next_event(struct play *play, char *text)
{
	struct smtp_event event = play->ahead;

	play->ahead.type = SMTP_EVENT_MORE;
	if (event.type == SMTP_EVENT_MORE)
		pull(play, &event);
	if (event.type != SMTP_EVENT_BODY) {
		describe_event(&event, text);
		return;
	}
	strcpy(text, "body ");
	while (event.type == SMTP_EVENT_BODY) {
		describe_octets(text, event.body);
		pull(play, &event);
	}
	if (event.type == SMTP_EVENT_ABANDON)
		describe_event(&event, text);
	else
		play->ahead = event;
}

static void
expect_event(struct play *play, struct span wanted)
{
	char text[TEXT_MAX];

	next_event(play, text);
	check(play, span_equals(wanted, span_from_string(text)), "event",
	      span_from_string(text));
}

static uint32_t
take_question(struct play *play, size_t index)
{
	uint32_t slot;

	check(play, index < play->question_count, "open questions", SPAN("fewer"));
	slot = play->questions[index];
	play->question_count--;
	memmove(play->questions + index, play->questions + index + 1,
		(play->question_count - index) * sizeof(slot));
	return slot;
}

static void
answer(struct play *play, size_t index, struct span text)
{
	uint32_t slot = take_question(play, index);
	char octets[TEXT_MAX];
	struct smtp_reply reply;
	size_t length = 0;

	while (text.length && length < TEXT_MAX)
		octets[length++] = take_octet(&text);
	reply = smtp_reply_of(span_of(octets, length));
	check_status(play, smtp_server_answer(&play->server, slot, &reply));
}

static void
answer_hello(struct play *play, enum smtp_verb verb)
{
	check_status(play, smtp_server_hello(&play->server, take_question(play, 0),
					     verb, everything));
}

static void
challenge(struct play *play, struct span text)
{
	check_status(play, smtp_server_auth_challenge(&play->server,
						      take_question(play, 0), text));
}

static void
shake_hands(struct play *play)
{
	check(play, smtp_server_awaits_tls(&play->server), "TLS", SPAN("not awaited"));
	play->shown = play->taken = play->sent_length;
	smtp_server_encrypted(&play->server);
}

static void
expect_output(struct play *play, struct span wanted, bool last)
{
	struct span output = buffer_span(&play->server.output);
	struct span line = span_cut(&output, '\n');

	if (line.length)
		line.length--; /* its CR */
	check(play, span_equals(line, wanted), "output", line);
	check(play, !last || span_is_empty(output), "output behind it", output);
	buffer_consume(&play->server.output,
		       buffer_length(&play->server.output) - output.length);
}

static void
say_farewell(struct play *play, struct span text)
{
	struct smtp_reply reply = smtp_reply_of(text);

	smtp_server_farewell(&play->server, &reply);
}

static void
change_options(struct play *play, struct span text)
{
	struct span name = span_cut(&text, ' ');

	if (span_equals(name, SPAN("reject")))
		play->options.reject_bare = true;
	else if (span_equals(name, SPAN("lmtp")))
		play->options.lmtp = true;
	else if (span_equals(name, SPAN("tls")))
		play->options.tls = span_equals(text, SPAN("required"))
					    ? SMTP_TLS_REQUIRED
					    : SMTP_TLS_OFFERED;
	else if (span_equals(name, SPAN("auth")))
		play->options.auth = true;
	else if (span_equals(name, SPAN("auth-needs-tls")))
		play->options.auth = play->options.auth_needs_tls = true;
	else
		play->options.max_message_size = (uint64_t)strtol(text.at, NULL, 10);
}

static void
play_line(struct play *play)
{
	struct span text = span_skip(play->line, 3);
	char mark = play->line.at[1];

	switch (play->line.at[0]) {
	case 'C':
		if (mark == '*')
			client_repeats(play, text);
		else
			client_sends(play, text);
		if (mark == ':')
			client_sends(play, SPAN("\r\n"));
		break;
	case 'E':
		expect_event(play, text);
		break;
	case 'A':
		if (mark == ':')
			answer(play, 0, text);
		else
			answer(play, (size_t)(mark - '1'), span_skip(text, 1));
		break;
	case 'H':
		answer_hello(play, mark == '-' ? SMTP_HELO : SMTP_EHLO);
		break;
	case 'Q':
		challenge(play, text);
		break;
	case 'T':
		shake_hands(play);
		break;
	case 'S':
		if (mark == '*')
			buffer_clear(&play->server.output);
		else
			expect_output(play, text, mark == '.');
		break;
	case 'F':
		say_farewell(play, text);
		break;
	case 'O':
		change_options(play, text);
		break;
	default:
		check(play, false, "no such line", play->line);
	}
}

static void
play_row(const struct server_dialogue *row, bool bytewise)
{
	struct play *play = calloc(1, sizeof(*play));
	struct span rest = span_from_string(row->text);

	assert_non_null(play);
	play->row = row;
	play->bytewise = bytewise;
	play->options = server_dialogue_options;
	smtp_server_init(&play->server, &play->options);
	if (!span_starts(rest, SPAN("no banner\n"))) {
		check_status(play, smtp_server_greet(&play->server));
		buffer_clear(&play->server.output);
	} else {
		span_cut(&rest, '\n');
	}
	while (rest.length) {
		play->line = span_cut(&rest, '\n');
		play_line(play);
	}
	smtp_server_fini(&play->server);
	free(play);
}

void
server_dialogue_play(const struct server_dialogue *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		play_row(&rows[i], false);
		play_row(&rows[i], true);
	}
}
