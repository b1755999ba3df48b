#include "tools/sink_session.h"

#include "net/tls_facts.h"
#include "net/tls_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

static _Noreturn void
tls_fail(const struct tls_fault *fault)
{
	fprintf(stderr, "evenpost-sink: tls: %s\n", fault->text);
	exit(EX_OSERR);
}

static struct tls_material *
load_material(const struct sink_options *options)
{
	const struct tls_files files = {options->certificate, options->key};
	const struct tls_fault no_memory = {.text = "out of memory"};
	struct tls_material *material = NULL;
	struct tls_pair_faults faults;
	struct tls_clash clash; /* there is nothing to clash with */
	struct tls_pair *pair;

	if (tls_pair_load(&pair, &files, &faults))
		tls_fail(*faults.certificate.text ? &faults.certificate : &faults.key);
	if (tls_material_make(&material, &pair, 1, &clash))
		tls_fail(&no_memory);
	tls_pair_unref(pair);
	return material;
}

void
sink_tls_open(struct sink *sink)
{
	struct tls_server_settings settings = {0};
	struct tls_fault fault = {.text = "no keys for tickets"};

	if (sink->options->tls == SINK_TLS_OFF)
		return;
	if (tls_tickets_new(&sink->tls_tickets))
		tls_fail(&fault);
	settings.material = load_material(sink->options);
	settings.tickets = sink->tls_tickets;
	if (tls_server_new(&sink->tls_server, &settings, &fault))
		tls_fail(&fault);
	tls_material_unref(settings.material);
}

void
sink_tls_close(struct sink *sink)
{
	tls_server_free(sink->tls_server);
	tls_tickets_free(sink->tls_tickets);
}

/* What came in clear behind STARTTLS is thrown away (CVE-2011-0411). */
void
session_begin_tls(struct session *session)
{
	struct fault_table *faults = &session->sink->options->faults;

	buffer_clear(&session->pending);
	session->shaking_hands = true;
	session->misbehaves_in_handshake =
		fault_table_plan(faults, FAULT_HANDSHAKE, &session->handshake_plan);
}

static void
session_count_handshake(struct session *session)
{
	struct sink_totals *totals = &session->sink->totals;
	struct tls_facts facts;

	stream_tls_facts(&session->stream, &facts);
	totals->handshakes++;
	totals->resumed += facts.resumed;
}

bool
session_shake_hands(struct session *session)
{
	struct stream *stream = &session->stream;

	if (session->misbehaves_in_handshake) {
		session_misbehave_in_handshake(session);
		return false;
	}
	if (!stream_is_tls(stream) &&
	    stream_begin_tls_server(stream, session->sink->tls_server)) {
		session->over = true;
		return false;
	}
	switch (stream_handshake(stream)) {
	case STATUS_OK:
		session_count_handshake(session);
		session->shaking_hands = false;
		smtp_server_encrypted(&session->smtp);
		return true;
	case STATUS_AGAIN:
		return false;
	default:
		session->sink->totals.handshakes_failed++;
		session->over = true;
		return false;
	}
}
