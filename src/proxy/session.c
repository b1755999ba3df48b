#include "proxy/session_internal.h"

#include "config/limits.h"
#include "proxy/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Reads of one client before the others have their turn. */
#define READS_A_TURN 4
/* Bytes of replies that are sent before more commands are taken. What is owed besides
 * has to have room behind them. */
#define OUTPUT_HIGH (LIMIT_SESSION_OUTPUT / 4)
static stream_ready on_ready;
static timer_expired on_timeout;
static void pump(struct session *session);

void
session_print_id(const struct session *session, char text[SESSION_ID_MAX])
{
	worker_print_id(session->worker, session->number, text);
}

/* ---- its end ---- */

void
session_free(struct session *session)
{
	smtp_server_fini(&session->smtp);
	buffer_clear(&session->input);
	free(session->helo);
	free(session->name);
	free(session->tls);
	login_free(session->login);
	free(session->destination);
	snapshot_unref(session->snapshot);
	slab_put(&session->worker->sessions, session);
}

static void
bury(struct session *session)
{
	struct worker *worker = session->worker;

	list_remove(&session->link);
	list_append(&worker->dead_sessions, &session->link);
	loop_undefer(&session->pump);
	worker_reap_later(worker);
}

static void
finish(struct session *session)
{
	journal_session(session, session->end);
	bury(session);
}

/* The client is no more. What a server may already have is waited for, to log the
 * truth. */
static void
leave(struct session *session, const char *why)
{
	if (session->gone)
		return;
	session->gone = true;
	session->end = why;
	loop_timer_stop(&session->worker->loop, &session->timer);
	stream_close(&session->stream);
	entrance_leave(session->tally, &session->client);
	session_forget_name(session);
	if (session->login)
		login_abandon(session->login);
	session_disown_upstreams(session);
	if (session->transaction)
		transaction_abort(session->transaction);
	else
		finish(session);
}

void
session_kill(struct session *session)
{
	leave(session, "cut");
}

void
session_transaction_over(struct session *session)
{
	session->transaction = NULL;
	if (session->gone)
		finish(session);
}

void
session_close_later(struct session *session, const char *why)
{
	if (session->closing)
		return;
	session->closing = true;
	session->end = why;
}

static void
say_farewell(struct session *session, const struct smtp_reply *reply, const char *why)
{
	smtp_server_farewell(&session->smtp, reply);
	session_close_later(session, why);
	session_resume(session);
}

void
session_stop(struct session *session)
{
	if (session->gone || session->closing)
		return;
	session->stopping = true;
	if (session->shaking_hands) { /* nothing can be said */
		leave(session, "stop");
		return;
	}
	if (session->transaction && transaction_is_in_flight(session->transaction))
		return;
	say_farewell(session,
		     &SMTP_REPLY("421 4.3.2 Service is shutting down, try again later"),
		     "stop");
}

/* ---- answers ---- */

void
session_answer(struct session *session, uint32_t slot, const struct smtp_reply *reply)
{
	if (session->gone)
		return;
	if (smtp_server_answer(&session->smtp, slot, reply) != STATUS_OK)
		session_close_later(session, "no memory");
	session_resume(session);
}

enum status
session_challenge(struct session *session, uint32_t slot, struct span challenge)
{
	enum status status =
		smtp_server_auth_challenge(&session->smtp, slot, challenge);

	if (status == STATUS_INVALID)
		return status;
	if (status != STATUS_OK)
		session_close_later(session, "no memory");
	session_resume(session);
	return STATUS_OK;
}

void
session_resume(struct session *session)
{
	if (session->gone)
		return;
	session->blocked = false;
	loop_defer(&session->worker->loop, &session->pump);
}

/* ---- input ---- */

static bool
is_congested(struct session *session)
{
	session->congested =
		session->transaction && transaction_is_congested(session->transaction);
	return session->congested;
}

static bool
is_full(struct session *session)
{
	session->full = buffer_length(&session->smtp.output) >= OUTPUT_HIGH;
	return session->full;
}

/* Takes events until the input is used up, or must wait. */
static void
take_events(struct session *session, struct span *input)
{
	struct smtp_event event;

	while (!session->closing && !session->gone && !is_congested(session) &&
	       !is_full(session)) {
		size_t before = input->length;

		smtp_server_next(&session->smtp, input, &event);
		if (session_is_in_message(
			    session)) /* what is thrown away counts as well */
			session->block_bytes += (uint32_t)(before - input->length);
		if (event.type == SMTP_EVENT_MORE)
			break;
		if (event.type == SMTP_EVENT_BLOCKED) {
			session->blocked = true;
			break;
		}
		session_take_event(session, &event);
		if (event.type != SMTP_EVENT_BODY)
			session->progressed = true;
	}
	if (session->transaction)
		transaction_push(session->transaction);
}

