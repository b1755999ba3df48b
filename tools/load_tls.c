#include "tools/load_connection.h"

#include "net/tls_facts.h"

#include <stdlib.h>
#include <sysexits.h>

static _Noreturn void
tls_fail(const struct tls_fault *fault)
{
	fprintf(stderr, "evenpost-load: tls: %s\n", fault->text);
	exit(EX_OSERR);
}

/* A certificate that is verified has to be for somebody. */
static void
load_name_server(struct load *load)
{
	const struct load_options *options = load->options;

	if (options->tls_name)
		load->tls_name = span_from_string(options->tls_name);
	else if (options->tls_ca)
		load->tls_name = span_of(
			load->tls_name_room,
			endpoint_print_address(&options->target, load->tls_name_room));
}

void
load_tls_open(struct load *load)
{
	const struct load_options *options = load->options;
	struct tls_client_settings settings = {0};
	struct tls_fault fault;

	if (options->tls == LOAD_TLS_OFF)
		return;
	load_name_server(load);
	if (options->tls_ca &&
	    tls_authorities_load(&settings.authorities, options->tls_ca, &fault))
		tls_fail(&fault);
	if (tls_client_new(&load->tls_client, &settings, &fault))
		tls_fail(&fault);
	tls_authorities_unref(settings.authorities);
}

void
load_tls_close(struct load *load)
{
	tls_client_free(load->tls_client);
}

void
connection_begin_tls(struct connection *connection)
{
	struct load *load = connection->load;
	bool resumes = load->options->tls_resume;

	if (stream_begin_tls_client(&connection->stream, load->tls_client,
				    load->tls_name,
				    resumes ? &connection->tls_session : NULL)) {
		dialogue_fail(connection, "memory", "out of memory");
		return;
	}
	connection->shaking_hands = true;
	connection->handshake_began = loop_microseconds();
}

enum status
connection_shake_hands(struct connection *connection)
{
	struct load_totals *totals = &connection->load->totals;
	enum status status = stream_handshake(&connection->stream);
	struct tls_facts facts;

	if (status)
		return status;
	connection->shaking_hands = false;
	stream_tls_facts(&connection->stream, &facts);
	totals->handshakes++;
	totals->resumed += facts.resumed;
	histogram_record(&totals->handshake,
			 loop_microseconds() - connection->handshake_began);
	return STATUS_OK;
}
