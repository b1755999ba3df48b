#include "tools/sink_session.h"

#include "base/cleanup.h"
#include "smtp/proxy_header.h"

#include <sys/socket.h>

/* Input that waits behind a delay: never more than one read and an unfinished line. */
#define PENDING_MAX (2 * SINK_READ_SIZE)

/* Bytes of replies that are sent before more commands are looked at. */
#define OUTPUT_HIGH 16384

/* Reads in one go before others have their turn. */
#define READS_PER_TURN 8

/* A slow reader wakes up about that often a second. */
#define SLOW_READS_A_SECOND 20

void
session_free(struct session *session)
{
	struct sink *sink = session->sink;

	loop_timer_stop(&sink->loop, &session->timer);
	loop_undefer(&session->turn);
	if (session->reset)
		stream_abort(&session->stream);
	else
		stream_close(&session->stream);
	list_remove(&session->link);
	smtp_server_fini(&session->smtp);
	buffer_clear(&session->pending);
	envelope_reset(&session->envelope);
	store_abandon(session->message);
	slab_put(&sink->sessions, session);
}

void
session_retract(struct session *session, size_t mark)
{
	struct buffer *output = &session->smtp.output;
	size_t length = buffer_length(output);

	if (mark == 0)
		buffer_clear(output);
	else if (mark < length)
		output->end -= (uint32_t)(length - mark);
}

/* What follows DATA is kept as it came, so it is taken from the input, not the events.
 */
static void
session_keep(struct session *session, enum smtp_server_state state, struct span used,
	     const struct smtp_event *event)
{
	if (!session->message)
		return;
	if (state == SMTP_STATE_BODY)
		store_wire(session->message, used);
	else if (event->type == SMTP_EVENT_BODY)
		store_octets(session->message, event->body);
}

static void
session_flush(struct session *session)
{
	struct buffer *output = &session->smtp.output;
	enum status status = STATUS_OK;

	while (!status && !session->over && buffer_length(output) > session->held) {
		struct iovec vector = {(char *)buffer_span(output).at,
				       buffer_length(output) - session->held};
		size_t count = 0;

		status = stream_write(&session->stream, &vector, 1, &count);
		buffer_consume(output, count);
	}
	if (status && status != STATUS_AGAIN)
		session->over = true;
	if (session->closing && session->hold == HOLD_NOTHING &&
	    buffer_is_empty(output))
		session->over = true;
}

/* A long group of commands must not fill the output before its client reads replies. */
static bool
session_has_room(struct session *session)
{
	if (buffer_length(&session->smtp.output) > OUTPUT_HIGH)
		session_flush(session);
	return buffer_length(&session->smtp.output) <= OUTPUT_HIGH;
}

static bool
session_may_feed(const struct session *session)
{
	return !session->over && !session->closing && !session->awaits_header &&
	       !session->shaking_hands && session->hold == HOLD_NOTHING;
}

/* Hands the input to the protocol until it wants more or something holds it up. */
static void
session_feed(struct session *session, struct span *input)
{
	struct smtp_event event;

	while (session_may_feed(session) && session_has_room(session)) {
		enum smtp_server_state state = session->smtp.state;
		size_t mark = buffer_length(&session->smtp.output);
		struct span before = *input;

		smtp_server_next(&session->smtp, input, &event);
		session_keep(session, state,
			     span_take(before, before.length - input->length), &event);
		if (event.type == SMTP_EVENT_MORE || event.type == SMTP_EVENT_BLOCKED)
			return;
		session_answer(session, &event, mark);
	}
}

static void
session_feed_pending(struct session *session)
{
	struct span all = buffer_span(&session->pending);
	struct span input = all;

	if (span_is_empty(all))
		return;
	session_feed(session, &input);
	buffer_consume(&session->pending, all.length - input.length);
}

/* The speed at which a message is to be read; NULL: as fast as it comes. */
static const struct fault *
session_brake(const struct session *session)
{
	enum smtp_server_state state = session->smtp.state;

	if (state != SMTP_STATE_BODY && state != SMTP_STATE_CHUNK)
		return NULL;
	return session->body_plan.acts[FAULT_SLOW];
}

/* Bytes to ask for. */
static size_t
session_appetite(const struct session *session)
{
	const struct fault *slow = session_brake(session);
	uint64_t bytes;

	if (!slow)
		return SINK_READ_SIZE;
	bytes = slow->number / SLOW_READS_A_SECOND;
	return bytes > SINK_READ_SIZE ? SINK_READ_SIZE : bytes + 1;
}

static void
session_rest(struct session *session, size_t bytes)
{
	const struct fault *slow = session_brake(session);

	if (!slow || session->hold != HOLD_NOTHING)
		return;
	session->hold = HOLD_TIME;
	session->held = 0;
	loop_timer_start(&session->sink->loop, &session->timer,
			 (int64_t)(bytes * 1000 / slow->number));
}

/* The common case: nothing is left over and the sink's room will do. */
static enum status
session_read_fresh(struct session *session)
{
	struct sink *sink = session->sink;
	struct span input;
	size_t count;
	enum status status = stream_read(&session->stream, sink->room,
					 session_appetite(session), &count);

	if (status)
		return status;
	input = span_of(sink->room, count);
	session_feed(session, &input);
	session_rest(session, count);
	if (session->closing || session->over || span_is_empty(input))
		return STATUS_OK;
	return buffer_append(&session->pending, input);
}

/* Behind an unfinished line. */
static enum status
session_read_more(struct session *session)
{
	enum status status;
	size_t count;
	char *room;

	status = buffer_reserve(&session->pending, SMTP_COMMAND_LINE_MAX, &room);
	if (status)
		return status;
	status = stream_read(&session->stream, room, SMTP_COMMAND_LINE_MAX, &count);
	buffer_commit(&session->pending, status ? 0 : count);
	if (!status)
		session_feed_pending(session);
	return status;
}

