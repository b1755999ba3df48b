/*
 * upstream_auth: AUTH towards a server: the lines of it, for a login or for the opening
 * of a connection, and that opening's part. A server that does not take what another
 * one has taken is not used for this client; it may be well all the same.
 */
#include "proxy/upstream_internal.h"

#include "proxy/session.h"

static enum status
await_answer(struct upstream *upstream, enum status status)
{
	upstream->secretive = true;
	upstream_await(upstream, upstream->pool->timeouts.command);
	upstream_flush_later(upstream);
	return status;
}

/* An initial response that is empty is "=" (RFC 4954 4). */
enum status
upstream_say_auth(struct upstream *upstream, uint32_t mechanism, struct span initial)
{
	struct span name = sasl_mechanism_name(mechanism);

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

bool
upstream_must_log_in(const struct upstream *upstream)
{
	return upstream->session && login_is_done(upstream->session->login) &&
	       !upstream->told_login;
}

static void
refuse_server(struct upstream *upstream, const char *why)
{
	tally_add(&upstream->server->counters.failures[SERVER_FAILURE_GREETING], 1);
	upstream_lose(upstream, SERVER_FAILURE_GREETING, why,
		      &SMTP_REPLY("451 4.7.0 No server takes your login now, try "
				  "again"));
}

/* False: it was lost. */
static bool
was_said(struct upstream *upstream, enum status status)
{
	if (status == STATUS_INVALID)
		refuse_server(upstream, "AUTH: asks for more than the client has said");
	else if (status != STATUS_OK)
		upstream_fail(upstream, SERVER_FAILURE_LOST, "out of memory");
	return status == STATUS_OK;
}

void
upstream_log_in(struct upstream *upstream)
{
	const struct sasl_credentials *credentials =
		login_credentials(upstream->session->login);

	if (!(upstream->extensions.auth & credentials->mechanism)) {
		refuse_server(upstream, "AUTH: does not offer the client's mechanism");
		return;
	}
	if (was_said(upstream, upstream_replay(upstream, credentials)))
		upstream->state = UPSTREAM_AUTH;
}

void
upstream_take_auth(struct upstream *upstream, const struct smtp_reply *reply)
{
	char why[UPSTREAM_WHY_MAX];

	if (reply->code == 334) {
		(void)was_said(upstream, upstream_replay_answer(upstream));
		return;
	}
	if (reply->code == 235) {
		upstream_be_ready(upstream);
		return;
	}
	upstream_print_why(why, "AUTH", reply);
	if (reply->code == 421)
		upstream_fail(upstream, SERVER_FAILURE_GREETING, why);
	else
		refuse_server(upstream, why);
}
