#include "config/crosscheck.h"

#include "base/cleanup.h"
#include "config/crosscheck_auth.h"
#include "config/crosscheck_routes.h"
#include "config/crosscheck_tls.h"
#include "config/listener_pools.h"
#include "config/value.h"

/* Each is compared with each. */
#define BINDS_MAX 1024

bool
listener_is_public(const struct section *listener)
{
	const struct setting *bind = section_setting(listener, "bind");

	for (uint32_t i = 0; i < bind->count; i++) {
		struct endpoint endpoint;

		if (endpoint_read(bind->values[i].text, &endpoint) &&
		    !endpoint_is_private(&endpoint))
			return true;
	}
	return false;
}

bool
listener_passes_connections(const struct section *listener)
{
	return section_says(listener, "mode", "connection");
}

bool
pool_takes_messages(const struct section *root, const struct section *pool)
{
	bool used = false;

	SECTION_EACH (root, "listeners", listener) {
		if (!listener_leads_to(listener, pool))
			continue;
		if (!listener_passes_connections(listener))
			return true;
		used = true;
	}
	return !used;
}

bool
pool_hides_client(const struct section *pool)
{
	return words_have("none|header|xforward", section_text(pool, "identity"));
}

/* Where servers trust our address, the world would send through them. */
static void
check_relay(const struct section *listener, const struct section *pool,
	    struct report *report)
{
	if (section_gives(listener, "relay") || !listener_is_public(listener) ||
	    !pool_hides_client(pool) || !listener_leads_strangers_to(listener, pool))
		return;
	section_error(
		listener, "bind", report,
		"the internet can reach this listener, and to the servers of pool "
		"%.*s (identity: %.*s) all mail comes from this machine: an open "
		"relay where they trust it. Say \"relay: off\" if they do not",
		SPAN_ARGS(pool->name), SPAN_ARGS(section_text(pool, "identity")));
}

/* A guard has nothing to read. */
static void
check_guard(const struct section *listener, struct report *report)
{
	if (listener_passes_connections(listener) && section_gives(listener, "relay") &&
	    !section_says(listener, "relay", "off"))
		section_error(listener, "relay", report,
			      "mode: connection passes bytes: the guard cannot work");
}

/* Nothing of ours can stand in a stream of bytes, or be read out of it. */
static void
check_connection(const struct section *listener, const struct section *pool,
		 struct report *report)
{
	if (!listener_passes_connections(listener))
		return;
	if (words_have("xclient|xforward|header", section_text(pool, "identity")))
		section_error(
			listener, "mode", report,
			"bytes pass untouched: identity: %.*s of pool %.*s has no "
			"place among them. Say proxy-v1, proxy-v2, transparent or "
			"none",
			SPAN_ARGS(section_text(pool, "identity")),
			SPAN_ARGS(pool->name));
	if (section_says(pool, "balance", "hash") &&
	    !section_says(pool, "hash-on", "client"))
		section_error(listener, "mode", report,
			      "the server is chosen before the client has said a word: "
			      "hash-on: %.*s of pool %.*s is not known yet. Say client",
			      SPAN_ARGS(section_text(pool, "hash-on")),
			      SPAN_ARGS(pool->name));
}

/* Our end of a connection has one address: the client's. */
static void
check_transparent(const struct section *pool, struct report *report)
{
	if (!section_says(pool, "identity", "transparent"))
		return;
	SECTION_EACH (pool, "servers", server) {
		if (section_gives(server, "source"))
			section_error(
				server, "source", report,
				"identity: transparent connects from the client's "
				"address, not from this one");
		if (span_starts(section_text(server, "address"), SPAN("unix:")))
			section_error(
				server, "address", report,
				"identity: transparent connects from the client's "
				"address, and a UNIX socket has none");
	}
}

struct bind {
	struct endpoint endpoint;
	const struct section *section;
	const char *key;
	const struct setting_value *value;
};

