#include "config/advice.h"

#include "config/advice_auth.h"
#include "config/advice_listener.h"
#include "config/advice_routes.h"
#include "config/advice_tls.h"
#include "config/crosscheck.h"
#include "config/listener_pools.h"
#include "config/value.h"

#include <inttypes.h>

/* Postfix, smtpd_client_connection_count_limit. */
#define MTA_CONNECTIONS_MAX 50
/* A share below one in this many drowns in chance. */
#define SHARE_MEASURABLE 200
/* RFC 5321 4.5.3.2.6 wants ten minutes; below this, servers' content filters lose. */
#define END_TIMEOUT_LEAST 60000

/* The first listener of that mode that feeds the pool, or NULL. */
static const struct section *
find_listener(const struct section *root, const struct section *pool, const char *mode)
{
	SECTION_EACH (root, "listeners", listener)
		if (section_says(listener, "mode", mode) &&
		    listener_leads_to(listener, pool))
			return listener;
	return NULL;
}

/* A listener whose pool is misspelt may mean this one. */
static bool
is_used(const struct section *root, const struct section *pool)
{
	SECTION_EACH (root, "listeners", listener) {
		if (listener_leads_to(listener, pool) ||
		    !listener_names_are_known(root, listener))
			return true;
	}
	return false;
}

static void
advise_unused(const struct section *root, const struct section *pool,
	      struct report *report)
{
	if (!is_used(root, pool))
		section_advice(pool, NULL, report, "no listener uses this pool");
}

/* Private listeners have few clients that a server's own lists would judge. */
static void
advise_identity(const struct section *root, const struct section *pool,
		struct report *report)
{
	if (!pool_hides_client(pool))
		return;
	SECTION_EACH (root, "listeners", listener) {
		if (!listener_leads_strangers_to(listener, pool) ||
		    !listener_is_public(listener))
			continue;
		section_advice(
			pool, "identity", report,
			"identity: %.*s hides the clients of listener %.*s: the "
			"servers' own lists, limits and logs see this machine only",
			SPAN_ARGS(section_text(pool, "identity")),
			SPAN_ARGS(listener->name));
		return;
	}
}

static void
advise_source(const struct section *root, const struct section *pool,
	      struct report *report)
{
	if (section_says(pool, "balance", "source") &&
	    find_listener(root, pool, "message"))
		section_advice(pool, "balance", report,
			       "balance: source sends all mail of one client to one "
			       "server; mode: message could share it evenly "
			       "(round-robin)");
}

static void
advise_hash_on(const struct section *root, const struct section *pool,
	       struct report *report)
{
	(void)root;
	if (section_gives(pool, "hash-on") && !section_says(pool, "balance", "hash"))
		section_advice(pool, "hash-on", report,
			       "has no effect: balance is %.*s, not hash",
			       SPAN_ARGS(section_text(pool, "balance")));
}

static void
advise_greets(const struct section *root, const struct section *pool,
	      struct report *report)
{
	if (section_gives(pool, "greets") && !find_listener(root, pool, "connection"))
		section_advice(pool, "greets", report,
			       "has no effect without a listener in mode: connection");
}

/* Messages take a greeting, whatever the pool says of it. */
static bool
is_silent(const struct section *root, const struct section *pool)
{
	return !section_number(pool, "greets") && !pool_takes_messages(root, pool);
}

static void
advise_probe(const struct section *root, const struct section *pool,
	     struct report *report)
{
	const struct section *health = section_child(pool, "health");

	if (section_says(health, "probe", "tcp") && !is_silent(root, pool))
		section_advice(
			health, "probe", report,
			"probe: tcp is content with an open port and never speaks "
			"%s: a server that accepts no mail stays up. Say banner or "
			"ehlo",
			section_says(pool, "protocol", "lmtp") ? "LMTP" : "SMTP");
	if (section_says(health, "probe", "none") &&
	    section_number(section_child(pool, "passive"), "failures") == 0)
		section_advice(health, "probe", report,
			       "nothing notices a dead server: no probe, and "
			       "passive.failures is 0");
}

static void
advise_silent_probe(const struct section *root, const struct section *pool,
		    struct report *report)
{
	const struct section *health = section_child(pool, "health");
	struct span probe = section_text(health, "probe");

	if (is_silent(root, pool) &&
	    words_have("banner|ehlo|starttls|mail|rcpt", probe))
		section_advice(
			health, "probe", report,
			"probe: %.*s waits for a greeting, and with greets: false "
			"none comes: all servers will be down. Say tcp",
			SPAN_ARGS(probe));
}

/* Our own probes say PROXY first; a program has to do it itself. */
static void
advise_script(const struct section *root, const struct section *pool,
	      struct report *report)
{
	const struct section *health = section_child(pool, "health");
	struct span identity = section_text(pool, "identity");

	(void)root;
	if (section_says(health, "probe", "script") &&
	    words_have("proxy-v1|proxy-v2", identity))
		section_advice(
			health, "probe", report,
			"with identity: %.*s a plugin that speaks no PROXY header "
			"fails, or its visit is counted as traffic",
			SPAN_ARGS(identity));
}

/* Keys of the probe that only some probes look at. */
static void
advise_probe_keys(const struct section *root, const struct section *pool,
		  struct report *report)
{
	static const struct {
		const char *key;
		const char *probes;
	} rows[] = {
		{"sender", "mail|rcpt"}, {"recipient", "rcpt"}, {"script", "script"}};
	const struct section *health = section_child(pool, "health");
	struct span probe = section_text(health, "probe");

