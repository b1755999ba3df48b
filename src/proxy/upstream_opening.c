/*
 * upstream_opening: from the connect to the first transaction.
 *
 *     [PROXY header] [TLS] greeting, EHLO, [STARTTLS, TLS, EHLO again],
 *     [XCLIENT, EHLO again, as often as it takes], [AUTH]
 */
#include "proxy/upstream_internal.h"

#include "balance/server_fault.h"
#include "config/first_words.h"
#include "proxy/connector.h"
#include "proxy/session.h"
#include "smtp/xclient.h"

#include <stdio.h>

#define DESTINATION_ATTRIBUTES (SMTP_ATTRIBUTE_DESTADDR | SMTP_ATTRIBUTE_DESTPORT)
/* What we can say of a client by XCLIENT. */
#define XCLIENT_ATTRIBUTES                                                             \
	(SMTP_ATTRIBUTE_NAME | SMTP_ATTRIBUTE_ADDR | SMTP_ATTRIBUTE_PORT |             \
	 SMTP_ATTRIBUTE_PROTO | SMTP_ATTRIBUTE_HELO | SMTP_ATTRIBUTE_LOGIN |           \
	 DESTINATION_ATTRIBUTES)

void
upstream_print_why(char why[UPSTREAM_WHY_MAX], const char *what,
		   const struct smtp_reply *reply)
{
	struct span line = smtp_reply_first_line(reply);

	snprintf(why, UPSTREAM_WHY_MAX, "%s: %.*s", what, SPAN_ARGS(line));
}

enum setup_proof
upstream_proof(const struct upstream *upstream)
{
	return upstream->introduced || identity_is_told_first(upstream->pool->identity)
		       ? SETUP_PROVEN_OF_ONE
		       : SETUP_PROVEN_OF_ALL;
}

/*
 * The server will not have us, or not this client, where it knows the client already:
 * then it is not to blame, and its words may be the client's.
 */
void
upstream_take_refusal(struct upstream *upstream, const char *what,
		      const struct smtp_reply *reply)
{
	char why[UPSTREAM_WHY_MAX];

	upstream_print_why(why, what, reply);
	if (upstream_proof(upstream) == SETUP_PROVEN_OF_ONE)
		upstream_lose(upstream, SERVER_FAILURE_GREETING, why, reply);
	else
		upstream_fail(upstream, SERVER_FAILURE_GREETING, why);
}

/* Its set-up does not go with the identity: it is not used for this client. */
static void
refuse_identity(struct upstream *upstream, enum setup_fault fault,
		enum setup_proof proof, const struct smtp_reply *reply)
{
	upstream_fail_setup(upstream, SERVER_FAILURE_GREETING, proof,
			    upstream_note_identity(upstream, fault, proof, reply));
}

bool
upstream_begin_opening(struct upstream *upstream)
{
	char room[PROXY_HEADER_PRINT_MAX];
	char id[SESSION_ID_MAX];
	struct smtp_origin origin;
	size_t length = 0;

	upstream->state = upstream->pool->tls == POOL_TLS_IMPLICIT ? UPSTREAM_HANDSHAKE
								   : UPSTREAM_GREETING;
	upstream_await(upstream, upstream->pool->timeouts.greeting);
	if (upstream->session)
		connector_connected(upstream->pool, upstream->server,
				    &upstream->session->client);
	if (upstream->session && identity_has_preamble(upstream->pool->identity)) {
		session_origin(upstream->session, &origin, id);
		session_destination(upstream->session, &origin.destination);
		length = connector_print_preamble(upstream->pool, &upstream->stream,
						  &origin, room);
	}
	if (length == 0)
		return true;
	if (buffer_append(&upstream->output, span_of(room, length)) != STATUS_OK) {
		upstream_run_out(upstream);
		return false;
	}
	upstream_flush_later(upstream);
	return true;
}

/*
 * A server that takes us for the client by our address holds the name against it: that
 * has to be the client's own, for SPF and its rules about names.
 */
static struct span
own_name(const struct upstream *upstream)
{
	const struct session *session = upstream->session;

	if (session && session->helo &&
	    identity_is_told_first(upstream->pool->identity))
		return span_from_string(session->helo);
	return upstream->snapshot->hostname;
}

