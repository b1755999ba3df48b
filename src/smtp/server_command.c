#include "smtp/server_internal.h"

static const struct smtp_fault bad_name = {
	SMTP_REFUSAL_SYNTAX,
	SPAN("501 5.5.4 A host name or an address literal is needed")};
static const struct smtp_fault not_lmtp = {SMTP_REFUSAL_UNKNOWN_COMMAND,
					   SPAN("500 5.5.1 This is SMTP, use EHLO")};
static const struct smtp_fault only_lmtp = {SMTP_REFUSAL_UNKNOWN_COMMAND,
					    SPAN("500 5.5.1 This is LMTP, use LHLO")};
static const struct smtp_fault unknown_parameter = {
	SMTP_REFUSAL_PARAMETER, SPAN("555 5.5.4 Parameter unknown or not offered")};
static const struct smtp_fault bad_parameter = {SMTP_REFUSAL_PARAMETER,
						SPAN("501 5.5.4 Malformed parameter")};
static const struct smtp_fault needs_utf8 = {
	SMTP_REFUSAL_SYNTAX, SPAN("553 5.6.7 This address needs SMTPUTF8 with MAIL")};
static const struct smtp_fault too_large = {
	SMTP_REFUSAL_SIZE, SPAN("552 5.3.4 Message larger than the limit")};
static const struct smtp_fault too_many_recipients = {
	SMTP_REFUSAL_RECIPIENTS,
	SPAN("452 4.5.3 Too many recipients, send the others in another message")};

/* How MAIL and RCPT differ as text. */
struct envelope {
	enum smtp_path_kind kind;
	enum smtp_parameters_result (*read_parameters)(
		struct span text, struct smtp_extensions offered,
		struct smtp_parameters *parameters);
	struct smtp_fault no_path;
	struct smtp_fault bad_path;
};

static const struct envelope sender = {
	SMTP_REVERSE_PATH,
	smtp_parameters_read_mail,
	{SMTP_REFUSAL_SYNTAX, SPAN("501 5.5.4 Syntax: MAIL FROM:<address>")},
	{SMTP_REFUSAL_SYNTAX, SPAN("501 5.1.7 Malformed sender address")},
};

static const struct envelope recipient = {
	SMTP_FORWARD_PATH,
	smtp_parameters_read_rcpt,
	{SMTP_REFUSAL_SYNTAX, SPAN("501 5.5.4 Syntax: RCPT TO:<address>")},
	{SMTP_REFUSAL_SYNTAX, SPAN("501 5.1.3 Malformed recipient address")},
};

static const struct smtp_fault no_fault;

static struct smtp_fault
read_envelope(const struct envelope *envelope, const struct smtp_command *command,
	      struct smtp_extensions offered, struct smtp_path *path,
	      struct smtp_parameters *parameters)
{
	struct span rest = command->argument;

	if (!rest.length)
		return envelope->no_path;
	if (!smtp_path_read(&rest, envelope->kind, path) ||
	    (rest.length && rest.at[0] != ' '))
		return envelope->bad_path;
	switch (envelope->read_parameters(span_trim(rest), offered, parameters)) {
	case SMTP_PARAMETERS_UNKNOWN:
		return unknown_parameter;
	case SMTP_PARAMETERS_MALFORMED:
		return bad_parameter;
	case SMTP_PARAMETERS_OK:
		break;
	}
	return no_fault;
}

void
smtp_server_void_transaction(struct smtp_server *server)
{
	if (server->state != SMTP_STATE_START)
		server->state = SMTP_STATE_READY;
	server->recipients = 0;
	server->recipients_owed = 0;
	server->recipients_refused = false;
	server->utf8 = false;
	server->received = 0;
	server->body = (struct smtp_body_reader){0};
	server->discarding = false;
}

void
smtp_obey_hello(struct smtp_server *server, const struct smtp_command *command,
		struct smtp_event *event)
{
	bool lmtp = server->options->lmtp;

