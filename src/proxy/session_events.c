#include "proxy/session_internal.h"

#include "proxy/journal.h"

#include <stdlib.h>

static void
abort_transaction(struct session *session)
{
	if (session->transaction)
		transaction_abort(session->transaction);
}

/*
 * What any server that this client could be given can do. PIPELINING and CHUNKING are
 * our own; SIZE is the smallest limit on the way. REQUIRETLS is promised where both
 * sides of us keep it (RFC 8689 3). Whether AUTH may be offered, smtp knows.
 */
static struct smtp_extensions
offered_extensions(const struct session *session)
{
	uint32_t passed_on = SMTP_8BITMIME | SMTP_SMTPUTF8 | SMTP_DSN |
			     SMTP_ENHANCEDSTATUSCODES | SMTP_AUTH;
	struct smtp_extensions offered = session_extensions(session);
	uint64_t own = session->listener->smtp.max_message_size;

	if (session->smtp.encrypted)
		passed_on |= SMTP_REQUIRETLS;
	offered.set &= passed_on;
	offered.set |= SMTP_PIPELINING | SMTP_CHUNKING | SMTP_SIZE;
	if (own && (offered.size == 0 || own < offered.size))
		offered.size = own;
	return offered;
}

static void
on_hello(struct session *session, const struct smtp_event *event)
{
	struct span name = event->hello.name;

	abort_transaction(session);
	/* Servers know it by its name of before; where it is logged in at one alone, it
	   keeps that. */
	if (!login_binds(session->login))
		session_disown_upstreams(session);
	session_ask_name(session);
	free(session->helo);
	session->helo = strndup(name.at, name.length);
	session->extended = event->hello.verb != SMTP_HELO;
	if (!session->helo ||
	    smtp_server_hello(&session->smtp, event->slot, event->hello.verb,
			      offered_extensions(session)) != STATUS_OK)
		session_close_later(session, "no memory");
}

static void
refuse_handshake(struct session *session, uint32_t slot)
{
	journal_handshake(session, "over handshake-rate");
	session_answer(session, slot,
		       &SMTP_REPLY("454 4.7.0 Too many handshakes from your address"));
}

static void
on_starttls(struct session *session, const struct smtp_event *event)
{
	abort_transaction(session);
	if (!worker_tls_server(session->worker, session->listener))
		session_answer(session, event->slot,
			       &SMTP_REPLY("454 4.7.0 TLS is not available now"));
	else if (session_may_handshake(session))
		session_answer(session, event->slot,
			       &SMTP_REPLY("220 2.0.0 Ready to start TLS"));
	else
		refuse_handshake(session, event->slot);
}

/* The last word to a client that could be of no use any more. */
static void
dismiss(struct session *session, uint32_t slot, const struct smtp_reply *reply,
	const char *why)
{
	session_answer(session, slot, reply);
	session_close_later(session, why);
}

static bool
may_log_in(struct session *session)
{
	return rates_may(&session->tally->rates, RATE_FAILED_LOGINS, &session->client);
}

static void
on_auth(struct session *session, const struct smtp_event *event)
{
	const struct smtp_reply too_many =
		SMTP_REPLY("421 4.7.0 Too many failed logins from your address");

	if (session->stopping) {
		session_stop(session);
		return;
	}
	if (!session->login)
		session->login = login_new(session);
	if (!session->login) {
		session_answer(session, event->slot,
			       &SMTP_REPLY("454 4.3.1 Out of memory, try again"));
	} else if (!may_log_in(session)) {
		journal_login(session, REJECT_LOGIN, smtp_reply_first_line(&too_many));
		dismiss(session, event->slot, &too_many, "refused");
	} else {
		session_disown_upstreams(session); /* they serve somebody else */
		login_begin(session->login, event);
	}
}

static void
on_auth_response(struct session *session, const struct smtp_event *event)
{
	login_hear(session->login, event->slot, event->response);
}

/* Nobody takes it any more: its client must come again, and hear what is wrong. */
static void
dismiss_login(struct session *session, uint32_t slot)
{
	const struct smtp_reply reply = SMTP_REPLY(
		"421 4.7.0 No server takes your login any more, log in again");

	journal_reject(session, "mail", REJECT_LOGIN, span_of(NULL, 0), &reply);
	dismiss(session, slot, &reply, "refused");
}

