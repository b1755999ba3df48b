#include "tools/sink_session.h"

#include <assert.h>

/* Neither a reply nor text. */
#define GARBAGE SPAN("\x16\x03\x01\0\xff\xfe 25O not a reply\r\n")

static void
session_say(struct session *session, struct span bytes)
{
	if (buffer_append(&session->smtp.output, bytes))
		session->over = true;
}

/* A reply that never seems to end; its last line does. */
static void
session_flood(struct session *session, uint64_t lines)
{
	struct buffer *output = &session->smtp.output;

	/* more than a server may say: the output's own limit is not meant for this */
	output->cap = UINT32_C(1) << 30;
	for (uint64_t line = 1; line < lines && !session->over; line++)
		session_say(session, SPAN("250-2.0.0 There is more to say\r\n"));
	session_say(session, SPAN("250 2.0.0 That was all\r\n"));
}

/* What is said instead of the reply, or after it. */
static void
session_replace(struct session *session, const struct fault_plan *plan, size_t mark)
{
	if (plan->acts[FAULT_RAW]) {
		session_retract(session, mark);
		session_say(session, plan->acts[FAULT_RAW]->text);
	}
	if (plan->acts[FAULT_GARBAGE]) {
		session_retract(session, mark);
		session_say(session, GARBAGE);
	}
	if (plan->acts[FAULT_FLOOD]) {
		session_retract(session, mark);
		session_flood(session, plan->acts[FAULT_FLOOD]->number);
	}
	if (plan->acts[FAULT_EXTRA])
		session_say(session, plan->acts[FAULT_EXTRA]->text);
}

void
session_reply_instead(struct session *session, const struct fault_plan *plan,
		      size_t mark)
{
	const struct fault *act = plan->acts[FAULT_REPLY];

	if (!act)
		return;
	session_retract(session, mark);
	session_say(session, act->text);
	session_say(session, SPAN("\r\n"));
	if (span_starts(act->text, SPAN("421")))
		session->closing = true;
}

static void
session_fall_silent(struct session *session)
{
	session->hold = HOLD_SILENCE;
	session->held = 0;
}

static void
session_wait(struct session *session, int64_t delay)
{
	session->hold = HOLD_TIME;
	loop_timer_start(&session->sink->loop, &session->timer, delay);
}

/* When the reply goes out: `held` bytes of it wait. */
static void
session_postpone(struct session *session, const struct fault_plan *plan, size_t mark)
{
	const struct fault *delay = plan->acts[FAULT_DELAY];
	const struct fault *split = plan->acts[FAULT_SPLIT];

	if (!delay && !split)
		return;
	session->held = (uint32_t)(buffer_length(&session->smtp.output) - mark);
	session->trickles = split != NULL;
	session->trickle_interval = split ? (int64_t)split->number : 0;
	session_wait(session, delay ? (int64_t)delay->number : 0);
}

void
session_misbehave(struct session *session, const struct fault_plan *plan, size_t mark)
{
	assert(mark <= buffer_length(&session->smtp.output));
	if (plan->acts[FAULT_SILENCE]) {
		session_retract(session, mark);
		session_fall_silent(session);
		return;
	}
	if (plan->acts[FAULT_DROP] || plan->acts[FAULT_RESET]) {
		session_retract(session, mark);
		session->reset = plan->acts[FAULT_RESET] != NULL;
		session->closing = true;
		/* a late drop: nothing is left to be held, the end itself waits */
		if (plan->acts[FAULT_DELAY])
			session_wait(session, (int64_t)plan->acts[FAULT_DELAY]->number);
		return;
	}
	session_replace(session, plan, mark);
	session->closing |= plan->acts[FAULT_DROP_AFTER_REPLY] != NULL;
	session_postpone(session, plan, mark);
}

/* Whether anything but time will pass. */
static bool
plan_ends_handshake(const struct fault_plan *plan)
{
	return plan->acts[FAULT_SILENCE] || plan->acts[FAULT_DROP] ||
	       plan->acts[FAULT_RESET] || plan->acts[FAULT_RAW] ||
	       plan->acts[FAULT_GARBAGE];
}

void
session_misbehave_in_handshake(struct session *session)
{
	const struct fault_plan *plan = &session->handshake_plan;
	struct sink *sink = session->sink;
	size_t count = 0;
	enum status status =
		stream_peek(&session->stream, sink->room, sizeof(sink->room), &count);

	if (status == STATUS_AGAIN)
		return;
	session->misbehaves_in_handshake = false;
	if (status) {
		session->over = true;
	} else if (!plan_ends_handshake(plan)) {
		session_wait(session, (int64_t)plan->acts[FAULT_DELAY]->number);
	} else {
		/* a close with octets unread would be a reset */
		if (stream_skip(&session->stream, count))
			session->over = true;
		session_misbehave(session, plan, 0);
		session->closing |= plan->acts[FAULT_RAW] || plan->acts[FAULT_GARBAGE];
	}
}

/* Whether it is time for it; it happens once in a message. */
static const struct fault *
body_act_take(struct fault_plan *plan, enum fault_what what, uint64_t received)
{
	const struct fault *act = plan->acts[what];

	if (!act)
		return NULL;
	/* the number of a delay is no count of octets: it comes with the first */
	if (what != FAULT_DELAY && received < act->number)
		return NULL;
	plan->acts[what] = NULL;
	return act;
}

void
session_misbehave_in_body(struct session *session, uint64_t received)
{
	struct fault_plan *plan = &session->body_plan;
	const struct fault *act;

	if ((act = body_act_take(plan, FAULT_REPLY, received))) {
		session_say(session, act->text);
		session_say(session, SPAN("\r\n"));
		session->answered_early = true;
	}
	if (body_act_take(plan, FAULT_EARLY_REPLY, received)) {
		session_say(session, SPAN("250 2.0.0 Ok, before its end\r\n"));
		session->answered_early = true;
	}
	if ((act = body_act_take(plan, FAULT_DELAY, received)))
		session_wait(session, (int64_t)act->number);
	if (body_act_take(plan, FAULT_SILENCE, received))
		session_fall_silent(session);
	if (body_act_take(plan, FAULT_DROP, received))
		session->closing = true;
	if (body_act_take(plan, FAULT_RESET, received))
		session->closing = session->reset = true;
}