	if ((command->verb == SMTP_LHLO) != lmtp) {
		smtp_server_refuse(server, command->verb, lmtp ? only_lmtp : not_lmtp,
				   event);
		return;
	}
	if (!smtp_command_hello_is_valid(command->argument)) {
		smtp_server_refuse(server, command->verb, bad_name, event);
		return;
	}
	if (!smtp_server_ask(server, SMTP_EVENT_HELLO, event))
		return;
	smtp_server_void_transaction(server);
	event->hello.verb = command->verb;
	event->hello.name = command->argument;
}

/* The limit that a declared size is held against: ours, and the one that was announced.
 */
static bool
is_too_large(const struct smtp_server *server, uint64_t size)
{
	uint64_t limit = server->options->max_message_size;
	uint64_t announced = server->offered.set & SMTP_SIZE ? server->offered.size : 0;

	return (limit && size > limit) || (announced && size > announced);
}

void
smtp_obey_mail(struct smtp_server *server, const struct smtp_command *command,
	       struct smtp_event *event)
{
	struct smtp_path path = {0};
	struct smtp_parameters parameters = {0};
	struct smtp_fault fault =
		read_envelope(&sender, command, server->offered, &path, &parameters);
	bool utf8 = !fault.reason && parameters.needs & SMTP_SMTPUTF8;

	if (!fault.reason && path.utf8 && !utf8)
		fault = needs_utf8;
	if (!fault.reason && is_too_large(server, parameters.size))
		fault = too_large;
	if (fault.reason) {
		smtp_server_refuse(server, SMTP_MAIL, fault, event);
		return;
	}
	if (!smtp_server_ask(server, SMTP_EVENT_MAIL, event))
		return;
	smtp_server_void_transaction(server);
	server->utf8 = utf8;
	event->mail.path = path;
	event->mail.parameters = parameters;
}

static bool
has_all_recipients(const struct smtp_server *server)
{
	uint32_t limit = server->options->max_recipients;

	return limit && server->recipients + server->recipients_owed >= limit;
}

void
smtp_obey_rcpt(struct smtp_server *server, const struct smtp_command *command,
	       struct smtp_event *event)
{
	struct smtp_path path = {0};
	struct smtp_parameters parameters = {0};
	struct smtp_fault fault =
		read_envelope(&recipient, command, server->offered, &path, &parameters);

	if (!fault.reason && path.utf8 && !server->utf8)
		fault = needs_utf8;
	if (!fault.reason && has_all_recipients(server))
		fault = too_many_recipients;
	if (fault.reason) {
		smtp_server_refuse(server, SMTP_RCPT, fault, event);
		return;
	}
	if (!smtp_server_ask(server, SMTP_EVENT_RCPT, event))
		return;
	server->state = SMTP_STATE_RCPT;
	server->recipients_owed++;
	event->rcpt.path = path;
	event->rcpt.parameters = parameters;
}

void
smtp_obey_data(struct smtp_server *server, const struct smtp_command *command,
	       struct smtp_event *event)
{
	(void)command;
	if (smtp_server_ask(server, SMTP_EVENT_DATA, event))
		server->state = SMTP_STATE_DATA;
}

void
smtp_obey_rset(struct smtp_server *server, const struct smtp_command *command,
	       struct smtp_event *event)
{
	(void)command;
	smtp_server_reply(server, SPAN("250 2.0.0 Ok"));
	if (server->state == SMTP_STATE_CLOSING)
		return;
	smtp_server_void_transaction(server);
	event->type = SMTP_EVENT_RSET;
}

void
smtp_obey_quit(struct smtp_server *server, const struct smtp_command *command,
	       struct smtp_event *event)
{
	(void)command;
	smtp_server_farewell(server, &SMTP_REPLY("221 2.0.0 Bye"));
	event->type = SMTP_EVENT_QUIT;
}
