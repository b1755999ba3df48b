#include "config/advice_auth.h"

#include "config/crosscheck.h"
#include "config/crosscheck_auth.h"
#include "config/value.h"

static void
advise_no_effect(const struct section *listener, struct report *report)
{
	if (!listener_relays_auth(listener) && !listener_passes_connections(listener) &&
	    section_gives(listener, "auth-failures"))
		section_advice(listener, "auth-failures", report,
			       "has no effect: auth is off");
}

static void
advise_relay(const struct section *listener, struct report *report)
{
	if (section_says(listener, "auth", "relay") &&
	    section_says(listener, "tls", "off"))
		section_advice(listener, "auth", report,
			       "has no effect: AUTH is offered in TLS alone. Say tls: "
			       "offer, or relay-insecure");
}

static void
advise_insecure(const struct section *listener, struct report *report)
{
	if (!section_says(listener, "auth", "relay-insecure"))
		return;
	if (words_have("require|implicit", section_text(listener, "tls")))
		section_advice(listener, "auth", report,
			       "is no other than relay: with tls: %.*s nobody logs in "
			       "without TLS",
			       SPAN_ARGS(section_text(listener, "tls")));
	else if (listener_is_public(listener))
		section_advice(listener, "auth", report,
			       "the internet can reach this listener, and passwords "
			       "cross it in clear. Say relay");
}

static bool
is_this_machine(const struct section *server)
{
	struct endpoint address;

	return value_read_server(section_text(server, "address"), &address) &&
	       address.length &&
	       (endpoint_family(&address) == AF_UNIX || endpoint_is_loopback(&address));
}

static void
advise_login(const struct section *pool, struct report *report)
{
	const struct section *auth = section_child(pool, "auth");
	struct span tls = section_text(pool, "tls");

	if (!auth || !words_have("off|may", tls))
		return;
	SECTION_EACH (pool, "servers", server) {
		if (is_this_machine(server))
			continue;
		section_advice(auth, NULL, report,
			       "the password %s in clear: tls is %.*s. Say verify",
			       section_says(pool, "tls", "off") ? "goes" : "may go",
			       SPAN_ARGS(tls));
		return;
	}
}

static void
advise_probe(const struct section *pool, struct report *report)
{
	const struct section *health = section_child(pool, "health");

	if (section_child(pool, "auth") &&
	    words_have("mail|rcpt", section_text(health, "probe")))
		section_advice(health, "probe", report,
			       "probes do not log in (auth), and a server that wants a "
			       "login may refuse them: all are down then. Say ehlo");
}

/* Where nobody has a name, all keys are the same. */
static void
advise_user(const struct section *root, const struct section *pool,
	    struct report *report)
{
	if (!section_says(pool, "balance", "hash") ||
	    !section_says(pool, "hash-on", "user"))
		return;
	SECTION_EACH (root, "listeners", listener) {
		if (!span_equals(section_text(listener, "pool"), pool->name) ||
		    listener_passes_connections(listener) ||
		    listener_relays_auth(listener))
			continue;
		section_advice(pool, "hash-on", report,
			       "nobody logs in at listener %.*s (auth: off): all its "
			       "mail goes to one server",
			       SPAN_ARGS(listener->name));
		return;
	}
}

void
auth_advise(const struct section *root, struct report *report)
{
	SECTION_EACH (root, "listeners", listener) {
		advise_no_effect(listener, report);
		advise_relay(listener, report);
		advise_insecure(listener, report);
	}
	SECTION_EACH (root, "pools", pool) {
		advise_login(pool, report);
		advise_probe(pool, report);
		advise_user(root, pool, report);
	}
}
