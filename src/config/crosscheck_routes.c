#include "config/crosscheck_routes.h"

#include "config/crosscheck.h"
#include "config/suggestion.h"
#include "policy/network.h"
#include "policy/pattern.h"

/* ---- where routes lead ---- */

/* A listener or a route. */
static bool
names(const struct section *section, const struct section *pool)
{
	return span_equals(section_text(section, "pool"), pool->name);
}

bool
listener_leads_to(const struct section *listener, const struct section *pool)
{
	if (names(listener, pool))
		return true;
	SECTION_EACH (listener, "routes", route)
		if (names(route, pool))
			return true;
	return false;
}

static bool
has_condition(const struct section *route, const char *key)
{
	return section_setting(route, key)->count > 0;
}

/* Whatever address and name it has. */
static bool
takes_any_machine(const struct section *route)
{
	return !has_condition(route, "client") && !has_condition(route, "helo");
}

static bool
takes_all_users(const struct section *route)
{
	const struct setting *user = section_setting(route, "user");

	for (uint32_t i = 0; i < user->count; i++)
		if (pattern_matches_all(user->values[i].text))
			return true;
	return user->count == 0;
}

/* Who has logged in gets no further than to a route that takes all who have. */
bool
listener_leads_users_to(const struct section *listener, const struct section *pool)
{
	if (names(listener, pool))
		return true;
	SECTION_EACH (listener, "routes", route) {
		if (names(route, pool))
			return true;
		if (takes_any_machine(route) && takes_all_users(route))
			return false;
	}
	return false;
}

/* Whoever comes by address or name alone may be a machine that never logs in. */
bool
listener_expects_users_in(const struct section *listener, const struct section *pool)
{
	if (names(listener, pool))
		return true;
	SECTION_EACH (listener, "routes", route) {
		bool any = takes_any_machine(route);

		if (names(route, pool) && (any || has_condition(route, "user")))
			return true;
		if (any && takes_all_users(route))
			return false;
	}
	return false;
}

/* Of IPv6 that is a wide network, and yet nobody's but one's own. */
static bool
is_private(const struct network *network)
{
	struct network private;

	return network_read(SPAN("fc00::/7"), &private) &&
	       network_covers(&private, network);
}

/* Who names networks knows whose they are; but not of those that are nobody's. */
static bool
takes_strangers(const struct section *route)
{
	const struct setting *client = section_setting(route, "client");

	if (has_condition(route, "user"))
		return false;
	for (uint32_t i = 0; i < client->count; i++) {
		struct network network;

		if (network_read(client->values[i].text, &network) &&
		    network_is_wide(&network) && !is_private(&network))
			return true;
	}
	return client->count == 0;
}

/* Anybody can say any name in EHLO. */
bool
listener_leads_strangers_to(const struct section *listener, const struct section *pool)
{
	if (names(listener, pool))
		return true;
	SECTION_EACH (listener, "routes", route) {
		if (names(route, pool) && takes_strangers(route))
			return true;
		if (takes_any_machine(route) && !has_condition(route, "user"))
			return false;
	}
	return false;
}

const struct section *
listener_next_pool(const struct section *root, const struct section *listener,
		   const struct section *behind)
{
	const struct section *at = behind ? behind->next : section_child(root, "pools");

	while (at && !listener_leads_to(listener, at))
		at = at->next;
	return at;
}

/* What a listener or a route names. */
static bool
is_known(const struct section *root, const struct section *section)
{
	struct span name = section_text(section, "pool");

	return span_is_empty(name) || section_named(root, "pools", name);
}

bool
listener_names_are_known(const struct section *root, const struct section *listener)
{
	SECTION_EACH (listener, "routes", route)
		if (!is_known(root, route))
			return false;
	return section_child(listener, "routes") ||
	       section_named(root, "pools", section_text(listener, "pool"));
}

/* ---- what is wrong with them ---- */

static void
check_pool_exists(const struct section *root, const struct section *section,
		  struct report *report)
{
	struct span name = section_text(section, "pool");
	struct suggestion suggestion;
	char near[SUGGESTION_TEXT_MAX];

	if (is_known(root, section))
		return;
	suggestion_init(&suggestion, name);
	SECTION_EACH (root, "pools", pool)
		suggestion_offer(&suggestion, pool->name);
	section_error(section, "pool", report, "no pool is named \"%.*s\"%s",
		      SPAN_ARGS(report_excerpt(name)),
		      suggestion_print(&suggestion, near));
}

static void
check_either(const struct section *listener, struct report *report)
{
	bool has_routes = section_gives(listener, "routes");
	bool has_pool = section_gives(listener, "pool");

	if (has_routes && has_pool)
		section_error(listener, "pool", report,
			      "\"routes\" says where mail goes already");
	if (!has_routes && !has_pool)
		section_error(listener, "pool", report,
			      "missing, and required (or \"routes\")");
}

/* What a text may begin with that is no pattern of stars. */
static void
check_patterns(const struct section *route, const char *key, struct report *report)
{
	const struct setting *setting = section_setting(route, key);
	char path[SECTION_PATH_MAX];

	for (uint32_t i = 0; i < setting->count; i++) {
		struct span text = setting->values[i].text;
		const char *what = span_starts(text, SPAN("/"))   ? "expressions"
				   : span_starts(text, SPAN("@")) ? "files"
								  : NULL;

		if (what)
			report_error(report, setting->values[i].place,
				     section_path(route, key, path),
				     "%s are not in this build yet: say a name, or a "
				     "pattern with *",
				     what);
	}
}

/* A list that came out empty would let everybody through. */
static void
check_empty(const struct section *route, struct report *report)
{
	static const char *const conditions[] = {"client", "helo", "user"};

	for (int i = 0; i < 3; i++)
		if (section_gives(route, conditions[i]) &&
		    !has_condition(route, conditions[i]) &&
		    !section_setting(route, conditions[i])->broken)
			section_error(route, conditions[i], report,
				      "nothing in it. Leave it out where it shall be "
				      "no condition");
}

static void
check_connection(const struct section *listener, const struct section *route,
		 struct report *report)
{
	static const char *const unheard[] = {"helo", "user"};

	for (int i = 0; i < 2; i++)
		if (listener_passes_connections(listener) &&
		    section_gives(route, unheard[i]))
			section_error(route, unheard[i], report,
				      "the server is chosen before the client has said "
				      "a word (mode: connection)");
}

void
routes_crosscheck(const struct section *root, struct report *report)
{
	SECTION_EACH (root, "listeners", listener) {
		check_either(listener, report);
		check_pool_exists(root, listener, report);
		SECTION_EACH (listener, "routes", route) {
			check_pool_exists(root, route, report);
			check_empty(route, report);
			check_patterns(route, "helo", report);
			check_patterns(route, "user", report);
			check_connection(listener, route, report);
		}
	}
}
