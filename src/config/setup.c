#include "config/setup.h"

#include "balance/server.h"
#include "config/snapshot.h"

#include <assert.h>
#include <stdio.h>

/* What a fault that came with a reply quotes of it: octets. */
#define QUOTED 80

const struct setup_demand setup_starttls = {
	SERVER_FAULT_TLS, "STARTTLS",
	"let it have a certificate, and offer TLS to us (smtpd_tls_security_level = "
	"may, tls_advertise_hosts)"};

const struct setup_demand setup_login = {
	SERVER_FAULT_LOGIN, "AUTH PLAIN or LOGIN",
	"let it offer them to us (smtpd_sasl_auth_enable); many do so in TLS alone "
	"(smtpd_tls_auth_only): then say tls: verify"};

const struct setup_demand setup_relayed_login = {
	SERVER_FAULT_LOGIN, "AUTH",
	"no client is offered it then. Let it do so (smtpd_sasl_auth_enable); many do "
	"in "
	"TLS alone (smtpd_tls_auth_only): then say tls: verify",
	.optional = true};

/* What is said of the server, before what is demanded and our own address. */
static const struct {
	const char *words; /* why another one is tried */
	const char *verb;
	const char *preposition;
	const char *cure; /* NULL: that of the demand */
	enum server_fault_effect effect;
} faults[SETUP_FAULT_COUNT] = {
	[SETUP_SPEAKS_CLEAR] = {"speaks SMTP in clear", "speaks SMTP in clear, and not",
				"to",
				"tls: implicit is for port 465 and its like: name that "
				"port, or say tls: require or verify, for STARTTLS",
				SERVER_FAULT_BARS},
	[SETUP_SPEAKS_TLS] = {"speaks TLS before its greeting", "speaks",
			      "before it greets",
			      "say tls: implicit, or name its port for SMTP in clear "
			      "or STARTTLS (25, 587)",
			      SERVER_FAULT_BARS},
	[SETUP_NOT_ANNOUNCED] = {"identity not announced", "does not announce", "to",
				 NULL, SERVER_FAULT_BARS},
	[SETUP_NO_ADDRESS] = {"identity not announced",
			      "announces, without ADDR among its attributes,", "to",
			      NULL, SERVER_FAULT_BARS},
	/* what it refuses are the values of one client */
	[SETUP_REFUSED] = {"identity refused", "announces, and then refuses,", "to",
			   NULL, SERVER_FAULT_PASSES},
	[SETUP_NOT_TAKEN] = {"identity refused", "does not understand", "from", NULL,
			     SERVER_FAULT_BARS},
	[SETUP_STARTTLS_NOWHERE] = {"STARTTLS not offered", "does not offer", "to",
				    NULL, SERVER_FAULT_BARS},
	[SETUP_STARTTLS_REFUSED] = {"STARTTLS refused", "offers, and then refuses,",
				    "to", NULL, SERVER_FAULT_BARS},
	/* who is on the way of one connection need not be on that of the next */
	[SETUP_STARTTLS_ANSWERED] =
		{"spoke before the handshake", "says more than its reply to", "to",
		 "see whether somebody on the way puts words in its mouth",
		 SERVER_FAULT_PASSES},
	[SETUP_LOGIN_NOWHERE] = {"login not offered", "does not offer", "to", NULL,
				 SERVER_FAULT_BARS},
};

/* What is said to be over soon is no proof of the next time. */
static enum server_fault_effect
effect_of(enum setup_fault fault, enum setup_proof proof,
	  const struct setup_demand *demand, const struct smtp_reply *reply)
{
	if (demand->optional || proof == SETUP_PROVEN_OF_ONE ||
	    (reply && smtp_reply_is_transient(reply)))
		return SERVER_FAULT_PASSES;
	return faults[fault].effect;
}

const char *
setup_note_fault(enum setup_fault fault, enum setup_proof proof,
		 const struct setup_demand *demand, struct server *server,
		 const struct endpoint *own, const struct smtp_reply *reply)
{
	const char *cure = faults[fault].cure ? faults[fault].cure : demand->cure;
	char address[ENDPOINT_TEXT_MAX] = "this machine";
	char said[QUOTED + sizeof(" ()")] = "";
	char why[SERVER_FAULT_MAX];

	assert(demand->what);
	if (own->length)
		endpoint_print_address(own, address);
	if (reply)
		snprintf(said, sizeof(said), " (%.*s)",
			 SPAN_ARGS(span_take(smtp_reply_first_line(reply), QUOTED)));
	snprintf(why, sizeof(why), "%s %s %s %s %s: %s%s", server->name,
		 faults[fault].verb, demand->what, faults[fault].preposition, address,
		 cure, said);
	server_set_fault(server, demand->kind, effect_of(fault, proof, demand, reply),
			 why);
	return faults[fault].words;
}

/* What is to be done about a verdict, which is in OpenSSL's words. */
static const char *
certificate_cure(const char *verdict)
{
	if (strstr(verdict, "mismatch"))
		return "its certificate has to be good for ";
	if (strcmp(verdict, "certificate has expired") == 0)
		return "let it have a new one, good for ";
	if (strcmp(verdict, "certificate is not yet valid") == 0)
		return "see whether the clock here is right, or let it have one that "
		       "is valid by now, good for ";
	return "tls-ca has to have who signs the certificate of ";
}

void
setup_note_certificate(struct server *server, struct span name, const char *verdict)
{
	char why[SERVER_FAULT_MAX];

	snprintf(why, sizeof(why), "%s: %s: %s%.*s", server->name, verdict,
		 certificate_cure(verdict), SPAN_ARGS(name));
	server_set_fault(server, SERVER_FAULT_TLS, SERVER_FAULT_BARS, why);
}

void
setup_note_login(struct server *server, enum server_fault_effect effect,
		 struct span username, struct span said)
{
	char why[SERVER_FAULT_MAX];

	snprintf(why, sizeof(why),
		 "%s does not take the login of %.*s: set auth.username and the "
		 "password in "
		 "auth.password-file right (%.*s)",
		 server->name, SPAN_ARGS(span_take(username, QUOTED)),
		 SPAN_ARGS(span_take(said, QUOTED)));
	server_set_fault(server, SERVER_FAULT_LOGIN, effect, why);
}

void
setup_note_fallback(struct server *server, const char *why)
{
	char text[SERVER_FAULT_MAX];

	snprintf(text, sizeof(text), "%s gets mail in clear, by tls-fallback: %s",
		 server->name, why);
	server_set_fault(server, SERVER_FAULT_TLS, SERVER_FAULT_PASSES, text);
}

/* Of HOST:PORT; without the brackets of "[::1]:25", and the dot of "a.example.:25". */
static struct span
host_of(struct span address)
{
	struct span host = span_take(address, span_find_last(address, ':'));

	if (span_starts(host, SPAN("[")))
		host = span_take(span_skip(host, 1), host.length - 2);
	else if (host.length > 1 && host.at[host.length - 1] == '.')
		host.length--;
	return host;
}

struct span
setup_tls_name(const struct pool_snapshot *pool, const struct server *server)
{
	struct span address = span_from_string(server->address_text);

	if (!span_is_empty(pool->tls_name))
		return pool->tls_name;
	if (span_starts(address, SPAN("unix:")))
		return span_of("", 0);
	return host_of(address);
}
