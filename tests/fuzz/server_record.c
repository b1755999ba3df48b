#include "server_record.h"

#include "smtp/sasl.h"
#include "smtp/server.h"

#include <assert.h>
#include <stdlib.h>

/* Among them all that is open can be: more than the server has slots. */
#define OPEN_MAX 128

struct play {
	struct smtp_server server;
	struct buffer *record;
	struct buffer body; /* not in the record yet: it may be abandoned */
	uint32_t open[OPEN_MAX];
	size_t open_count;
};

static void
must(enum status status)
{
	assert(status == STATUS_OK);
}

static void
answer(struct play *play, uint32_t slot, const char *text)
{
	struct smtp_reply reply = smtp_reply_of(span_from_string(text));

	must(smtp_server_answer(&play->server, slot, &reply));
}

static void
leave_open(struct play *play, uint32_t slot)
{
	assert(play->open_count < OPEN_MAX);
	play->open[play->open_count++] = slot;
}

/* The newest first, which is not the order in which they have to come out. */
static void
answer_open(struct play *play)
{
	while (play->open_count) {
		uint32_t slot = play->open[--play->open_count];

		answer(play, slot,
		       slot % 5 ? "250 2.0.0 Late" : "450-4.0.0 Late\r\n450 no");
	}
}

static void
answer_hello(struct play *play, const struct smtp_event *event)
{
	struct smtp_extensions offered = {SMTP_SIZE | SMTP_SMTPUTF8 | SMTP_DSN |
						  SMTP_8BITMIME | SMTP_CHUNKING |
						  SMTP_AUTH,
					  100, SASL_PLAIN | SASL_LOGIN | SASL_NTLM};

	if (event->slot % 16 == 15)
		answer(play, event->slot, "450 4.7.0 Not you");
	else
		must(smtp_server_hello(&play->server, event->slot, event->hello.verb,
				       offered));
}

static void
answer_data(struct play *play, uint32_t slot)
{
	if (slot % 8 == 7)
		return; /* whatever comes now is too early */
	answer_open(play);
	answer(play, slot, slot % 8 == 5 ? "554 5.5.1 No" : "354 Go");
}

static void
write_output(struct play *play)
{
	struct buffer *output = &play->server.output;

	must(buffer_append(play->record, buffer_span(output)));
	buffer_clear(output);
}

static void
answer_starttls(struct play *play, uint32_t slot)
{
	if (slot % 4 == 3) {
		answer(play, slot, "454 4.7.0 Not now");
		return;
	}
	answer(play, slot, "220 2.0.0 Go");
	assert(smtp_server_awaits_tls(&play->server));
	write_output(play);
	smtp_server_encrypted(&play->server);
}

static void
answer_auth(struct play *play, uint32_t slot)
{
	if (slot % 2)
		must(smtp_server_auth_challenge(&play->server, slot, SPAN("eA==")));
	else if (slot % 8 == 2)
		leave_open(play, slot);
	else
		answer(play, slot, slot % 8 ? "535 5.7.8 No" : "235 2.7.0 Welcome");
}

static void
answer_event(struct play *play, const struct smtp_event *event)
{
	switch (event->type) {
	case SMTP_EVENT_HELLO:
		answer_hello(play, event);
		break;
	case SMTP_EVENT_STARTTLS:
		answer_starttls(play, event->slot);
		break;
	case SMTP_EVENT_AUTH:
	case SMTP_EVENT_AUTH_RESPONSE:
		answer_auth(play, event->slot);
		break;
	case SMTP_EVENT_DATA:
		answer_data(play, event->slot);
		break;
	case SMTP_EVENT_BLOCKED:
		answer_open(play);
		break;
	case SMTP_EVENT_MAIL:
	case SMTP_EVENT_RCPT:
	case SMTP_EVENT_CHUNK_END:
	case SMTP_EVENT_BODY_END:
		if (event->slot % 3 == 0)
			answer(play, event->slot, "250 2.0.0 Ok");
		else
			leave_open(play, event->slot);
		break;
	default:
		break;
	}
}

static void
write_envelope(struct buffer *record, const struct smtp_event *event)
{
	must(buffer_print(record, "<%.*s> %.*s size=%llu",
			  SPAN_ARGS(event->mail.path.mailbox),
			  SPAN_ARGS(event->mail.parameters.text),
			  (unsigned long long)event->mail.parameters.size));
}