void
upstream_say_hello(struct upstream *upstream)
{
	const char *verb = upstream->pool->protocol == MAIL_LMTP ? "LHLO"
			   : upstream->said_helo                 ? "HELO"
								 : "EHLO";
	struct span name = own_name(upstream);

	if (smtp_client_send(&upstream->smtp, SMTP_STEP_HELLO, &upstream->output,
			     "%s %.*s", verb, SPAN_ARGS(name)) != STATUS_OK) {
		upstream_run_out(upstream);
		return;
	}
	upstream->state = UPSTREAM_HELLO;
	upstream_await(upstream, upstream->pool->timeouts.command);
	upstream_flush_later(upstream);
}

static void
take_greeting(struct upstream *upstream, const struct smtp_reply *reply)
{
	first_words_are_good(upstream->server);
	if (reply->code == 220)
		upstream_say_hello(upstream);
	else
		upstream_take_refusal(upstream, "greeting", reply);
}

void
upstream_be_ready(struct upstream *upstream)
{
	tally_add(&upstream->server->counters.connects, 1);
	/* of transparent the connect has proved what there is to prove */
	if (identity_is_personal(upstream->pool->identity) &&
	    upstream->pool->identity != IDENTITY_TRANSPARENT)
		server_clear_fault(upstream->server, SERVER_FAULT_IDENTITY);
	upstream->state = UPSTREAM_LEASED;
	upstream_await_nothing(upstream);
	upstream->holder->calls->ready(upstream->holder);
}

static void
finish(struct upstream *upstream)
{
	if (upstream_must_log_in(upstream))
		upstream_log_in(upstream);
	else
		upstream_be_ready(upstream);
}

/* One more command of XCLIENT, or all is said. */
static void
say_identity(struct upstream *upstream)
{
	char id[SESSION_ID_MAX];
	struct smtp_origin origin;

	session_origin(upstream->session, &origin, id);
	if (upstream->attributes & DESTINATION_ATTRIBUTES)
		session_destination(upstream->session, &origin.destination);
	switch (smtp_attributes_print(SMTP_ATTRIBUTES_XCLIENT, &origin,
				      &upstream->attributes, &upstream->output)) {
	case STATUS_OK:
		smtp_client_expect(&upstream->smtp, SMTP_STEP_IDENTITY, 1);
		upstream->state = UPSTREAM_IDENTITY;
		upstream_await(upstream, upstream->pool->timeouts.command);
		upstream_flush_later(upstream);
		break;
	case STATUS_NOT_FOUND:
		finish(upstream);
		break;
	default:
		upstream_run_out(upstream);
		break;
	}
}

/*
 * Only where the pool says so: the server would know the client by the name that it has
 * typed, and that another server may have taken for somebody else's. Not to the servers
 * of another pool, which may have other users of the same names. And not where that
 * name is not all: whoever acts for another would be taken for himself.
 */
static bool
tells_login(const struct upstream *upstream)
{
	const struct session *session = upstream->session;

	return upstream->pool->repeats_login_by_xclient &&
	       upstream->pool == login_pool(session->login) &&
	       upstream->extensions.xclient & SMTP_ATTRIBUTE_LOGIN &&
	       smtp_attribute_is_tellable(session_user(session)) &&
	       !login_acts_for_another(session->login);
}

static void
introduce(struct upstream *upstream)
{
	const struct smtp_extensions *announced = &upstream->extensions;

	if (!(announced->set & SMTP_XCLIENT)) {
		refuse_identity(upstream, SETUP_NOT_ANNOUNCED, SETUP_PROVEN_OF_ALL,
				NULL);
		return;
	}
	if (!(announced->xclient & SMTP_ATTRIBUTE_ADDR)) {
		refuse_identity(upstream, SETUP_NO_ADDRESS, SETUP_PROVEN_OF_ALL, NULL);
		return;
	}
	upstream->introduced = true;
	upstream->attributes = announced->xclient & XCLIENT_ATTRIBUTES;
	upstream->told_login = tells_login(upstream);
	if (!upstream->told_login)
		upstream->attributes &= ~(uint32_t)SMTP_ATTRIBUTE_LOGIN;
	say_identity(upstream);
}

/* RFC 5321 4.3.2, RFC 7504. */
static bool
refuses_as_a_greeting(const struct smtp_reply *reply)
{
	return smtp_reply_is_transient(reply) || reply->code == 554 ||
	       reply->code == 521;
}