static void
take_kept_input(struct session *session)
{
	struct span input = buffer_span(&session->input);
	size_t before = input.length;

	take_events(session, &input);
	buffer_consume(&session->input, before - input.length);
}

static bool
keep_input(struct session *session, struct span input)
{
	if (span_is_empty(input) || buffer_append(&session->input, input) == STATUS_OK)
		return true;
	session_close_later(session, "no memory");
	return false;
}

/* Bytes that have just come: straight from where they were read, where nothing is kept.
 */
static void
take_input(struct session *session, struct span bytes)
{
	if (!buffer_is_empty(&session->input)) {
		if (keep_input(session, bytes))
			take_kept_input(session);
		return;
	}
	take_events(session, &bytes);
	if (!session->closing && !session->gone)
		keep_input(session, bytes);
}

static bool
may_read(const struct session *session)
{
	return !session->gone && !session->closing && !session->input_ended &&
	       !session->shaking_hands && !session->blocked && !session->congested &&
	       !session->full &&
	       (buffer_is_empty(&session->smtp.output) ||
		session_output_may_wait(session)) &&
	       stream_is_readable(&session->stream);
}

/* Leaves nothing of what a client has said to prove who it is. */
static void
wipe_scratch(const struct session *session, size_t count)
{
	if (session->listener->smtp.auth)
		explicit_bzero(session->worker->scratch, count);
}

/* One read; false when there was nothing. */
static bool
read_once(struct session *session)
{
	char *scratch = session->worker->scratch;
	bool may_be_secret;
	size_t count;

	switch (stream_read(&session->stream, scratch, LIMIT_READ, &count)) {
	case STATUS_OK:
		may_be_secret = !login_is_done(session->login);
		take_input(session, span_of(scratch, count));
		if (may_be_secret)
			wipe_scratch(session, count);
		return true;
	case STATUS_AGAIN:
		return false;
	case STATUS_END:
		session->input_ended = true;
		return false;
	default:
		leave(session, "lost");
		return false;
	}
}

/* ---- output ---- */

static enum status
write_some(struct session *session, struct span bytes, size_t *count)
{
	struct iovec vector = {(void *)bytes.at, bytes.length};

	/* a close with input unread resets, and what was not sent yet is dropped */
	if (session->closing && !stream_is_readable(&session->stream))
		return stream_write_last(&session->stream, &vector, 1, count);
	return stream_write(&session->stream, &vector, 1, count);
}

static void
send_output(struct session *session)
{
	struct buffer *output = &session->smtp.output;

	if (session_output_may_wait(session))
		return;
	session->held_long = true; /* the rest of what is begun */
	while (!buffer_is_empty(output)) {
		size_t count;

		switch (write_some(session, buffer_span(output), &count)) {
		case STATUS_OK:
			buffer_consume(output, count);
			break;
		case STATUS_AGAIN:
			return;
		default:
			leave(session, "lost");
			return;
		}
	}
	session->held_long = false;
}

/* ---- time ---- */

static void
greet(struct session *session)
{
	session->progressed = true;
	if (smtp_server_greet(&session->smtp) != STATUS_OK)
		leave(session, "no memory");
	else
		pump(session);
}

static void
begin_greeting(struct session *session)
{
	if (session->listener->greeting_delay)
		session_set_timer(session);
	else
		greet(session);
}

static void
on_timeout(struct timer *timer)
{
	struct session *session = CONTAINER_OF(timer, struct session, timer);

	switch ((enum session_wait)session->wait) {
	case WAIT_GREETING:
		greet(session);
		break;
	case WAIT_ANSWERS:
		session->held_long = true;
		pump(session);
		break;
	case WAIT_HANDSHAKE:
		journal_handshake(session, "no end of the handshake in time");
		leave(session, "timeout");
		break;
	case WAIT_OUTPUT:
		leave(session, "timeout");
		break;
	case WAIT_NOTHING: /* timeouts.session is over while a server has the word */
		session->stopping = true;
		break;
	default:
		say_farewell(session,
			     &SMTP_REPLY("421 4.4.2 Timeout, closing connection"),
			     "timeout");
		break;
	}
}

/* ---- the pump ---- */

