#include "smtp/server_internal.h"

#include "smtp/base64.h"
#include "smtp/sasl.h"

#include <assert.h>

static const struct smtp_fault twice = {
	SMTP_REFUSAL_SEQUENCE, SPAN("503 5.5.1 You are authenticated already")};
static const struct smtp_fault not_extended = {SMTP_REFUSAL_SEQUENCE,
					       SPAN("503 5.5.1 Send EHLO first")};
static const struct smtp_fault bad_syntax = {
	SMTP_REFUSAL_SYNTAX, SPAN("501 5.5.4 Syntax: AUTH mechanism [response]")};
static const struct smtp_fault not_offered = {SMTP_REFUSAL_UNKNOWN_COMMAND,
					      SPAN("502 5.5.1 AUTH is not offered")};
static const struct smtp_fault needs_tls = {SMTP_REFUSAL_TLS,
					    SPAN("538 5.7.11 AUTH needs TLS")};
static const struct smtp_fault unknown_mechanism = {
	SMTP_REFUSAL_AUTH, SPAN("504 5.5.4 Mechanism unknown or not offered")};
static const struct smtp_fault bad_base64 = {SMTP_REFUSAL_SYNTAX,
					     SPAN("501 5.5.2 Malformed base64")};
static const struct smtp_fault cancelled = {SMTP_REFUSAL_AUTH,
					    SPAN("501 5.7.0 Authentication aborted")};
static const struct smtp_fault no_fault;

/* A mechanism that was not offered. */
static struct smtp_fault
mechanism_fault(const struct smtp_server *server)
{
	if (smtp_server_lacks_tls_for_auth(server))
		return needs_tls;
	return server->offered.auth ? unknown_mechanism : not_offered;
}

static struct smtp_fault
read_auth(const struct smtp_server *server, struct span argument, uint32_t *mechanism,
	  struct span *initial)
{
	struct span name;

	if (server->authenticated)
		return twice;
	if (!server->extended)
		return not_extended;
	if (!smtp_command_read_auth(argument, &name, initial))
		return bad_syntax;
	*mechanism = sasl_mechanism_find(name);
	if (!(*mechanism & server->offered.auth))
		return mechanism_fault(server);
	return base64_is_valid(*initial) ? no_fault : bad_base64;
}

void
smtp_obey_auth(struct smtp_server *server, const struct smtp_command *command,
	       struct smtp_event *event)
{
	struct span initial = {0};
	uint32_t mechanism = 0;
	struct smtp_fault fault =
		read_auth(server, command->argument, &mechanism, &initial);

	if (fault.reason) {
		smtp_server_refuse(server, SMTP_AUTH_COMMAND, fault, event);
		return;
	}
	if (!smtp_server_ask(server, SMTP_EVENT_AUTH, event))
		return;
	server->state = SMTP_STATE_AUTH;
	event->auth.mechanism = mechanism;
	event->auth.initial = initial;
}

void
smtp_server_break_off_auth(struct smtp_server *server, struct smtp_fault fault,
			   struct smtp_event *event)
{
	if (server->state == SMTP_STATE_AUTH)
		server->state = SMTP_STATE_READY;
	smtp_server_refuse(server, SMTP_AUTH_COMMAND, fault, event);
}

void
smtp_server_read_response(struct smtp_server *server, struct span line,
			  struct smtp_event *event)
{
	struct span response = span_take(line, line.length - 1);
	bool ends = line.length && line.at[line.length - 1] == '\r';

	if (ends && span_equals(response, SPAN("*")))
		smtp_server_break_off_auth(server, cancelled, event);
	else if (!ends || !base64_is_valid(response))
		smtp_server_break_off_auth(server, bad_base64, event);
	else if (smtp_server_ask(server, SMTP_EVENT_AUTH_RESPONSE, event))
		event->response = response;
}

/* After 334 the state stays, and the next line is the client's response. */
void
smtp_server_settle_auth(struct smtp_server *server, unsigned code)
{
	if (code == 334)
		return;
	server->state = SMTP_STATE_READY;
	server->authenticated = code < 300;
}
