#include "config/listener_pools.h"

#include "policy/network.h"
#include "policy/pattern.h"

/* A listener or a route. */
static bool
names(const struct section *section, const struct section *pool)
{
	return span_equals(section_text(section, "pool"), pool->name);
}

/* ---- routes ---- */

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

	if (!takes_any_machine(route))
		return false;
	for (uint32_t i = 0; i < user->count; i++)
		if (pattern_matches_all(user->values[i].text))
			return true;
	return user->count == 0;
}

static bool
takes_all(const struct section *route)
{
	return takes_any_machine(route) && !has_condition(route, "user");
}

static bool
any_route(const struct section *route)
{
	(void)route;
	return true;
}

/* Whoever comes by address or name alone may be a machine that never logs in. */
static bool
expects_users(const struct section *route)
{
	return takes_any_machine(route) || has_condition(route, "user");
}

/* Of IPv6 that is a wide network, and yet nobody's but one's own. */
static bool
is_private(const struct network *network)
{
	struct network private;

	return network_read(SPAN("fc00::/7"), &private) &&
	       network_covers(&private, network);
}

/* Who names networks knows whose they are; but not of those that are nobody's. Anybody
   can say any name in EHLO. */
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

/* ---- where they lead ---- */

typedef bool route_property(const struct section *route);

/* To a pool by a route that they may take. None of them gets behind one that takes them
   all. A pool that stands alone takes everybody. */
static bool
leads(const struct section *listener, const struct section *pool,
      route_property *takes_them, route_property *takes_them_all)
{
	if (names(listener, pool))
		return true;
	SECTION_EACH (listener, "routes", route) {
		if (names(route, pool) && takes_them(route))
			return true;
		if (takes_them_all(route))
			return false;
	}
	return false;
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

bool
listener_leads_users_to(const struct section *listener, const struct section *pool)
{
	return leads(listener, pool, any_route, takes_all_users);
}

bool
listener_expects_users_in(const struct section *listener, const struct section *pool)
{
	return leads(listener, pool, expects_users, takes_all_users);
}

bool
listener_leads_strangers_to(const struct section *listener, const struct section *pool)
{
	return leads(listener, pool, takes_strangers, takes_all);
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

bool
names_known_pool(const struct section *root, const struct section *section)
{
	struct span name = section_text(section, "pool");

	return span_is_empty(name) || section_named(root, "pools", name);
}

bool
listener_names_are_known(const struct section *root, const struct section *listener)
{
	SECTION_EACH (listener, "routes", route)
		if (!names_known_pool(root, route))
			return false;
	return section_child(listener, "routes") ||
	       section_named(root, "pools", section_text(listener, "pool"));
}