/*
 * Accepted, the server begins anew, as for that client (Postfix, XCLIENT_README): it
 * greets it, or refuses it, and is not to blame for that.
 */
static void
take_identity(struct upstream *upstream, const struct smtp_reply *reply)
{
	if (reply->code == 220)
		upstream_say_hello(upstream);
	else if (refuses_as_a_greeting(reply))
		upstream_take_refusal(upstream, "XCLIENT", reply);
	else if (upstream->told_login) /* it may be the name that it does not like */
		upstream_refuse_server(upstream, "XCLIENT LOGIN: refused");
	else
		refuse_identity(upstream, SETUP_REFUSED, SETUP_PROVEN_OF_ONE, reply);
}

/* Once a server knows the client, what it offers may be for that one alone. */
static bool
teaches_of_all(const struct upstream *upstream)
{
	struct smtp_extensions known;

	if (upstream->introduced)
		return false;
	return !identity_is_personal(upstream->pool->identity) ||
	       upstream->pool->identity == IDENTITY_XCLIENT ||
	       !server_extensions(upstream->server, &known);
}

void
upstream_opening_go_on(struct upstream *upstream)
{
	if (teaches_of_all(upstream))
		server_learn_extensions(upstream->server, upstream->extensions,
					stream_is_tls(&upstream->stream));
	if (upstream->pool->identity == IDENTITY_XCLIENT && !upstream->introduced)
		introduce(upstream);
	else if (upstream->attributes) /* left to be told, by XCLIENT alone */
		say_identity(upstream);
	else
		finish(upstream);
}

/* EHLO was no command of it: LMTP has nothing older, and a server that has read a PROXY
   header as a command takes its next reply for the one to EHLO. */
static bool
may_say_helo(const struct upstream *upstream)
{
	return !upstream->said_helo && upstream->pool->protocol == MAIL_SMTP &&
	       !identity_has_preamble(upstream->pool->identity);
}

/* Behind a good reply another one that was not asked for is an answer to the header.
   In place of that to EHLO it may be about what this client is called. */
static enum setup_proof
proof_by(const struct smtp_reply *first, struct span rest)
{
	return smtp_reply_is_positive(first) && !span_is_empty(rest)
		       ? SETUP_PROVEN_OF_ALL
		       : SETUP_PROVEN_OF_ONE;
}

/* True: it does not know what to do with a PROXY header, and is left. */
static bool
refuses_header(struct upstream *upstream, const struct smtp_reply *reply,
	       struct span rest)
{
	struct smtp_reply answer;

	if (!identity_was_taken_for_commands(upstream->pool->identity, reply, rest,
					     &answer))
		return false;
	refuse_identity(upstream, SETUP_NOT_TAKEN, proof_by(reply, rest), &answer);
	return true;
}

static void
take_hello(struct upstream *upstream, const struct smtp_reply *reply)
{
	if (smtp_reply_is_permanent(reply) && may_say_helo(upstream)) {
		upstream->said_helo = true;
		upstream_say_hello(upstream);
		return;
	}
	if (refuses_header(upstream, reply, SPAN("")))
		return;
	if (reply->code != 250) {
		upstream_take_refusal(upstream, "EHLO", reply);
		return;
	}
	if (!upstream->said_helo)
		upstream->extensions = smtp_extensions_read(reply);
	if (upstream_wants_starttls(upstream))
		upstream_say_starttls(upstream);
	else
		upstream_opening_go_on(upstream);
}

void
upstream_take_surplus(struct upstream *upstream, const struct smtp_reply *reply,
		      struct span rest)
{
	if (upstream->state > UPSTREAM_HELLO || !refuses_header(upstream, reply, rest))
		upstream_fail(upstream, SERVER_FAILURE_LOST, "spoke out of turn");
}

void
upstream_take_opening(struct upstream *upstream, const struct smtp_reply *reply)
{
	switch (upstream->state) {
	case UPSTREAM_GREETING:
		take_greeting(upstream, reply);
		break;
	case UPSTREAM_HELLO:
		take_hello(upstream, reply);
		break;
	case UPSTREAM_STARTTLS:
		upstream_take_starttls(upstream, reply);
		break;
	case UPSTREAM_AUTH:
		upstream_take_auth(upstream, reply);
		break;
	default:
		take_identity(upstream, reply);
		break;
	}
}
