/*
 * upstream_tls: how TLS towards a server comes about, or does not: as its pool wants
 * it. A server without it, or with a certificate that is not to be trusted, fails like
 * one that cannot be reached: another one is tried.
 */
#include "proxy/upstream_internal.h"

#include "config/setup.h"
#include "proxy/connector.h"

#include <assert.h>
#include <stdio.h>

bool
upstream_wants_starttls(const struct upstream *upstream)
{
	switch (upstream->pool->tls) {
	case POOL_TLS_OFF:
	case POOL_TLS_IMPLICIT:
		return false;
	default:
		return !stream_is_tls(&upstream->stream) && !upstream->in_clear;
	}
}

void
upstream_give_up_tls(struct upstream *upstream, enum server_failure failure,
		     const char *why)
{
	if (upstream->pool->tls != POOL_TLS_MAY || !upstream->pool->tls_fallback) {
		upstream_fail(upstream, failure, why);
		return;
	}
	setup_note_fallback(upstream->server, why);
	upstream_start_over_in_clear(upstream);
}

static void
go_on_in_clear(struct upstream *upstream)
{
	upstream->in_clear = true;
	upstream_opening_go_on(upstream);
}

/* Some servers do without TLS with some clients. */
static void
fail_for_starttls(struct upstream *upstream, enum setup_fault fault,
		  const struct smtp_reply *reply)
{
	enum setup_proof proof = upstream_proof(upstream);

	upstream_fail_setup(
		upstream, SERVER_FAILURE_TLS, proof,
		upstream_note_fault(upstream, fault, proof, &setup_starttls, reply));
}

void
upstream_say_starttls(struct upstream *upstream)
{
	if (!(upstream->extensions.set & SMTP_STARTTLS)) {
		if (upstream->pool->tls == POOL_TLS_MAY)
			go_on_in_clear(upstream);
		else
			fail_for_starttls(upstream, SETUP_STARTTLS_NOWHERE, NULL);
		return;
	}
	if (smtp_client_send(&upstream->smtp, SMTP_STEP_STARTTLS, &upstream->output,
			     "STARTTLS") != STATUS_OK) {
		upstream_run_out(upstream);
		return;
	}
	upstream->state = UPSTREAM_STARTTLS;
	upstream_await(upstream, upstream->pool->timeouts.command);
	upstream_flush_later(upstream);
}

/* 454 is a want of the server that may pass (RFC 3207 4); 421 says that it goes away.
 */
static void
take_refusal(struct upstream *upstream, const struct smtp_reply *reply)
{
	char why[UPSTREAM_WHY_MAX];

	if (reply->code == 421) {
		upstream_take_refusal(upstream, "STARTTLS", reply);
	} else if (upstream->pool->tls != POOL_TLS_MAY) {
		fail_for_starttls(upstream, SETUP_STARTTLS_REFUSED, reply);
	} else if (reply->code == 454) {
		go_on_in_clear(upstream);
	} else {
		upstream_print_why(why, "STARTTLS", reply);
		upstream_give_up_tls(upstream, SERVER_FAILURE_TLS, why);
	}
}

/*
 * The handshake begins at the end of the round: by then all has been read that came
 * with the reply, and there must not have been anything. What is known of the server
 * was said in clear, and is void (RFC 3207 4.2).
 */
void
upstream_take_starttls(struct upstream *upstream, const struct smtp_reply *reply)
{
	if (reply->code != 220) {
		take_refusal(upstream, reply);
		return;
	}
	upstream->extensions = (struct smtp_extensions){0};
	upstream->said_helo = false;
	upstream->state = UPSTREAM_HANDSHAKE;
	upstream_await(upstream, upstream->pool->timeouts.greeting);
	upstream_flush_later(upstream);
}

void
upstream_spoke_before_tls(struct upstream *upstream)
{
	upstream_fail(upstream, SERVER_FAILURE_TLS,
		      upstream_note_fault(upstream, SETUP_STARTTLS_ANSWERED,
					  SETUP_PROVEN_OF_ONE, &setup_starttls, NULL));
}

bool
upstream_fails_for_tls(struct upstream *upstream, struct span said)
{
	const char *why;

	if (upstream->state != UPSTREAM_GREETING)
		return false;
	why = connector_heard_tls(upstream->pool, upstream->server, &upstream->stream,
				  said);
	if (why)
		upstream_fail(upstream, SERVER_FAILURE_GREETING, why);
	return why != NULL;
}

static bool
begin(struct upstream *upstream)
{
	const struct pool_snapshot *pool = upstream->pool;
	const struct tls_client *client = worker_tls_client(upstream->worker, pool);
	struct tls_session *session =
		worker_tls_session(upstream->worker, upstream->server, pool);

	assert(client);
	if (stream_begin_tls_client(&upstream->stream, client,
				    setup_tls_name(pool, upstream->server),
				    session) == STATUS_OK)
		return true;
	upstream_run_out(upstream);
	return false;
}

static void
take_failure(struct upstream *upstream)
{
	const char *verdict = stream_tls_verdict(&upstream->stream);
	const char *words = connector_heard_clear(upstream->pool, upstream->server,
						  &upstream->stream);
	char why[UPSTREAM_WHY_MAX];

	snprintf(why, sizeof(why), "TLS: %s",
		 words ? words : stream_tls_error(&upstream->stream));
	if (verdict)
		setup_note_certificate(upstream->server,
				       setup_tls_name(upstream->pool, upstream->server),
				       verdict);
	if (connector_heard_refusal(upstream->pool, &upstream->stream))
		upstream_fail_setup(upstream, SERVER_FAILURE_TLS, SETUP_PROVEN_OF_ONE,
				    why);
	else
		upstream_give_up_tls(upstream, SERVER_FAILURE_TLS, why);
}

/* The greeting is owed still where TLS is implicit. */
static void
take_success(struct upstream *upstream)
{
	server_clear_fault(upstream->server, SERVER_FAULT_TLS);
	if (smtp_client_owed(&upstream->smtp) == 0) {
		upstream_say_hello(upstream);
		return;
	}
	upstream->state = UPSTREAM_GREETING;
	upstream_await(upstream, upstream->pool->timeouts.greeting);
}

bool
upstream_shake_hands(struct upstream *upstream)
{
	if (!buffer_is_empty(&upstream->output)) {
		upstream_flush_later(upstream);
		return false;
	}
	if (!stream_is_tls(&upstream->stream) && !begin(upstream))
		return false;
	switch (stream_handshake(&upstream->stream)) {
	case STATUS_OK:
		take_success(upstream);
		return upstream->state != UPSTREAM_CLOSED;
	case STATUS_AGAIN:
		return false;
	default:
		take_failure(upstream);
		return false;
	}
}