struct bind_set {
	uint32_t count;
	struct bind binds[BINDS_MAX];
};

/* Port 0 is any free one: never the same twice. */
static const struct bind *
find_bind(const struct bind_set *set, const struct endpoint *endpoint)
{
	bool is_any_port =
		endpoint_family(endpoint) != AF_UNIX && !endpoint_port(endpoint);

	for (uint32_t i = 0; i < set->count && !is_any_port; i++)
		if (endpoint_equals(&set->binds[i].endpoint, endpoint))
			return &set->binds[i];
	return NULL;
}

static void
add_bind(struct bind_set *set, struct bind bind, struct report *report)
{
	const struct bind *other;
	char path[SECTION_PATH_MAX];
	char other_path[SECTION_PATH_MAX];

	if (!endpoint_read(bind.value->text, &bind.endpoint))
		return;
	section_path(bind.section, bind.key, path);
	other = find_bind(set, &bind.endpoint);
	if (other)
		report_error(report, bind.value->place, path,
			     "%.*s is taken by %s in line %u",
			     SPAN_ARGS(report_excerpt(bind.value->text)),
			     section_path(other->section, other->key, other_path),
			     other->value->place.line);
	else if (set->count < BINDS_MAX)
		set->binds[set->count++] = bind;
	else
		report_error(report, bind.value->place, path,
			     "more than %d addresses to listen on", BINDS_MAX);
}

static void
check_binds(const struct section *root, struct report *report)
{
	const struct section *admin = section_child(root, "admin");
	const struct setting *http = section_setting(admin, "http");
	AUTO_FREE struct bind_set *set = calloc(1, sizeof(*set));

	if (!set) {
		report_error(report, root->place, "", "out of memory");
		return;
	}
	if (http->count && !section_says(admin, "http", "off"))
		add_bind(set, (struct bind){{0}, admin, "http", http->values}, report);
	SECTION_EACH (root, "listeners", listener) {
		const struct setting *bind = section_setting(listener, "bind");

		for (uint32_t i = 0; i < bind->count; i++)
			add_bind(set,
				 (struct bind){{0}, listener, "bind", &bind->values[i]},
				 report);
	}
}

static void
check_admin(const struct section *root, struct report *report)
{
	const struct section *admin = section_child(root, "admin");
	struct endpoint endpoint;

	if (!endpoint_read(section_text(admin, "http"), &endpoint))
		return;
	if (endpoint_is_loopback(&endpoint) || endpoint_family(&endpoint) == AF_UNIX)
		return;
	if (!section_gives(admin, "token-file"))
		section_error(admin, "http", report,
			      "not a loopback address: \"token-file\" is required");
}

/* What a probe needs, by its name. */
static const struct {
	const char *probe;
	const char *key;
} needs[] = {{"rcpt", "recipient"}, {"script", "script"}};

static void
check_health(const struct section *health, struct report *report)
{
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
		if (section_says(health, "probe", needs[i].probe) &&
		    !section_gives(health, needs[i].key))
			section_error(health, "probe", report, "probe %s needs \"%s\"",
				      needs[i].probe, needs[i].key);
}

void
settings_crosscheck(const struct section *root, struct report *report)
{
	routes_crosscheck(root, report);
	SECTION_EACH (root, "listeners", listener) {
		check_guard(listener, report);
		LISTENER_POOLS_EACH (root, listener, pool) {
			check_relay(listener, pool, report);
			check_connection(listener, pool, report);
		}
	}
	SECTION_EACH (root, "pools", pool) {
		if (!section_gives(pool, "servers") && !section_gives(pool, "discover"))
			section_error(pool, "servers", report, "missing, and required");
		check_transparent(pool, report);
		check_health(section_child(pool, "health"), report);
	}
	check_binds(root, report);
	check_admin(root, report);
	tls_crosscheck(root, report);
	auth_crosscheck(root, report);
}