	(void)root;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (section_gives(health, rows[i].key) &&
		    !words_have(rows[i].probes, probe))
			section_advice(health, rows[i].key, report,
				       "has no effect: probe is %.*s",
				       SPAN_ARGS(probe));
}

static uint64_t
sum_weights(const struct section *pool, uint64_t preference)
{
	uint64_t sum = 0;

	SECTION_EACH (pool, "servers", server)
		if (section_number(server, "preference") == preference)
			sum += section_number(server, "weight");
	return sum;
}

/* Weights count among servers of one preference. */
static void
advise_weights(const struct section *root, const struct section *pool,
	       struct report *report)
{
	const char *unit = pool_takes_messages(root, pool) ? "messages" : "connections";
	bool any = false;

	SECTION_EACH (pool, "servers", server) {
		uint64_t weight = section_number(server, "weight");
		uint64_t sum = sum_weights(pool, section_number(server, "preference"));

		any = any || weight > 0;
		if (weight > 0 && weight * SHARE_MEASURABLE < sum)
			section_advice(server, "weight", report,
				       "one in %" PRIu64 " %s: too little to be "
				       "measured beside the other weights",
				       sum / weight, unit);
	}
	if (!any && section_child(pool, "servers"))
		section_advice(pool, "servers", report,
			       "all weights are 0: nobody gets any mail");
}

/* Where a connection begins with the client's address, Postfix counts by that one. */
static void
advise_max_connections(const struct section *root, const struct section *pool,
		       struct report *report)
{
	if (!find_listener(root, pool, "message") ||
	    words_have("proxy-v1|proxy-v2|transparent", section_text(pool, "identity")))
		return;
	SECTION_EACH (pool, "servers", server) {
		uint64_t most = section_number(server, "max-connections");

		if (most > MTA_CONNECTIONS_MAX ||
		    section_says(server, "max-connections", "unlimited"))
			section_advice(
				server, "max-connections", report,
				"Postfix refuses the 51st connection of one address "
				"unless smtpd_client_connection_count_limit is raised");
	}
}

static void
advise_same_address(const struct section *root, const struct section *pool,
		    struct report *report)
{
	(void)root;
	SECTION_EACH (pool, "servers", server) {
		SECTION_EACH (pool, "servers", earlier) {
			if (earlier == server)
				break;
			if (!span_equals(section_text(earlier, "address"),
					 section_text(server, "address")))
				continue;
			section_advice(server, "address", report,
				       "the address of %.*s too: it gets both shares",
				       SPAN_ARGS(report_excerpt(earlier->name)));
			break;
		}
	}
}

/* The first address of a listener of the pool whose clients are of another family. */
static const struct setting_value *
find_foreign_bind(const struct section *root, const struct section *pool, int family)
{
	SECTION_EACH (root, "listeners", listener) {
		const struct setting *bind = section_setting(listener, "bind");

		if (!listener_leads_to(listener, pool))
			continue;
		for (uint32_t i = 0; i < bind->count; i++) {
			struct endpoint endpoint;

			if (endpoint_read(bind->values[i].text, &endpoint) &&
			    endpoint_family(&endpoint) != family)
				return &bind->values[i];
		}
	}
	return NULL;
}

/* A host name may have addresses of both families. */
static void
advise_transparent(const struct section *root, const struct section *pool,
		   struct report *report)
{
	if (!section_says(pool, "identity", "transparent"))
		return;
	SECTION_EACH (pool, "servers", server) {
		const struct setting_value *bind = NULL;
		struct endpoint address;

		if (value_read_server(section_text(server, "address"), &address) &&
		    (endpoint_family(&address) == AF_INET ||
		     endpoint_family(&address) == AF_INET6))
			bind = find_foreign_bind(root, pool, endpoint_family(&address));
		if (bind)
			section_advice(
				server, "address", report,
				"identity: transparent cannot connect clients of %.*s "
				"to it: their addresses are of another family",
				SPAN_ARGS(report_excerpt(bind->text)));
	}
}

static void
advise_end_timeout(const struct section *root, const struct section *pool,
		   struct report *report)
{
	const struct section *timeouts = section_child(pool, "timeouts");

	if (section_number(timeouts, "end") < END_TIMEOUT_LEAST &&
	    pool_takes_messages(root, pool))
		section_advice(timeouts, "end", report,
			       "a server that takes longer to accept a message has it "
			       "delivered twice: the client hears 451 and sends again "
			       "(RFC 5321 4.5.3.2.6 wants 10m)");
}

static void
advise_token(const struct section *root, struct report *report)
{
	const struct section *admin = section_child(root, "admin");

	if (section_gives(admin, "token-file") && section_says(admin, "http", "off"))
		section_advice(admin, "token-file", report,
			       "has no effect without \"http\"");
}

static void (*const rules[])(const struct section *root, const struct section *pool,
			     struct report *report) = {
	advise_unused,       advise_identity,        advise_source,
	advise_hash_on,      advise_greets,          advise_probe,
	advise_silent_probe, advise_script,          advise_probe_keys,
	advise_weights,      advise_max_connections, advise_same_address,
	advise_transparent,  advise_end_timeout,
};

void
settings_advise(const struct section *root, struct report *report)
{
	advise_token(root, report);
	tls_advise(root, report);
	auth_advise(root, report);
	routes_advise(root, report);
	SECTION_EACH (root, "listeners", listener)
		listener_advise(root, listener, report);
	SECTION_EACH (root, "pools", pool)
		for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
			rules[i](root, pool, report);
}
