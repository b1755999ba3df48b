#include "tools/sink_session.h"

#include <fnmatch.h>
#include <stdio.h>
#include <unistd.h>

#define MESSAGE_ID_MAX 32

static void
session_reply(struct session *session, uint32_t slot, struct span text)
{
	struct smtp_reply reply = smtp_reply_of(text);

	if (smtp_server_answer(&session->smtp, slot, &reply))
		session->over = true;
}

/* The planned reply where there is one, else the usual. */
static struct span
reply_choose(const struct fault_plan *plan, struct span usual)
{
	return plan->acts[FAULT_REPLY] ? plan->acts[FAULT_REPLY]->text : usual;
}

static bool
reply_is_positive(struct span text)
{
	return text.at[0] < '4';
}

/* The reply to a recipient that is refused on request; .at is NULL where it is not. */
static struct span
refusal_find(const struct sink_refusals *refusals, struct span mailbox)
{
	char name[SMTP_PATH_MAX + 1];
	size_t length = mailbox.length < SMTP_PATH_MAX ? mailbox.length : SMTP_PATH_MAX;

	if (refusals->count == 0)
		return span_of(NULL, 0);
	memcpy(name, mailbox.at, length);
	name[length] = '\0';
	for (unsigned at = 0; at < refusals->count; at++) {
		if (fnmatch(refusals->rows[at].pattern, name, FNM_CASEFOLD) == 0)
			return refusals->rows[at].reply;
	}
	return span_of(NULL, 0);
}

/* A transaction has ended, well or not. */
static void
session_forget(struct session *session)
{
	store_abandon(session->message);
	session->message = NULL;
	session->receiving = false;
	session->answered_early = false;
	session->misbehaves_in_body = false;
	if (session->sink->keeps_envelope)
		envelope_reset(&session->envelope);
}

/* Behind the last line, which says now that another one follows: smtp/extensions prints
 * nothing that no client may hear of. */
static void
announce_xclient(struct session *session)
{
	struct buffer *output = &session->smtp.output;
	struct span said = buffer_span(output);
	const char *before = memrchr(said.at, '\n', said.length - 1);
	size_t last = before ? (size_t)(before + 1 - said.at) : 0;

	output->storage[output->start + last + sizeof("250") - 1] = '-';
	if (buffer_print(output, "250 XCLIENT NAME ADDR PORT PROTO HELO\r\n"))
		session->over = true;
}

static void
answer_hello(struct session *session, const struct smtp_event *event,
	     const struct fault_plan *plan)
{
	const struct sink_options *options = session->sink->options;

	session_forget(session);
	if (plan->acts[FAULT_REPLY])
		session_reply(session, event->slot, plan->acts[FAULT_REPLY]->text);
	else if (options->no_ehlo && event->hello.verb != SMTP_HELO)
		session_reply(session, event->slot,
			      SPAN("502 5.5.1 EHLO is not spoken"));
	else if (smtp_server_hello(&session->smtp, event->slot, event->hello.verb,
				   options->offered))
		session->over = true;
	else if (options->xclient && event->hello.verb != SMTP_HELO)
		announce_xclient(session);
}

static void
answer_starttls(struct session *session, const struct smtp_event *event,
		const struct fault_plan *plan)
{
	session_reply(session, event->slot,
		      reply_choose(plan, SPAN("220 2.0.0 Ready to start TLS")));
}

static void
answer_mail(struct session *session, const struct smtp_event *event,
	    const struct fault_plan *plan)
{
	struct sink *sink = session->sink;
	struct span reply = reply_choose(plan, SPAN("250 2.1.0 Ok"));

	if (reply_is_positive(reply))
		sink->totals.transactions++;
	if (sink->keeps_envelope &&
	    envelope_set_sender(&session->envelope, event->mail.path.mailbox))
		reply = SPAN("451 4.3.0 Out of memory");
	session_reply(session, event->slot, reply);
}

