#include "config/listener_pools.h"

#include "policy/network.h"
#include "policy/pattern.h"

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
