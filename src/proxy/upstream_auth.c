/*
 * upstream_auth: AUTH towards a server: the lines of it, for a login or for the opening
 * of a connection, and that opening's part. It is the last of the opening: behind TLS,
 * and behind XCLIENT, which makes a server forget who has logged in.
 *
 * A server that does not take the pool's own login fails like one that cannot be
 * reached. One that does not take a client's, which another one has taken, is not used
 * for this client; it may be well all the same.
 */
#include "proxy/upstream_internal.h"

#include "balance/server_fault.h"
#include "config/setup.h"
#include "proxy/session.h"

#include <stdio.h>

/* Milliseconds before a server that has refused our own login is asked again: providers
   lock accounts that knock all the time. */
#define REST 300000

static enum status
await_answer(struct upstream *upstream, enum status status)
{
	upstream_await(upstream, upstream->pool->timeouts.command);
	upstream_flush_later(upstream);
	return status;
}

/* An initial response that is empty is "=" (RFC 4954 4). */
enum status
upstream_say_auth(struct upstream *upstream, uint32_t mechanism, struct span initial)
{
	struct span name = sasl_mechanism_name(mechanism);

	upstream->hears_login = !upstream->smarthost;
	buffer_keep_secret(&upstream->output);
	if (!initial.at)
		return await_answer(upstream,
				    smtp_client_send(&upstream->smtp, SMTP_STEP_AUTH,
						     &upstream->output, "AUTH %.*s",
						     SPAN_ARGS(name)));
	if (span_is_empty(initial))
		initial = SPAN("=");
	return await_answer(upstream,
			    smtp_client_send(&upstream->smtp, SMTP_STEP_AUTH,
					     &upstream->output, "AUTH %.*s %.*s",
					     SPAN_ARGS(name), SPAN_ARGS(initial)));
}

enum status
upstream_say_response(struct upstream *upstream, struct span line)
{
	return await_answer(upstream, smtp_client_send(&upstream->smtp, SMTP_STEP_AUTH,
						       &upstream->output, "%.*s",
						       SPAN_ARGS(line)));
}

enum status
upstream_replay(struct upstream *upstream, const struct sasl_credentials *credentials)
{
	return upstream_say_auth(upstream, credentials->mechanism,
				 sasl_replay_begin(&upstream->replay, credentials));
}

enum status
upstream_replay_answer(struct upstream *upstream)
{
	struct span line;

	if (!sasl_replay_next(&upstream->replay, &line))
		return STATUS_INVALID;
	return upstream_say_response(upstream, line);
}

/* ---- in the opening ---- */

static bool
pool_has_login(const struct pool_snapshot *pool)
{
	return !span_is_empty(pool->auth_username);
}

bool
upstream_must_log_in(const struct upstream *upstream)
{
	const struct session *session = upstream->session;

	return pool_has_login(upstream->pool) ||
	       (session && login_is_done(session->login) && !upstream->told_login);
}

void
upstream_refuse_server(struct upstream *upstream, const char *why)
{
	upstream_leave(upstream, SERVER_FAILURE_GREETING, why, &LOGIN_NOT_TAKEN);
}

static void
note_client_refused(const struct upstream *upstream)
{
	if (upstream->session)
		login_refused_by(upstream->session->login, upstream->server);
}

/* for_good: the login was heard, and is not to be said there again. */
static void
give_up(struct upstream *upstream, const char *why, bool for_good)
{
	if (upstream->smarthost) {
		upstream_fail(upstream, SERVER_FAILURE_GREETING, why);
		return;
	}
	if (for_good)
		note_client_refused(upstream);
	/* what the message hears then depends on the servers that are left */
	upstream_leave(upstream, SERVER_FAILURE_GREETING, why,
		       for_good ? NULL : &LOGIN_NOT_TAKEN);
}

/* What becomes of an old password says nothing of the new one. */
static bool
says_password_in_force(const struct upstream *upstream)
{
	return upstream->smarthost ==
	       worker_smarthost(upstream->worker, upstream->pool);
}

/* It is told what is wrong; where that is so for all clients the server is not asked
   again for a while. */
static void
note_refusal(struct upstream *upstream, enum setup_proof proof, struct span said)
{
	bool of_all = proof == SETUP_PROVEN_OF_ALL;

	if (!says_password_in_force(upstream))
		return;
	setup_note_login(upstream->server,
			 of_all ? SERVER_FAULT_BARS : SERVER_FAULT_PASSES,
			 upstream->pool->auth_username, said);
	if (of_all)
		server_rest(upstream->server, upstream->worker->loop.now + REST);
}

