#include "config/crosscheck_tls.h"

#include "config/crosscheck.h"
#include "config/listener_pools.h"

bool
pool_section_verifies_tls(const struct section *pool)
{
	return section_says(pool, "tls", "verify") ||
	       (section_says(pool, "tls", "implicit") &&
		(section_gives(pool, "tls-ca") || section_gives(pool, "tls-name")));
}

bool
clients_may_have_tls(const struct section *root)
{
	SECTION_EACH (root, "listeners", listener)
		if (section_may_differ(listener, "tls", "off"))
			return true;
	return !section_child(root, "listeners");
}

static bool
is_starttls(struct span tls)
{
	return words_have("offer|require|may|verify", tls);
}

static void
check_certificates(const struct section *root, const struct section *listener,
		   struct report *report)
{
	if (!section_says(listener, "tls", "off") &&
	    !section_child(section_child(root, "tls"), "certificates"))
		section_error(listener, "tls", report,
			      "needs a certificate: \"tls.certificates\" has none");
}

static void
check_clients(const struct section *root, const struct section *listener,
	      struct report *report)
{
	const struct section *clients = section_child(listener, "client-certificates");

	(void)root;
	if (section_says(clients, "verify", "off"))
		return;
	if (!section_gives(clients, "ca"))
		section_error(clients, "verify", report, "needs \"ca\"");
	if (section_says(listener, "tls", "off"))
		section_error(clients, "verify", report,
			      "clients show certificates in TLS, and tls is off");
}

/* Nothing of ours can be said between bytes that pass. */
static void
check_passing(const struct section *root, const struct section *listener,
	      struct report *report)
{
	if (!listener_passes_connections(listener))
		return;
	if (is_starttls(section_text(listener, "tls")))
		section_error(listener, "tls", report,
			      "mode: connection passes bytes, and cannot say "
			      "STARTTLS. Say off or implicit");
	LISTENER_POOLS_EACH (root, listener, pool)
		if (is_starttls(section_text(pool, "tls")))
			section_error(listener, "mode", report,
				      "bytes pass untouched: tls: %.*s of pool %.*s "
				      "would say STARTTLS among them. Say off or "
				      "implicit",
				      SPAN_ARGS(section_text(pool, "tls")),
				      SPAN_ARGS(pool->name));
}

static void
check_pair(const struct section *pool, struct report *report)
{
	static const char *const pair[] = {"tls-certificate", "tls-key"};

	for (int i = 0; i < 2; i++)
		if (section_gives(pool, pair[i]) && !section_gives(pool, pair[!i]))
			section_error(pool, pair[i], report, "needs \"%s\"", pair[!i]);
}

static void
check_probe(const struct section *pool, struct report *report)
{
	const struct section *health = section_child(pool, "health");

	if (section_says(health, "probe", "starttls") &&
	    section_says(pool, "tls", "implicit"))
		section_error(
			health, "probe", report,
			"with tls: implicit there is TLS already. Say ehlo, which "
			"goes through it");
}

static void
check_names(const struct section *pool, struct report *report)
{
	if (!pool_section_verifies_tls(pool) || section_gives(pool, "tls-name"))
		return;
	SECTION_EACH (pool, "servers", server)
		if (span_starts(section_text(server, "address"), SPAN("unix:")))
			section_error(server, "address", report,
				      "a UNIX socket has no name that a certificate "
				      "could have: pool %.*s needs \"tls-name\"",
				      SPAN_ARGS(pool->name));
}

void
tls_crosscheck(const struct section *root, struct report *report)
{
	SECTION_EACH (root, "listeners", listener) {
		check_certificates(root, listener, report);
		check_clients(root, listener, report);
		check_passing(root, listener, report);
	}
	SECTION_EACH (root, "pools", pool) {
		check_pair(pool, report);
		check_probe(pool, report);
		check_names(pool, report);
	}
}