static void
write_auth(struct buffer *record, const struct smtp_event *event)
{
	bool absent = event->type == SMTP_EVENT_AUTH && !event->auth.initial.at;

	if (event->type == SMTP_EVENT_AUTH)
		must(buffer_print(record, "%x %d %.*s", event->auth.mechanism, absent,
				  SPAN_ARGS(event->auth.initial)));
	else
		must(buffer_append(record, event->response));
}

static void
write_body(struct play *play)
{
	must(buffer_append(play->record, buffer_span(&play->body)));
	buffer_clear(&play->body);
}

static void
write_event(struct play *play, const struct smtp_event *event)
{
	struct buffer *record = play->record;

	if (event->type == SMTP_EVENT_BODY) {
		must(buffer_append(&play->body, event->body));
		return;
	}
	if (event->type == SMTP_EVENT_BODY_END || event->type == SMTP_EVENT_CHUNK_END)
		write_body(play);
	if (event->type == SMTP_EVENT_ABANDON)
		buffer_clear(&play->body);
	must(buffer_print(record, "\n%d state=%d ", event->type, play->server.state));
	if (event->type == SMTP_EVENT_HELLO)
		must(buffer_append(record, event->hello.name));
	if (event->type == SMTP_EVENT_AUTH || event->type == SMTP_EVENT_AUTH_RESPONSE)
		write_auth(record, event);
	if (event->type == SMTP_EVENT_MAIL || event->type == SMTP_EVENT_RCPT)
		write_envelope(record, event);
	if (event->type == SMTP_EVENT_CHUNK)
		must(buffer_print(record, "%llu",
				  (unsigned long long)event->chunk.size));
	if (event->type == SMTP_EVENT_REFUSED)
		must(buffer_append(record, event->refused.reply));
}

/* One event from a copy of its own, so that reading behind what is shown is caught. */
static enum smtp_event_type
next_event(struct play *play, struct span *input)
{
	char *copy = malloc(input->length + 1);
	struct smtp_event event;
	struct span rest;

	assert(copy);
	if (input->length)
		memcpy(copy + 1, input->at, input->length);
	rest = span_of(copy + 1, input->length);
	smtp_server_next(&play->server, &rest, &event);
	*input = span_skip(*input, input->length - rest.length);
	if (event.type != SMTP_EVENT_MORE) {
		write_event(play, &event);
		answer_event(play, &event);
	}
	free(copy);
	return event.type;
}

static void
play_input(struct play *play, struct span input, size_t piece)
{
	struct span shown = span_take(input, piece);
	enum smtp_event_type type = SMTP_EVENT_MORE;
	size_t before;

	while (type != SMTP_EVENT_QUIT && type != SMTP_EVENT_CLOSE) {
		before = shown.length;
		type = next_event(play, &shown);
		input = span_skip(input, before - shown.length);
		if (type == SMTP_EVENT_MORE && shown.length == input.length)
			break;
		if (type == SMTP_EVENT_MORE)
			shown = span_take(input, shown.length + piece);
		else
			shown = span_take(input, shown.length);
	}
}

/* Required seldom, for little happens then. */
static enum smtp_tls_policy
tls_policy(size_t length)
{
	if (length % 16 == 15)
		return SMTP_TLS_REQUIRED;
	return length % 8 >= 5 ? SMTP_TLS_OFFERED : SMTP_TLS_OFF;
}

void
server_record(struct span input, size_t piece, struct buffer *record)
{
	struct smtp_server_options options = {.hostname = SPAN("mx.test"),
					      .max_message_size = 100,
					      .max_recipients = 3,
					      .max_errors = 20,
					      .max_idle_commands = 100,
					      .reject_bare = input.length % 2,
					      .tls = tls_policy(input.length),
					      .auth = input.length % 8 >= 3,
					      .auth_needs_tls = input.length % 8 == 7};
	struct play play = {.record = record};

	buffer_init(&play.body, SERVER_RECORD_MAX);
	smtp_server_init(&play.server, &options);
	must(smtp_server_greet(&play.server));
	play_input(&play, input, piece);
	write_body(&play);
	write_output(&play);
	smtp_server_fini(&play.server);
}
