/*
 * probe_tls: TLS in a probe. It is spoken as traffic would speak it, so that a server
 * that traffic would fail with is down before; the probe starttls insists on it.
 */
#include "health/probe_internal.h"

#include "balance/server.h"
#include "config/first_words.h"
#include "net/tls_facts.h"

#include <stdio.h>

/* Traffic goes nowhere without it. */
static bool
traffic_needs_tls(const struct probe_plan *plan)
{
	return plan->tls == POOL_TLS_REQUIRE || plan->tls == POOL_TLS_VERIFY;
}

static bool
is_insisted_on(const struct probe_plan *plan)
{
	return plan->kind == PROBE_STARTTLS || traffic_needs_tls(plan);
}

bool
probe_wants_starttls(const struct probe *probe)
{
	const struct probe_plan *plan = probe->plan;

	if (stream_is_tls(&probe->stream) || probe->in_clear)
		return false;
	if (is_insisted_on(plan))
		return true;
	/* with tls-fallback a handshake that fails keeps no mail back */
	return plan->tls == POOL_TLS_MAY && !plan->tls_fallback &&
	       probe->announced.set & SMTP_STARTTLS;
}

bool
probe_finds_starttls(struct probe *probe)
{
	if (probe->announced.set & SMTP_STARTTLS)
		return true;
	if (traffic_needs_tls(probe->plan))
		probe_note_fault(probe, SETUP_STARTTLS_NOWHERE, &setup_starttls, NULL);
	probe_record_result(&probe->record, false, "STARTTLS is not offered");
	return false;
}

bool
probe_does_without_tls(struct probe *probe, const struct smtp_reply *reply)
{
	if (reply->code == 421)
		return false; /* it says nothing of TLS */
	if (traffic_needs_tls(probe->plan))
		probe_note_fault(probe, SETUP_STARTTLS_REFUSED, &setup_starttls, reply);
	probe->in_clear = !is_insisted_on(probe->plan) && reply->code == 454;
	return probe->in_clear;
}

void
probe_notes_early_words(struct probe *probe)
{
	probe_note_fault(probe, SETUP_STARTTLS_ANSWERED, &setup_starttls, NULL);
	probe_record_result(&probe->record, false,
			    "STARTTLS: spoke before the handshake");
}

const char *
probe_notes_tls(const struct probe *probe, struct span said)
{
	struct endpoint own;

	if (probe->asked != SMTP_STEP_GREETING || stream_is_tls(&probe->stream))
		return NULL;
	stream_local(&probe->stream, &own);
	return first_words_in_tls(probe->plan->tls, probe->server, &own, said);
}

/* The same the other way round, where a handshake has failed. */
static const char *
note_clear(const struct probe *probe)
{
	struct endpoint own;

	stream_local(&probe->stream, &own);
	return first_words_in_clear(probe->plan->tls, probe->server, &own,
				    stream_tls_first_octets(&probe->stream));
}

/* False: the probe has ended. */
static bool
begin(struct probe *probe)
{
	const struct probe_plan *plan = probe->plan;

	if (stream_begin_tls_client(&probe->stream, *plan->tls_client, plan->tls_name,
				    NULL) == STATUS_OK)
		return true;
	probe_record_result(&probe->record, false, "out of memory");
	probe_finish(probe);
	return false;
}

static void
fail(struct probe *probe)
{
	const char *verdict = stream_tls_verdict(&probe->stream);
	const char *why = note_clear(probe);

	if (verdict)
		setup_note_certificate(probe->server, probe->plan->tls_name, verdict);
	probe_record_result(&probe->record, false, "TLS: %s",
			    why ? why : stream_tls_error(&probe->stream));
	probe_finish(probe);
}

static void
record_facts(struct probe *probe)
{
	char text[PROBE_NAME_MAX + 64];
	struct tls_facts facts;

	stream_tls_facts(&probe->stream, &facts);
	probe_record_certificate(&probe->record, facts.subject, facts.issuer,
				 facts.begins, facts.ends);
	snprintf(text, sizeof(text), "(%.*s, %.*s, %s)", SPAN_ARGS(facts.version),
		 SPAN_ARGS(facts.cipher), probe->record.certificate.subject);
	probe_record_add(&probe->record, "S", span_from_string(text));
}

/* The greeting is owed still where TLS is implicit. False: the probe has ended. */
static bool
succeed(struct probe *probe)
{
	probe->shaking_hands = false;
	server_clear_fault(probe->server, SERVER_FAULT_TLS);
	record_facts(probe);
	if (smtp_client_owed(&probe->client) > 0)
		return true;
	probe->plain_hello = false;
	return probe_send_step(probe, SMTP_STEP_HELLO);
}

bool
probe_shake_hands(struct probe *probe)
{
	if (!probe_write_output(probe) || !buffer_is_empty(&probe->output))
		return false; /* the PROXY header goes in clear */
	if (!stream_is_tls(&probe->stream) && !begin(probe))
		return false;
	switch (stream_handshake(&probe->stream)) {
	case STATUS_OK:
		return succeed(probe);
	case STATUS_AGAIN:
		return false;
	default:
		fail(probe);
		return false;
	}
}