static void
answer_rcpt(struct session *session, const struct smtp_event *event,
	    const struct fault_plan *plan)
{
	struct sink *sink = session->sink;
	struct span mailbox = event->rcpt.path.mailbox;
	struct span refusal = refusal_find(&sink->options->at_recipient, mailbox);
	struct span reply =
		reply_choose(plan, refusal.at ? refusal : SPAN("250 2.1.5 Ok"));

	if (sink->keeps_envelope && reply_is_positive(reply) &&
	    envelope_add(&session->envelope, mailbox,
			 refusal_find(&sink->options->at_end, mailbox)))
		reply = SPAN("451 4.3.0 Out of memory");
	session_reply(session, event->slot, reply);
}

/* Before the first octet of a message. */
static void
session_receive(struct session *session)
{
	struct sink *sink = session->sink;

	if (session->receiving)
		return;
	session->receiving = true;
	session->misbehaves_in_body = fault_table_plan(&sink->options->faults,
						       FAULT_BODY, &session->body_plan);
	if (store_is_open(&sink->store))
		session->message = store_begin(&sink->store, &session->envelope);
}

static void
answer_data(struct session *session, const struct smtp_event *event,
	    const struct fault_plan *plan)
{
	struct span reply =
		reply_choose(plan, SPAN("354 End data with <CR><LF>.<CR><LF>"));

	if (span_starts(reply, SPAN("354")))
		session_receive(session);
	session_reply(session, event->slot, reply);
}

static void
answer_chunk_end(struct session *session, const struct smtp_event *event,
		 const struct fault_plan *plan)
{
	session_reply(session, event->slot, reply_choose(plan, SPAN("250 2.0.0 Ok")));
}

/* False: it could not be kept. */
static bool
session_commit(struct session *session, const char *id)
{
	struct sink *sink = session->sink;
	struct store_message *message = session->message;

	if (!store_is_open(&sink->store))
		return true;
	session->message = NULL;
	return message && !store_commit(&sink->store, message, &session->envelope, id);
}

/* LMTP: one reply a recipient. The server asks for the first alone. */
static void
session_reply_each(struct session *session, uint32_t slot, struct span common,
		   const char *id)
{
	char text[SMTP_PATH_MAX + MESSAGE_ID_MAX + 64];
	bool first = true;

	for (const struct recipient *at = session->envelope.first; at; at = at->next) {
		struct span line = at->refusal.at ? at->refusal : common;
		struct smtp_reply reply;

		if (!line.at) {
			int length = snprintf(text, sizeof(text),
					      "250 2.0.0 <%.*s> %s Saved",
					      SPAN_ARGS(at->mailbox), id);
			line = span_of(text, (size_t)length);
		}
		reply = smtp_reply_of(line);
		if (first)
			session_reply(session, slot, line);
		else if (smtp_reply_print(&reply, &session->smtp.output))
			session->over = true;
		first = false;
	}
}

/* Recipients who have the message if it is taken. */
static uint32_t
session_recipients(const struct session *session)
{
	return session->sink->options->lmtp ? session->envelope.taken
					    : session->smtp.recipients;
}

static void
session_count_message(struct session *session)
{
	struct sink_totals *totals = &session->sink->totals;

	totals->messages++;
	totals->recipients += session_recipients(session);
	totals->bytes += session->smtp.received;
}

static void
answer_end(struct session *session, const struct smtp_event *event,
	   const struct fault_plan *plan)
{
	struct sink *sink = session->sink;
	size_t mark = buffer_length(&session->smtp.output);
	struct span reply = reply_choose(plan, span_of(NULL, 0));
	bool wanted = session_recipients(session) != 0;
	char id[MESSAGE_ID_MAX];
	char text[MESSAGE_ID_MAX + 32];

	wanted = wanted && (!reply.at || reply_is_positive(reply));
	snprintf(id, sizeof(id), "%04X%07X", (unsigned)getpid() & 0xffffu,
		 ++sink->message_number);
	if (wanted && !session_commit(session, id))
		reply = SPAN("451 4.3.0 The message could not be kept");
	else if (wanted)
		session_count_message(session);
	if (sink->options->lmtp) {
		session_reply_each(session, event->slot, reply, id);
	} else {
		int length =
			snprintf(text, sizeof(text), "250 2.0.0 Ok: queued as %s", id);
		session_reply(session, event->slot,
			      reply.at ? reply : span_of(text, (size_t)length));
	}
	if (session->answered_early)
		session_retract(session, mark);
	session_forget(session);
}

