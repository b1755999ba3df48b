#include "tools/load_connection.h"

#include <assert.h>

#define OUTPUT_MAX (UINT32_C(1) << 24)

/* Milliseconds before another try after a connection that was refused. */
#define RETRY_DELAY 100

static void connection_settle(struct connection *connection);

static void
connection_arm(struct connection *connection)
{
	struct load *load = connection->load;

	if (smtp_client_owed(&connection->client) || connection->shaking_hands)
		loop_timer_start(&load->loop, &connection->timer,
				 load->options->timeout);
	else if (connection->dialogue != DIALOGUE_DUE)
		loop_timer_stop(&load->loop, &connection->timer);
}

static void
connection_break(struct connection *connection, const char *cause)
{
	const struct smtp_client *client = &connection->client;
	const char *place = "idle";

	connection->over = true;
	/* a message that waits for its time goes over another connection */
	if (connection->dialogue == DIALOGUE_DUE)
		return;
	if (connection->shaking_hands)
		place = "handshake";
	else if (smtp_client_owed(client))
		place = smtp_step_name(client->owed[client->first].step);
	dialogue_fail(connection, place, cause);
}

static void
connection_sent(struct connection *connection, size_t count)
{
	size_t of_output = buffer_length(&connection->output);

	if (of_output > count)
		of_output = count;
	buffer_consume(&connection->output, of_output);
	connection->body = span_skip(connection->body, count - of_output);
}

static bool
connection_has_output(const struct connection *connection)
{
	return !buffer_is_empty(&connection->output) || connection->body.length;
}

static void
connection_flush(struct connection *connection)
{
	enum status status = STATUS_OK;

	while (!status && !connection->over && connection_has_output(connection)) {
		struct span output = buffer_span(&connection->output);
		struct iovec vectors[2] = {
			{(char *)output.at, output.length},
			{(char *)connection->body.at, connection->body.length},
		};
		size_t count = 0;
		bool skip = span_is_empty(output);

		status = stream_write(&connection->stream, vectors + skip, 2 - skip,
				      &count);
		connection_sent(connection, count);
	}
	if (status && status != STATUS_AGAIN)
		connection_break(connection, "lost");
}

/* rest: what came behind the reply. Before anything else is asked it is nobody's
 * answer. */
static void
connection_go_on(struct connection *connection, struct span rest)
{
	if (connection->over || smtp_client_owed(&connection->client))
		return;
	if (span_is_empty(rest))
		dialogue_advance(connection);
	else
		connection_break(connection, "broken reply");
}

static void
connection_take_replies(struct connection *connection, struct span *input)
{
	struct smtp_client *client = &connection->client;
	struct smtp_reply reply;
	enum smtp_step step;

	while (!connection->over) {
		switch (smtp_client_next(client, input, &step, &reply)) {
		case SMTP_CLIENT_MORE:
			return;
		case SMTP_CLIENT_BROKEN:
			connection_break(connection, "broken reply");
			return;
		case SMTP_CLIENT_REPLY:
			dialogue_reply(connection, step, &reply);
			connection_go_on(connection, *input);
		}
	}
}

/* Behind the beginning of a reply. */
static enum status
connection_read_more(struct connection *connection)
{
	struct span input;
	struct span all;
	enum status status;
	size_t count;
	char *room;

	status = buffer_reserve(&connection->pending, 4096, &room);
	if (status)
		return status;
	status = stream_read(&connection->stream, room, 4096, &count);
	buffer_commit(&connection->pending, status ? 0 : count);
	if (status)
		return status;
	input = all = buffer_span(&connection->pending);
	connection_take_replies(connection, &input);
	buffer_consume(&connection->pending, all.length - input.length);
	return STATUS_OK;
}

static enum status
connection_read(struct connection *connection)
{
	struct load *load = connection->load;
	struct span input;
	enum status status;
	size_t count;

	if (!buffer_is_empty(&connection->pending))
		return connection_read_more(connection);
	status = stream_read(&connection->stream, load->room, sizeof(load->room),
			     &count);
	if (status)
		return status;
	input = span_of(load->room, count);
	connection_take_replies(connection, &input);
	if (connection->over || span_is_empty(input))
		return STATUS_OK;
	return buffer_append(&connection->pending, input);
}

/* True: it can be read and written. The greeting follows, or it is ours to go on. */
static bool
connection_is_secured(struct connection *connection)
{
	if (!connection->shaking_hands)
		return true;
	switch (connection_shake_hands(connection)) {
	case STATUS_OK:
		connection_go_on(connection, span_of(NULL, 0));
		connection_flush(connection);
		return !connection->over;
	case STATUS_AGAIN:
		return false;
	default:
		connection_break(connection, stream_tls_error(&connection->stream));
		return false;
	}
}

