#include "config/first_words.h"

#include "balance/server.h"
#include "config/setup.h"

/* RFC 8314 3.3. */
#define PORT_IMPLICIT 465

static const struct setup_demand demand = {SERVER_FAULT_FIRST_WORDS, "TLS", NULL};

static bool
is_digit(char octet)
{
	return octet >= '0' && octet <= '9';
}

/* Of RFC 5321 4.2: no record of TLS begins so. */
static bool
is_reply(struct span said)
{
	return said.length >= 4 && said.at[0] >= '2' && said.at[0] <= '5' &&
	       is_digit(said.at[1]) && is_digit(said.at[2]) &&
	       (said.at[3] == ' ' || said.at[3] == '-' || said.at[3] == '\r');
}

/* An alert, or a handshake, of SSL 3 or any TLS (RFC 8446 5.1). */
static bool
is_record(struct span said)
{
	return said.length >= 3 && (said.at[0] == 21 || said.at[0] == 22) &&
	       said.at[1] == 3 && (unsigned char)said.at[2] <= 4;
}

bool
first_words_refuse(enum pool_tls tls, struct span said)
{
	return tls == POOL_TLS_IMPLICIT && is_reply(said) && said.at[0] >= '4';
}

/* A greeting is the port's; a refusal may be this connection's: a server that has too
   many says so before it listens to anything. */
static enum setup_proof
proof_of(struct span said)
{
	return said.at[0] == '2' ? SETUP_PROVEN_OF_ALL : SETUP_PROVEN_OF_ONE;
}

/* Behind STARTTLS it is no wrong port. */
const char *
first_words_in_clear(enum pool_tls tls, struct server *server,
		     const struct endpoint *own, struct span said)
{
	if (tls != POOL_TLS_IMPLICIT || !is_reply(said))
		return NULL;
	return setup_note_fault(SETUP_SPEAKS_CLEAR, proof_of(said), &demand, server,
				own, NULL);
}

const char *
first_words_in_tls(enum pool_tls tls, struct server *server, const struct endpoint *own,
		   struct span said)
{
	if (tls == POOL_TLS_IMPLICIT || !is_record(said))
		return NULL;
	return setup_note_fault(SETUP_SPEAKS_TLS, SETUP_PROVEN_OF_ALL, &demand, server,
				own, NULL);
}

void
first_words_are_good(struct server *server)
{
	server_clear_fault(server, SERVER_FAULT_FIRST_WORDS);
}

const char *
first_words_missing(enum pool_tls tls, const struct server *server)
{
	struct endpoint address;

	if (tls == POOL_TLS_IMPLICIT || !server_address(server, &address) ||
	    endpoint_port(&address) != PORT_IMPLICIT)
		return "";
	return ": on port 465 a server waits for TLS as a rule: say tls: implicit "
	       "(or, in mode: connection, greets: false)";
}
