#include "tools/load_connection.h"

#include <assert.h>

/* A message fails once, whatever else goes wrong with it later. */
static void
message_fail(struct connection *connection, struct span why)
{
	struct load *load = connection->load;
	struct message *message = &connection->message;

	if (!message->taken || message->failed)
		return;
	message->failed = true;
	load->totals.failed++;
	load_log_message(load, message->number, false, why);
}

static void
message_refused(struct connection *connection, const char *place,
		const struct smtp_reply *reply)
{
	load_count_failure(connection->load, place, reply, NULL);
	message_fail(connection, smtp_reply_first_line(reply));
}

static void
message_lost(struct connection *connection, const char *place, const char *cause)
{
	char why[FAILURE_NAME_MAX];

	snprintf(why, sizeof(why), "%s in %s", cause, place);
	load_count_failure(connection->load, place, NULL, cause);
	message_fail(connection, span_from_string(why));
}

static void
message_accept(struct connection *connection, const struct smtp_reply *reply)
{
	struct load *load = connection->load;
	struct load_totals *totals = &load->totals;
	struct message *message = &connection->message;

	totals->accepted++;
	totals->recipients += message->accepted;
	totals->bytes += message->length;
	load_log_message(load, message->number, true, smtp_reply_first_line(reply));
	/* whatever becomes of the connection now is not the message's fault */
	message->taken = false;
}

void
dialogue_fail(struct connection *connection, const char *place, const char *cause)
{
	message_lost(connection, place, cause);
	connection->message.taken = false;
	connection->over = true;
}

bool
dialogue_wait(struct connection *connection)
{
	struct load *load = connection->load;
	uint64_t due = load_due(load, connection->message.number);
	uint64_t now = loop_microseconds();

	if (due <= now)
		return false;
	connection->dialogue = DIALOGUE_DUE;
	connection->message.waited = true;
	loop_timer_start(&load->loop, &connection->timer,
			 (int64_t)((due - now + 999) / 1000));
	return true;
}

static void
message_begin(struct connection *connection)
{
	struct message *message = &connection->message;
	uint64_t now = loop_microseconds();
	uint64_t due = load_due(connection->load, message->number);

	/* one that had to wait for its turn is late from the time at which it was due;
	 * one that waited for its time is not: the wheel is coarser than what is
	 * measured */
	message->started = due && !message->waited ? due : now;
	connection->messages++;
	if (connection->load->options->pipelining)
		say_group(connection);
	else
		say_mail(connection);
}

/* One message has ended; another on the same connection, or QUIT. */
static void
message_next(struct connection *connection)
{
	struct load *load = connection->load;
	struct message *message = &connection->message;
	uint32_t limit = load->options->per_connection;

	*message = (struct message){0};
	if (limit == 0 || connection->messages < limit)
		message->taken = load_take(load, &message->number);
	if (!message->taken)
		say_quit(connection);
	else if (!dialogue_wait(connection))
		message_begin(connection);
}

static void
reply_to_greeting(struct connection *connection, const struct smtp_reply *reply)
{
	struct load *load = connection->load;

	if (!load->options->idle)
		connection_note_start(connection);
	if (reply->code != 220) {
		message_refused(connection, "greeting", reply);
		connection->message.taken = false;
		connection->over = true;
		return;
	}
	histogram_record(&load->totals.connect,
			 loop_microseconds() - connection->opened);
}

static void
reply_to_hello(struct connection *connection, const struct smtp_reply *reply)
{
	if (smtp_reply_is_positive(reply)) {
		connection->offers_tls =
			smtp_extensions_read(reply).set & SMTP_STARTTLS;
		return;
	}
	if (smtp_reply_is_permanent(reply) && !connection->plain_hello &&
	    !connection->load->options->lmtp) {
		connection->plain_hello = true;
		say_hello(connection);
		return;
	}
	message_refused(connection, "hello", reply);
	connection->message.taken = false;
	say_quit(connection);
}

static void
reply_to_starttls(struct connection *connection, const struct smtp_reply *reply)
{
	if (reply->code == 220)
		return;
	message_refused(connection, "starttls", reply);
	connection->message.taken = false;
	say_quit(connection);
}

static void
reply_to_mail(struct connection *connection, const struct smtp_reply *reply)
{
	if (!smtp_reply_is_positive(reply))
		message_refused(connection, "mail", reply);
}

static void
reply_to_rcpt(struct connection *connection, const struct smtp_reply *reply)
{
	struct load_totals *totals = &connection->load->totals;

	if (smtp_reply_is_positive(reply)) {
		connection->message.accepted++;
		return;
	}
	totals->recipients_failed++;
	if (connection->message.failed)
		return;
	/* the message may still go to the others */
	if (connection->load->options->recipients > 1)
		load_count_failure(connection->load, "rcpt", reply, NULL);
	else
		message_refused(connection, "rcpt", reply);
}

static void
reply_to_data(struct connection *connection, const struct smtp_reply *reply)
{
	connection->message.go_ahead = reply->code == 354;
	/* behind refused recipients its refusal says nothing new */
	if (reply->code != 354 && !connection->message.failed)
		message_refused(connection, "data", reply);
}

static void
reply_to_end(struct connection *connection, const struct smtp_reply *reply)
{
	struct load *load = connection->load;
	struct message *message = &connection->message;

	if (connection->body.length) {
		message_refused(connection, "body", reply);
		message->taken = false;
		connection->over = true;
		return;
	}
	if (!smtp_reply_is_positive(reply)) {
		load->totals.recipients_failed += load->options->lmtp;
		if (!message->failed)
			message_refused(connection, "end", reply);
	}
	if (message->failed || smtp_client_owed_to(&connection->client, SMTP_STEP_END))
		return;
	histogram_record(&load->totals.message, loop_microseconds() - message->started);
	message_accept(connection, reply);
}