/* Whether all that the client could still be told has been said. */
static bool
is_finished(const struct session *session)
{
	if (!buffer_is_empty(&session->smtp.output))
		return false;
	if (session->closing)
		return true;
	return session->input_ended && !session->blocked && !session->congested &&
	       !session->full && !smtp_server_owes(&session->smtp);
}

/*
 * The client was told to begin TLS: what has come from it so far came in clear, and is
 * thrown away (CVE-2011-0411).
 */
static void
start_tls(struct session *session)
{
	buffer_clear(&session->input);
	session->blocked = false;
	if (session_begin_tls(session))
		session_resume(session);
	else
		leave(session, "no memory");
}

/* False: the handshake goes on, or was in vain. */
static bool
finish_handshake(struct session *session)
{
	switch (session_shake_hands(session)) {
	case STATUS_OK:
		if (!session->smtp.greeted)
			begin_greeting(session);
		return !session->gone;
	case STATUS_AGAIN:
		session_set_timer(session);
		return false;
	default:
		leave(session, "handshake");
		return false;
	}
}

static void
pump(struct session *session)
{
	if (session->gone || (session->shaking_hands && !finish_handshake(session)))
		return;
	if (!buffer_is_empty(&session->smtp.output))
		send_output(session);
	if (!session->gone && !session->blocked)
		take_kept_input(session);
	if (!session->gone)
		send_output(session);
	for (int reads = 0; may_read(session); reads++) {
		if (reads == READS_A_TURN) {
			session_resume(session);
			break;
		}
		if (!read_once(session))
			break;
		send_output(session);
	}
	if (session->gone)
		return;
	send_output(session);
	if (session->full && buffer_is_empty(&session->smtp.output))
		session_resume(session);
	if (!session->gone && session->input_ended && session_is_in_message(session) &&
	    !session->congested && !session->full && !session->blocked)
		leave(session, "lost");
	if (session->gone)
		return;
	if (smtp_server_awaits_tls(&session->smtp) &&
	    buffer_is_empty(&session->smtp.output)) {
		start_tls(session);
		return;
	}
	if (session->stopping && !session->transaction && !session->closing)
		session_stop(session);
	if (is_finished(session))
		leave(session, session->end ? session->end : "lost");
	else
		session_set_timer(session);
}

static void
pump_later(struct loop_task *task)
{
	pump(CONTAINER_OF(task, struct session, pump));
}

static void
on_ready(struct stream *stream)
{
	pump(CONTAINER_OF(stream, struct session, stream));
}

/* ---- its begin ---- */

/* TLS from the first byte: the greeting comes behind the handshake. */
static void
begin_encrypted(struct session *session)
{
	if (!session_may_handshake(session)) {
		journal_handshake(session, "over handshake-rate");
		leave(session, "refused");
	} else if (!session_begin_tls(session)) {
		leave(session, "no memory");
	} else {
		pump(session);
	}
}

static void
begin(struct session *session, int fd)
{
	struct worker *worker = session->worker;

	smtp_server_init(&session->smtp, &session->listener->smtp);
	buffer_init(&session->input, LIMIT_SESSION_INPUT);
	if (session->listener->smtp.auth)
		buffer_keep_secret(&session->input);
	timer_init(&session->timer, on_timeout);
	session->pump.run = pump_later;
	session->started = worker->loop.now;
	session->number = worker_next_number(worker);
	list_init(&session->upstreams);
	list_append(&worker->live_sessions, &session->link);
	tally_add(&session->tally->sessions, 1);
	if (stream_adopt(&session->stream, &worker->loop, fd, on_ready) != STATUS_OK)
		leave(session, "lost");
	else if (session->listener->tls == LISTENER_TLS_IMPLICIT)
		begin_encrypted(session);
	else
		begin_greeting(session);
}

static struct endpoint *
copy_endpoint(const struct endpoint *endpoint)
{
	struct endpoint *copy = malloc(sizeof(*copy));

	if (copy)
		*copy = *endpoint;
	return copy;
}

bool
session_open(struct worker *worker, const struct arrival *arrival, int fd)
{
	struct session *session = slab_take(&worker->sessions);

	if (!session)
		return false;
	if (arrival->destination.length) {
		session->destination = copy_endpoint(&arrival->destination);
		if (!session->destination) {
			slab_put(&worker->sessions, session);
			return false;
		}
	}
	session->worker = worker;
	session->listener = arrival->listener;
	session->tally = arrival->tally;
	session->client = arrival->client;
	session->snapshot = snapshot_ref(worker->proxy->snapshot);
	begin(session, fd);
	return true;
}