/* Not while answers wait to be sent: then an end that is read finds none unsent. What
 * comes behind the answer to STARTTLS belongs to TLS. */
static bool
session_may_read(const struct session *session)
{
	return session_may_feed(session) && buffer_is_empty(&session->smtp.output) &&
	       !smtp_server_awaits_tls(&session->smtp);
}

static enum status
session_read(struct session *session)
{
	return buffer_is_empty(&session->pending) ? session_read_fresh(session)
						  : session_read_more(session);
}

static void
session_greet(struct session *session)
{
	struct fault_plan plan;

	if (smtp_server_greet(&session->smtp)) {
		session->over = true;
		return;
	}
	if (!fault_table_plan(&session->sink->options->faults, FAULT_GREETING, &plan))
		return;
	session_reply_instead(session, &plan, 0);
	session_misbehave(session, &plan, 0);
}

static void
session_welcome(struct session *session)
{
	if (session->sink->options->tls == SINK_TLS_IMPLICIT)
		session_begin_tls(session);
	else
		session_greet(session);
}

/* True: the session can go on, or wait. */
static bool
session_take_header(struct session *session, struct span bytes)
{
	struct proxy_header header;

	switch (proxy_header_read(bytes, &header)) {
	case PROXY_HEADER_MORE:
		return stream_await_more(&session->stream) == STATUS_OK;
	case PROXY_HEADER_COMPLETE:
		if (stream_skip(&session->stream, header.length))
			return false;
		session->awaits_header = false;
		session_welcome(session);
		return true;
	default:
		return false;
	}
}

/* Whoever sends no header, or a bad one, is left without a word. */
static void
session_read_header(struct session *session)
{
	char room[PROXY_HEADER_READ_MAX];
	size_t count;
	enum status status = stream_peek(&session->stream, room, sizeof(room), &count);

	if (status == STATUS_AGAIN)
		return;
	if (status || !session_take_header(session, span_of(room, count)))
		session->over = true;
}

/* By STARTTLS the client has been greeted already. */
static void
session_finish_handshake(struct session *session)
{
	if (session->over || session->closing || session->hold != HOLD_NOTHING)
		return;
	if (session_shake_hands(session) && !session->smtp.greeted)
		session_greet(session);
}

/* The client was told to begin TLS, and nothing is to be said any more in clear. */
static bool
session_turns_to_tls(const struct session *session)
{
	return session_may_feed(session) && smtp_server_awaits_tls(&session->smtp) &&
	       buffer_is_empty(&session->smtp.output);
}

static void
session_take_turn(struct session *session)
{
	enum status status = STATUS_OK;
	int reads = 0;

	if (session->awaits_header)
		session_read_header(session);
	if (session->shaking_hands)
		session_finish_handshake(session);
	session_feed_pending(session);
	session_flush(session);
	while (!status && session_may_read(session)) {
		if (++reads > READS_PER_TURN) {
			loop_defer(&session->sink->loop, &session->turn);
			return;
		}
		status = session_read(session);
		session_flush(session);
	}
	if (status && status != STATUS_AGAIN)
		session->over = true;
	if (session_turns_to_tls(session)) {
		session_begin_tls(session);
		loop_defer(&session->sink->loop, &session->turn);
	}
	/* one that will never answer has nothing to wait for but the end */
	if (session->hold == HOLD_SILENCE && stream_is_hung_up(&session->stream))
		session->over = true;
}

static void
session_run(struct session *session)
{
	session_take_turn(session);
	if (session->over)
		session_free(session);
}

static void
session_ready(struct stream *stream)
{
	session_run(CONTAINER_OF(stream, struct session, stream));
}

static void
session_turn_came(struct loop_task *task)
{
	session_run(CONTAINER_OF(task, struct session, turn));
}

/* A delay is over, or the next byte of a trickle is due. */
static void
session_time_came(struct timer *timer)
{
	struct session *session = CONTAINER_OF(timer, struct session, timer);

	if (!session->trickles)
		session->held = 0;
	else if (session->held)
		session->held--;
	session->hold = session->held ? HOLD_TRICKLE : HOLD_NOTHING;
	session->trickles = session->held != 0;
	if (session->trickles)
		loop_timer_start(&session->sink->loop, timer,
				 session->trickle_interval);
	session_run(session);
}

static void
session_turn_away(struct sink *sink, int fd)
{
	struct buffer line;

	sink->totals.turned_away++;
	buffer_init(&line, 1024);
	if (buffer_print(&line, "421 4.7.0 %s Error: too many connections\r\n",
			 sink->options->name) == STATUS_OK)
		send(fd, buffer_span(&line).at, buffer_length(&line),
		     MSG_NOSIGNAL | MSG_DONTWAIT);
	buffer_clear(&line);
	close(fd);
}

void
session_open(struct sink *sink, int fd)
{
	uint32_t limit = sink->options->max_connections;
	struct session *session;

	sink->totals.connections++;
	if (limit && sink->sessions.used >= limit) {
		session_turn_away(sink, fd);
		return;
	}
	session = slab_take(&sink->sessions);
	if (!session) {
		close(fd);
		return;
	}
	session->sink = sink;
	smtp_server_init(&session->smtp, &sink->smtp);
	buffer_init(&session->pending, PENDING_MAX);
	timer_init(&session->timer, session_time_came);
	session->turn.run = session_turn_came;
	list_append(&sink->open, &session->link);
	if (stream_adopt(&session->stream, &sink->loop, fd, session_ready))
		session->over = true;
	else if (sink->options->proxy)
		session->awaits_header = true;
	else
		session_welcome(session);
	session_run(session);
}
