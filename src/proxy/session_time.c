/*
 * session_time: what a session waits for, and how long it may take.
 */
#include "proxy/session_internal.h"

/* Answers that wait for others: at most so many bytes, and so many milliseconds. */
#define HELD_BYTES 1024
#define HELD_TIME TIMER_TICK
/* Milliseconds for a client's line in AUTH. */
#define LOGIN_PATIENCE 30000

bool
session_is_in_message(const struct session *session)
{
	switch (session->smtp.state) {
	case SMTP_STATE_BODY:
	case SMTP_STATE_CHUNK:
	case SMTP_STATE_CHUNKED:
		return true;
	default:
		return false;
	}
}

/*
 * A client that pipelines is told once: what stands in the output goes with the answers
 * that are owed for what it has sent behind it (RFC 2920 3.2), if they come soon.
 */
bool
session_output_may_wait(const struct session *session)
{
	return smtp_server_owes(&session->smtp) && !session->closing &&
	       !session->held_long && buffer_length(&session->smtp.output) < HELD_BYTES;
}

static enum session_wait
awaited(const struct session *session)
{
	if (session->shaking_hands)
		return WAIT_HANDSHAKE;
	if (!buffer_is_empty(&session->smtp.output))
		return session_output_may_wait(session) ? WAIT_ANSWERS : WAIT_OUTPUT;
	if (!session->smtp.greeted)
		return WAIT_GREETING;
	if (session->congested || session->blocked || smtp_server_owes(&session->smtp))
		return WAIT_NOTHING;
	return session_is_in_message(session) ? WAIT_CONTENT : WAIT_COMMAND;
}

/* Programs say AUTH, and a server may be waiting with us. */
static int64_t
patience_with_command(const struct session *session)
{
	int64_t limit = session->listener->timeouts.command;

	return session->smtp.state == SMTP_STATE_AUTH && limit > LOGIN_PATIENCE
		       ? LOGIN_PATIENCE
		       : limit;
}

/* Milliseconds that a wait may take; 0: any. */
static int64_t
patience(const struct session *session, enum session_wait wait)
{
	switch (wait) {
	case WAIT_HANDSHAKE:
		return session->listener->timeouts.handshake;
	case WAIT_GREETING:
		return session->listener->greeting_delay;
	case WAIT_COMMAND:
		return patience_with_command(session);
	case WAIT_ANSWERS:
		return HELD_TIME;
	case WAIT_CONTENT:
	case WAIT_OUTPUT:
		return session->listener->timeouts.data;
	default:
		return 0;
	}
}

void
session_set_timer(struct session *session)
{
	enum session_wait wait = awaited(session);
	struct loop *loop = &session->worker->loop;
	int64_t limit = session->listener->timeouts.session;
	int64_t left = session->started + limit - loop->now;
	int64_t delay = patience(session, wait);

	if (wait == session->wait && !session->progressed &&
	    !(wait == WAIT_CONTENT && session->block_bytes >= SESSION_BLOCK))
		return;
	session->wait = (uint8_t)wait;
	session->progressed = false;
	session->block_bytes = 0;
	if (limit && (delay == 0 || left < delay))
		delay = left > 0 ? left : 1;
	if (delay)
		loop_timer_start(loop, &session->timer, delay);
	else
		loop_timer_stop(loop, &session->timer);
}