static void
connection_exchange(struct connection *connection)
{
	enum status status = STATUS_OK;

	connection_flush(connection);
	while (!status && !connection->over && connection_is_secured(connection) &&
	       stream_is_readable(&connection->stream)) {
		status = connection_read(connection);
		if (status && status != STATUS_AGAIN)
			connection_break(connection, "lost");
		else if (!connection->over)
			connection_flush(connection);
	}
	connection_arm(connection);
}

/* False: there is nothing to exchange yet, or any more. */
static bool
connection_is_made(struct connection *connection)
{
	enum status status;

	if (!connection->stream.connecting)
		return true;
	status = stream_connected(&connection->stream);
	if (status == STATUS_AGAIN)
		return false;
	if (status) {
		dialogue_fail(connection, "connect", status_name(status));
		connection->over = connection->failed_to_open = true;
	} else if (connection->load->options->tls == LOAD_TLS_IMPLICIT) {
		connection_begin_tls(connection);
	}
	return status == STATUS_OK;
}

static void
connection_ready(struct stream *stream)
{
	struct connection *connection = CONTAINER_OF(stream, struct connection, stream);

	if (connection_is_made(connection))
		connection_exchange(connection);
	connection_settle(connection);
}

static void
connection_open(struct connection *connection)
{
	struct load *load = connection->load;
	const struct load_options *options = load->options;
	enum status status;

	load->totals.connections++;
	connection->dialogue = DIALOGUE_GREETING;
	connection->messages = 0;
	connection->plain_hello = false;
	connection->offers_tls = false;
	connection->opened = loop_microseconds();
	smtp_client_init(&connection->client);
	connection_arm(connection);
	status = stream_connect(&connection->stream, &load->loop, &options->target,
				options->source.length ? &options->source : NULL,
				connection_ready);
	if (status) {
		dialogue_fail(connection, "connect", status_name(status));
		connection->over = connection->failed_to_open = true;
	}
}

static void
connection_end(struct connection *connection)
{
	loop_timer_stop(&connection->load->loop, &connection->timer);
	stream_close(&connection->stream);
	buffer_clear(&connection->output);
	buffer_clear(&connection->pending);
	connection->body = span_of(NULL, 0);
	connection->shaking_hands = false;
}

/* Closes what is over and starts anew; the timer does that later where it failed to
 * open, so that a server that is down is not asked a thousand times a second. */
static void
connection_settle(struct connection *connection)
{
	struct load *load = connection->load;
	bool later = connection->failed_to_open;

	if (!connection->over)
		return;
	connection_end(connection);
	connection->over = connection->failed_to_open = false;
	connection_note_start(connection);
	if (load->options->idle)
		load_ended_one(load);
	else if (later)
		loop_timer_start(&load->loop, &connection->timer, RETRY_DELAY);
	else
		connection_start(connection);
}

void
connection_note_start(struct connection *connection)
{
	if (connection->started)
		return;
	connection->started = true;
	load_started_one(connection->load);
}

void
connection_start(struct connection *connection)
{
	struct load *load = connection->load;
	struct message *message = &connection->message;

	if (!load->options->idle && !message->taken) {
		*message = (struct message){0};
		message->taken = load_take(load, &message->number);
		if (!message->taken) {
			load_ended_one(load);
			return;
		}
	}
	if (message->taken && dialogue_wait(connection))
		return;
	connection_open(connection);
	/* a refusal known at once is told by the timer: no recursion through settle */
	if (connection->over)
		loop_timer_start(&load->loop, &connection->timer, 0);
}

static void
connection_time_came(struct timer *timer)
{
	struct connection *connection = CONTAINER_OF(timer, struct connection, timer);

	if (connection->over) {
		connection_settle(connection);
		return;
	}
	if (!stream_is_open(&connection->stream)) {
		connection_start(connection);
		return;
	}
	if (connection->dialogue == DIALOGUE_DUE) {
		dialogue_advance(connection);
		connection_flush(connection);
		connection_arm(connection);
	} else {
		connection_break(connection, connection->stream.connecting
						     ? "connect timeout"
						     : "timeout");
	}
	connection_settle(connection);
}

void
connection_init(struct connection *connection, struct load *load)
{
	*connection = (struct connection){.load = load};
	stream_init(&connection->stream);
	timer_init(&connection->timer, connection_time_came);
	buffer_init(&connection->output, OUTPUT_MAX);
	buffer_init(&connection->pending, 2 * SMTP_REPLY_BYTES_MAX);
}

void
connection_stop(struct connection *connection)
{
	if (connection->message.taken && connection->message.started)
		dialogue_fail(connection, "stopped", "in flight");
}

void
connection_free(struct connection *connection)
{
	connection_end(connection);
	tls_session_clear(&connection->tls_session);
}
