#include "smtp/server_internal.h"

#include "smtp/sasl.h"

#include <assert.h>

const struct smtp_fault smtp_server_no_tls = {
	SMTP_REFUSAL_TLS, SPAN("530 5.7.0 Must issue a STARTTLS command first")};

static const struct smtp_fault encrypted_already = {
	SMTP_REFUSAL_SEQUENCE, SPAN("503 5.5.1 TLS is active already")};

bool
smtp_server_lacks_tls(const struct smtp_server *server)
{
	return server->options->tls == SMTP_TLS_REQUIRED && !server->encrypted;
}

bool
smtp_server_lacks_tls_for_auth(const struct smtp_server *server)
{
	return server->options->auth_needs_tls && !server->encrypted;
}

struct smtp_extensions
smtp_server_offerable(const struct smtp_server *server, struct smtp_extensions offered)
{
	const struct smtp_server_options *options = server->options;

	if (server->encrypted)
		offered.set &= ~(uint32_t)SMTP_STARTTLS;
	else if (options->tls != SMTP_TLS_OFF)
		offered.set |= SMTP_STARTTLS;
	if (smtp_server_lacks_tls(server) || smtp_server_lacks_tls_for_auth(server) ||
	    !options->auth)
		offered.auth = 0;
	if (offered.auth == 0)
		offered.set &= ~(uint32_t)SMTP_AUTH;
	return offered;
}

void
smtp_obey_starttls(struct smtp_server *server, const struct smtp_command *command,
		   struct smtp_event *event)
{
	(void)command;
	if (server->encrypted) {
		smtp_server_refuse(server, SMTP_STARTTLS_COMMAND, encrypted_already,
				   event);
		return;
	}
	if (!smtp_server_ask(server, SMTP_EVENT_STARTTLS, event))
		return;
	server->resume = (uint8_t)server->state;
	server->state = SMTP_STATE_STARTTLS;
}

/* After 220 the state stays, and with it nothing is read, until the handshake. */
void
smtp_server_settle_starttls(struct smtp_server *server, unsigned code)
{
	if (code != 220)
		server->state = (enum smtp_server_state)server->resume;
}

bool
smtp_server_awaits_tls(const struct smtp_server *server)
{
	return server->state == SMTP_STATE_STARTTLS && !smtp_server_owes(server);
}

/* RFC 3207 4.2. What is counted against the client stays. */
void
smtp_server_encrypted(struct smtp_server *server)
{
	assert(smtp_server_awaits_tls(server) || !server->greeted);
	assert(!server->encrypted && buffer_is_empty(&server->output));
	server->encrypted = true;
	server->authenticated = false;
	server->extended = false;
	server->offered = (struct smtp_extensions){0};
	server->state = SMTP_STATE_START;
	smtp_server_void_transaction(server);
}