/* What the protocol has answered already. */
static void
answer_nothing(struct session *session, const struct smtp_event *event,
	       const struct fault_plan *plan)
{
	(void)event;
	(void)plan;
	session_forget(session);
}

/* The events that are commands. */
static const struct answer {
	void (*give)(struct session *session, const struct smtp_event *event,
		     const struct fault_plan *plan);
	enum fault_where where;
	enum sink_command command;
	bool answered; /* by the protocol, behind the mark */
} answers[] = {
	[SMTP_EVENT_HELLO] = {answer_hello, FAULT_HELLO, SINK_HELLO, false},
	[SMTP_EVENT_STARTTLS] = {answer_starttls, FAULT_STARTTLS, SINK_STARTTLS, false},
	[SMTP_EVENT_MAIL] = {answer_mail, FAULT_MAIL, SINK_MAIL, false},
	[SMTP_EVENT_RCPT] = {answer_rcpt, FAULT_RCPT, SINK_RCPT, false},
	[SMTP_EVENT_DATA] = {answer_data, FAULT_DATA, SINK_DATA, false},
	[SMTP_EVENT_CHUNK_END] = {answer_chunk_end, FAULT_CHUNK, SINK_COMMAND_COUNT,
				  false},
	[SMTP_EVENT_BODY_END] = {answer_end, FAULT_END, SINK_COMMAND_COUNT, false},
	[SMTP_EVENT_RSET] = {answer_nothing, FAULT_RSET, SINK_RSET, true},
	[SMTP_EVENT_QUIT] = {answer_nothing, FAULT_QUIT, SINK_QUIT, true},
};

static void
session_answer_command(struct session *session, const struct smtp_event *event,
		       size_t mark)
{
	const struct answer *answer = &answers[event->type];
	struct sink *sink = session->sink;
	struct fault_plan plan;
	bool planned = fault_table_plan(&sink->options->faults, answer->where, &plan);

	if (answer->command != SINK_COMMAND_COUNT)
		sink->totals.commands[answer->command]++;
	if (!answer->answered)
		mark = buffer_length(&session->smtp.output);
	answer->give(session, event, &plan);
	if (answer->answered)
		session_reply_instead(session, &plan, mark);
	if (event->type == SMTP_EVENT_QUIT)
		session->closing = true;
	if (planned)
		session_misbehave(session, &plan, mark);
}

static bool
session_takes_xclient(const struct session *session, const struct smtp_event *event)
{
	enum smtp_server_state state = session->smtp.state;

	return session->sink->options->xclient &&
	       event->refused.verb == SMTP_XCLIENT_COMMAND &&
	       (state == SMTP_STATE_START || state == SMTP_STATE_READY);
}

/* In the place of the refusal, which is the last line of the output, the client is
 * greeted anew; it has to say EHLO again. */
static void
session_begin_anew(struct session *session, struct span refusal)
{
	struct smtp_server *smtp = &session->smtp;
	size_t length = refusal.length + sizeof("\r\n") - 1;

	session_retract(session, buffer_length(&smtp->output) - length);
	session_forget(session);
	smtp->state = SMTP_STATE_START;
	smtp->greeted = false;
	if (smtp_server_greet(smtp))
		session->over = true;
}

static void
answer_refused(struct session *session, const struct smtp_event *event)
{
	bool taken = session_takes_xclient(session, event);

	session->sink->totals.commands[taken ? SINK_XCLIENT : SINK_REFUSED]++;
	if (taken)
		session_begin_anew(session, event->refused.reply);
}

void
session_answer(struct session *session, const struct smtp_event *event, size_t mark)
{
	struct sink_totals *totals = &session->sink->totals;

	switch (event->type) {
	case SMTP_EVENT_CHUNK:
		totals->commands[SINK_BDAT]++;
		session_receive(session);
		break;
	case SMTP_EVENT_BODY:
		if (session->misbehaves_in_body)
			session_misbehave_in_body(session, session->smtp.received);
		break;
	case SMTP_EVENT_ABANDON:
		session_forget(session);
		break;
	case SMTP_EVENT_REFUSED:
		answer_refused(session, event);
		break;
	case SMTP_EVENT_CLOSE:
		session->closing = true;
		break;
	default:
		session_answer_command(session, event, mark);
		break;
	}
}
