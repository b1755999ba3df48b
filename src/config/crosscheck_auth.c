#include "config/crosscheck_auth.h"

#include "config/crosscheck.h"
#include "config/listener_pools.h"
#include "smtp/sasl.h"

bool
listener_relays_auth(const struct section *listener)
{
	return !section_says(listener, "auth", "off");
}

bool
listener_checks_logins_in(const struct section *listener, const struct section *pool)
{
	return listener_relays_auth(listener) &&
	       !listener_passes_connections(listener) &&
	       listener_leads_users_to(listener, pool);
}

/* Nothing of ours can be said between bytes that pass. */
static void
check_passing(const struct section *root, const struct section *listener,
	      struct report *report)
{
	if (!listener_passes_connections(listener))
		return;
	if (listener_relays_auth(listener))
		section_error(listener, "auth", report,
			      "mode: connection passes bytes, and with them what "
			      "clients and servers say about AUTH. Say off");
	LISTENER_POOLS_EACH (root, listener, pool)
		if (section_child(pool, "auth"))
			section_error(listener, "mode", report,
				      "bytes pass untouched: the login of pool %.*s "
				      "(auth) has no place among them",
				      SPAN_ARGS(pool->name));
}

static void
check_repeating(const struct section *pool, struct report *report)
{
	if (section_says(pool, "repeat-login", "xclient") &&
	    !section_says(pool, "identity", "xclient"))
		section_error(pool, "repeat-login", report,
			      "XCLIENT is spoken with identity: xclient alone");
}

/* Whoever can disturb a handshake could read the password that follows in clear. */
static void
check_fallback(const struct section *section, const char *key,
	       const struct section *pool, struct report *report)
{
	if (section_says(pool, "tls", "may") && section_number(pool, "tls-fallback"))
		section_error(section, key, report,
			      "with tls-fallback of pool %.*s a password goes in clear "
			      "after a handshake that failed. Say tls: require",
			      SPAN_ARGS(pool->name));
}

static void
check_relay(const struct section *listener, const struct section *pool,
	    struct report *report)
{
	const char *way_out =
		section_child(listener, "routes")
			? ". Put a route of all users (user: \"*\") before the "
			  "one that leads there"
			: "";

	if (!listener_checks_logins_in(listener, pool))
		return;
	if (section_child(pool, "auth"))
		section_error(listener, "auth", report,
			      "pool %.*s has a login of its own (auth), and a server "
			      "takes one%s",
			      SPAN_ARGS(pool->name), way_out);
	if (section_says(pool, "protocol", "lmtp"))
		section_error(listener, "auth", report,
			      "pool %.*s speaks LMTP, where servers have no logins to "
			      "check%s",
			      SPAN_ARGS(pool->name), way_out);
	if (section_says(listener, "auth", "relay"))
		check_fallback(listener, "auth", pool, report);
}

static void
check_username(const struct section *pool, struct report *report)
{
	const struct section *auth = section_child(pool, "auth");

	if (auth && section_text(auth, "username").length > SASL_NAME_MAX)
		section_error(auth, "username", report, "longer than %d octets",
			      SASL_NAME_MAX);
}

void
auth_crosscheck(const struct section *root, struct report *report)
{
	SECTION_EACH (root, "listeners", listener) {
		check_passing(root, listener, report);
		LISTENER_POOLS_EACH (root, listener, pool)
			check_relay(listener, pool, report);
	}
	SECTION_EACH (root, "pools", pool) {
		check_username(pool, report);
		if (section_child(pool, "auth"))
			check_fallback(pool, "tls-fallback", pool, report);
		check_repeating(pool, report);
	}
}
