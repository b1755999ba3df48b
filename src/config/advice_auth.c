#include "config/advice_auth.h"

#include "config/crosscheck.h"
#include "config/crosscheck_auth.h"
#include "config/listener_pools.h"
#include "config/value.h"

static void
advise_no_effect(const struct section *listener, struct report *report)
{
	static const char *const of_users[] = {"user-message-rate",
					       "user-recipient-rate", "auth-failures"};

	if (listener_relays_auth(listener) || listener_passes_connections(listener))
		return;
	for (size_t i = 0; i < sizeof(of_users) / sizeof(of_users[0]); i++)
		if (section_gives(listener, of_users[i]))
			section_advice(listener, of_users[i], report,
				       "has no effect: auth is off");
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

/* Whether others could read what is said to one of its servers. */
static bool
pool_speaks_in_clear(const struct section *pool)
{
	if (!words_have("off|may", section_text(pool, "tls")))
		return false;
	SECTION_EACH (pool, "servers", server) {
		if (!is_this_machine(server))
			return true;
	}
	return false;
}

static const char *
verb_in_clear(const struct section *pool)
{
	return section_says(pool, "tls", "off") ? "go" : "may go";
}

static void
advise_login(const struct section *pool, struct report *report)
{
	const struct section *auth = section_child(pool, "auth");

	if (auth && pool_speaks_in_clear(pool))
		section_advice(auth, NULL, report,
			       "name and password %s to the servers in clear: tls is "
			       "%.*s. Say verify",
			       verb_in_clear(pool),
			       SPAN_ARGS(section_text(pool, "tls")));
}

/* What of the pool stands in the way of a login, or of its secret. */
static void
advise_relay_to(const struct section *listener, const struct section *pool,
		struct report *report)
{
	struct span probe = section_text(section_child(pool, "health"), "probe");

	if (words_have("tcp|banner|script|none", probe))
		section_advice(
			listener, "auth", report,
			"is offered when servers are known to offer it: probe %.*s "
			"of pool %.*s does not ask them. Say ehlo",
			SPAN_ARGS(probe), SPAN_ARGS(pool->name));
	if (section_says(listener, "auth", "relay") && pool_speaks_in_clear(pool))
		section_advice(listener, "auth", report,
			       "names and passwords %s in clear to the servers of pool "
			       "%.*s: its tls is %.*s. Say verify",
			       verb_in_clear(pool), SPAN_ARGS(pool->name),
			       SPAN_ARGS(section_text(pool, "tls")));
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

static void
advise_relay(const struct section *root, const struct section *listener,
	     struct report *report)
{
	if (!listener_relays_auth(listener) || listener_passes_connections(listener))
		return;
	if (section_says(listener, "auth", "relay") &&
	    section_says(listener, "tls", "off")) {
		section_advice(listener, "auth", report,
			       "has no effect: AUTH is offered in TLS alone. Say tls: "
			       "offer, or relay-insecure");
		return;
	}
	LISTENER_POOLS_EACH (root, listener, pool)
		if (listener_checks_logins_in(listener, pool))
			advise_relay_to(listener, pool, report);
}

/* Who has no name is known by the address. */
static void
advise_user(const struct section *root, const struct section *pool,
	    struct report *report)
{
	if (!section_says(pool, "balance", "hash") ||
	    !section_says(pool, "hash-on", "user"))
		return;
	SECTION_EACH (root, "listeners", listener) {
		if (!listener_leads_to(listener, pool) ||
		    listener_passes_connections(listener) ||
		    listener_relays_auth(listener))
			continue;
		section_advice(
			pool, "hash-on", report,
			"nobody logs in at listener %.*s (auth: off): its mail is "
			"shared by the clients' addresses",
			SPAN_ARGS(listener->name));
		return;
	}
}

void
auth_advise(const struct section *root, struct report *report)
{
	SECTION_EACH (root, "listeners", listener) {
		advise_no_effect(listener, report);
		advise_relay(root, listener, report);
		advise_insecure(listener, report);
	}
	SECTION_EACH (root, "pools", pool) {
		advise_login(pool, report);
		advise_probe(pool, report);
		advise_user(root, pool, report);
	}
}