static void
on_mail(struct session *session, const struct smtp_event *event)
{
	abort_transaction(session);
	if (session->stopping) { /* the last message was; this one is not begun */
		session_stop(session);
		return;
	}
	if (login_binds(session->login) && !session_bound_upstream(session)) {
		dismiss(session, event->slot,
			&SMTP_REPLY("421 4.3.2 The server that you logged in at was "
				    "lost, try again"),
			"server lost");
		return;
	}
	if (session_login_is_spent(session)) {
		dismiss_login(session, event->slot);
		return;
	}
	if (!rates_let_message(session, event->slot))
		return;
	session->transaction = transaction_new(session, event);
	if (session->transaction)
		session_answer(session, event->slot, &SMTP_REPLY("250 2.1.0 Ok"));
	else
		session_answer(session, event->slot,
			       &SMTP_REPLY("451 4.3.1 Out of memory, try again"));
}

static void
on_recipient(struct session *session, const struct smtp_event *event)
{
	transaction_recipient(session->transaction, event);
}

static void
on_data(struct session *session, const struct smtp_event *event)
{
	transaction_data_asked(session->transaction, event->slot);
}

static void
on_chunk(struct session *session, const struct smtp_event *event)
{
	(void)event;
	transaction_chunk(session->transaction);
}

static void
on_body(struct session *session, const struct smtp_event *event)
{
	transaction_content(session->transaction, event->body);
}

static void
on_chunk_end(struct session *session, const struct smtp_event *event)
{
	transaction_chunk_ended(session->transaction, event->slot);
}

static void
on_body_end(struct session *session, const struct smtp_event *event)
{
	session->messages++;
	transaction_content_ended(session->transaction, event->slot);
}

static void
on_abandon(struct session *session, const struct smtp_event *event)
{
	(void)event;
	if (session->transaction)
		transaction_abandon(session->transaction);
}

static void
on_rset(struct session *session, const struct smtp_event *event)
{
	(void)event;
	abort_transaction(session);
}

/* The phase of a rejection, as the log names it. */
static const char *
phase_of(enum smtp_verb verb)
{
	switch (verb) {
	case SMTP_EHLO:
	case SMTP_HELO:
	case SMTP_LHLO:
		return "helo";
	case SMTP_AUTH_COMMAND:
		return "auth";
	case SMTP_MAIL:
		return "mail";
	case SMTP_RCPT:
		return "rcpt";
	case SMTP_DATA:
	case SMTP_BDAT:
		return "data";
	default:
		return "command";
	}
}

/* Whoever speaks no SMTP at all is not answered. */
static struct smtp_reply
reply_of_refusal(struct span text)
{
	return span_is_empty(text) ? (struct smtp_reply){0} : smtp_reply_of(text);
}

static void
on_refused(struct session *session, const struct smtp_event *event)
{
	struct smtp_reply reply = reply_of_refusal(event->refused.reply);

	journal_reject(session, phase_of(event->refused.verb), event->refused.reason,
		       span_of(NULL, 0), &reply);
	if (session->login && event->refused.verb == SMTP_AUTH_COMMAND)
		login_cancel(session->login);
	if (session->transaction && session->transaction->abandoned)
		transaction_refused(session->transaction, &reply);
}

static void
on_quit(struct session *session, const struct smtp_event *event)
{
	(void)event;
	abort_transaction(session);
	session_close_later(session, "quit");
}

static void
on_close(struct session *session, const struct smtp_event *event)
{
	(void)event;
	abort_transaction(session);
	session_close_later(session, "refused");
}

typedef void event_taker(struct session *session, const struct smtp_event *event);

static event_taker *const takers[] = {
	[SMTP_EVENT_AUTH] = on_auth,
	[SMTP_EVENT_AUTH_RESPONSE] = on_auth_response,
	[SMTP_EVENT_STARTTLS] = on_starttls,
	[SMTP_EVENT_HELLO] = on_hello,
	[SMTP_EVENT_MAIL] = on_mail,
	[SMTP_EVENT_RCPT] = on_recipient,
	[SMTP_EVENT_DATA] = on_data,
	[SMTP_EVENT_CHUNK] = on_chunk,
	[SMTP_EVENT_BODY] = on_body,
	[SMTP_EVENT_CHUNK_END] = on_chunk_end,
	[SMTP_EVENT_BODY_END] = on_body_end,
	[SMTP_EVENT_ABANDON] = on_abandon,
	[SMTP_EVENT_RSET] = on_rset,
	[SMTP_EVENT_REFUSED] = on_refused,
	[SMTP_EVENT_QUIT] = on_quit,
	[SMTP_EVENT_CLOSE] = on_close,
};

void
session_take_event(struct session *session, const struct smtp_event *event)
{
	takers[event->type](session, event);
}