static void
reply_to_quit(struct connection *connection, const struct smtp_reply *reply)
{
	struct load *load = connection->load;

	histogram_record(&load->totals.session,
			 loop_microseconds() - connection->opened);
	/* with --connect-only alone is there one still, unless it has failed */
	if (connection->message.taken && reply->code == 221) {
		load->totals.accepted++;
		load_log_message(load, connection->message.number, true,
				 smtp_reply_first_line(reply));
	} else if (connection->message.taken) {
		message_refused(connection, "quit", reply);
	}
	connection->message.taken = false;
	connection->over = true;
}

static void
reply_to_reset(struct connection *connection, const struct smtp_reply *reply)
{
	if (smtp_reply_is_positive(reply))
		return;
	load_count_failure(connection->load, "rset", reply, NULL);
	connection->message.taken = false;
	connection->over = true;
}

void
dialogue_reply(struct connection *connection, enum smtp_step step,
	       const struct smtp_reply *reply)
{
	static void (*const took[SMTP_STEP_COUNT])(struct connection *,
						   const struct smtp_reply *) = {
		[SMTP_STEP_GREETING] = reply_to_greeting,
		[SMTP_STEP_HELLO] = reply_to_hello,
		[SMTP_STEP_STARTTLS] = reply_to_starttls,
		[SMTP_STEP_MAIL] = reply_to_mail,
		[SMTP_STEP_RCPT] = reply_to_rcpt,
		[SMTP_STEP_DATA] = reply_to_data,
		[SMTP_STEP_END] = reply_to_end,
		[SMTP_STEP_RSET] = reply_to_reset,
		[SMTP_STEP_QUIT] = reply_to_quit,
	};

	assert(took[step]);
	took[step](connection, reply);
	if (reply->code != 421)
		return;
	/* whatever it was for, the server leaves */
	if (connection->message.taken && !connection->message.failed)
		message_refused(connection, smtp_step_name(step), reply);
	connection->message.taken = false;
	connection->over = true;
}

/* The envelope, step by step; the last is DATA. */
static void
advance_envelope(struct connection *connection)
{
	const struct load_options *options = connection->load->options;
	struct message *message = &connection->message;

	if (message->failed) {
		say_reset(connection);
	} else if (message->offered < options->recipients) {
		say_rcpt(connection);
	} else if (message->accepted == 0) {
		message_lost(connection, "rcpt", "all recipients refused");
		say_reset(connection);
	} else if (options->chunking) {
		say_message(connection);
	} else {
		say_data(connection);
	}
}

static void
advance_data(struct connection *connection)
{
	const struct load_options *options = connection->load->options;
	struct message *message = &connection->message;
	bool chunk = options->chunking && message->accepted > 0;

	if (message->accepted == 0 && !message->failed)
		message_lost(connection, "rcpt", "all recipients refused");
	if (message->go_ahead && message->accepted == 0)
		say_empty_message(connection);
	else if (!message->failed && (message->go_ahead || chunk))
		say_message(connection);
	else
		say_reset(connection);
}

/* A server that refused the message may still hold its envelope. */
static void
advance_body(struct connection *connection)
{
	if (connection->message.failed)
		say_reset(connection);
	else
		message_next(connection);
}

static bool
lacks_tls(const struct connection *connection)
{
	return connection->load->options->tls == LOAD_TLS_STARTTLS &&
	       !stream_is_tls(&connection->stream);
}

static void
fall_idle(struct connection *connection)
{
	connection->dialogue = DIALOGUE_IDLE;
	connection_note_start(connection);
}

static void
advance_greeting(struct connection *connection)
{
	const struct load_options *options = connection->load->options;
	bool speaks = lacks_tls(connection);

	if (options->connect_only && !speaks)
		say_quit(connection);
	else if (options->idle && !options->idle_hello && !speaks)
		fall_idle(connection);
	else
		say_hello(connection);
}

static void
advance_handshake(struct connection *connection)
{
	const struct load_options *options = connection->load->options;

	if (options->idle && !options->idle_hello)
		fall_idle(connection);
	else
		say_hello(connection);
}

/* In clear, where messages are to go through TLS, or for good. */
static void
advance_hello(struct connection *connection)
{
	const struct load_options *options = connection->load->options;

	if (lacks_tls(connection) && connection->offers_tls) {
		say_starttls(connection);
	} else if (lacks_tls(connection)) {
		message_lost(connection, "starttls", "not offered");
		connection->message.taken = false;
		say_quit(connection);
	} else if (options->connect_only) {
		say_quit(connection);
	} else if (options->idle) {
		fall_idle(connection);
	} else {
		message_begin(connection);
	}
}

void
dialogue_advance(struct connection *connection)
{
	switch (connection->dialogue) {
	case DIALOGUE_GREETING:
		advance_greeting(connection);
		break;
	case DIALOGUE_HELLO:
		advance_hello(connection);
		break;
	case DIALOGUE_STARTTLS:
		connection->dialogue = DIALOGUE_HANDSHAKE;
		connection_begin_tls(connection);
		break;
	case DIALOGUE_HANDSHAKE:
		advance_handshake(connection);
		break;
	case DIALOGUE_DUE:
		message_begin(connection);
		break;
	case DIALOGUE_ENVELOPE:
		advance_envelope(connection);
		break;
	case DIALOGUE_DATA:
		advance_data(connection);
		break;
	case DIALOGUE_BODY:
		advance_body(connection);
		break;
	case DIALOGUE_RESET:
		message_next(connection);
		break;
	case DIALOGUE_IDLE:
	case DIALOGUE_QUIT:
		break;
	}
}