void
upstream_lost_at_login(struct upstream *upstream, const char *why)
{
	if (!upstream->smarthost) /* some servers have no other word for a refusal */
		note_client_refused(upstream);
	else if (says_password_in_force(upstream))
		/* one connection that is lost proves nothing of the next */
		setup_note_login(upstream->server, SERVER_FAULT_PASSES,
				 upstream->pool->auth_username, span_from_string(why));
}

/* Some servers offer it to some clients. */
static void
fail_for_login(struct upstream *upstream)
{
	enum setup_proof proof = upstream_proof(upstream);

	upstream_fail_setup(upstream, SERVER_FAILURE_GREETING, proof,
			    upstream_note_fault(upstream, SETUP_LOGIN_NOWHERE, proof,
						&setup_login, NULL));
}

/* NULL: it was given up. A new password may come while the old one is being said. */
static const struct sasl_credentials *
own_credentials(struct upstream *upstream)
{
	struct smarthost *smarthost =
		worker_smarthost(upstream->worker, upstream->pool);
	const struct sasl_credentials *credentials =
		smarthost_credentials(smarthost, upstream->extensions.auth);

	if (credentials) {
		upstream->smarthost = smarthost_ref(smarthost);
		return credentials;
	}
	fail_for_login(upstream);
	return NULL;
}

/* NULL: it was given up. */
static const struct sasl_credentials *
clients_credentials(struct upstream *upstream)
{
	const struct sasl_credentials *credentials =
		login_credentials(upstream->session->login);

	if (upstream->extensions.auth & credentials->mechanism)
		return credentials;
	upstream_refuse_server(upstream, "AUTH: does not offer the client's mechanism");
	return NULL;
}

/* False: it was lost. */
static bool
was_said(struct upstream *upstream, enum status status)
{
	if (status == STATUS_INVALID)
		give_up(upstream, "AUTH: asks for more than there is", true);
	else if (status != STATUS_OK)
		upstream_run_out(upstream);
	return status == STATUS_OK;
}

void
upstream_log_in(struct upstream *upstream)
{
	const struct sasl_credentials *credentials =
		pool_has_login(upstream->pool) ? own_credentials(upstream)
					       : clients_credentials(upstream);

	if (credentials && was_said(upstream, upstream_replay(upstream, credentials)))
		upstream->state = UPSTREAM_AUTH;
}

static void
take_success(struct upstream *upstream)
{
	upstream->hears_login = false;
	if (upstream->smarthost)
		server_clear_fault(upstream->server, SERVER_FAULT_LOGIN);
	smarthost_unref(upstream->smarthost);
	upstream->smarthost = NULL;
	upstream_be_ready(upstream);
}

/* A name and a password that are wrong are so for all clients; with anything else a
   server that knows the client may mean that one. */
static enum setup_proof
proof_of_refusal(const struct upstream *upstream, const struct smtp_reply *reply)
{
	return reply->code == 534 || reply->code == 535 ? SETUP_PROVEN_OF_ALL
							: upstream_proof(upstream);
}

static void
take_own_refusal(struct upstream *upstream, const struct smtp_reply *reply,
		 const char *why)
{
	enum setup_proof proof = proof_of_refusal(upstream, reply);

	if (smtp_reply_is_permanent(reply))
		note_refusal(upstream, proof, smtp_reply_status(reply));
	upstream_fail_setup(upstream, SERVER_FAILURE_GREETING, proof, why);
}

/* A 421 says that the server goes away, 454 that it can't look just now (RFC 4954 6).
   The text may hold what we have said. */
static void
take_refusal(struct upstream *upstream, const struct smtp_reply *reply)
{
	char why[UPSTREAM_WHY_MAX];

	snprintf(why, sizeof(why), "AUTH: %.*s", SPAN_ARGS(smtp_reply_status(reply)));
	if (upstream->smarthost)
		take_own_refusal(upstream, reply, why);
	else
		give_up(upstream, why, smtp_reply_is_permanent(reply));
}

void
upstream_take_auth(struct upstream *upstream, const struct smtp_reply *reply)
{
	switch (reply->code) {
	case 235:
		take_success(upstream);
		break;
	case 334:
		(void)was_said(upstream, upstream_replay_answer(upstream));
		break;
	default:
		take_refusal(upstream, reply);
		break;
	}
}
