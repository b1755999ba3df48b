#include "policy/mail_route.h"

enum match { MATCH_NO, MATCH_PERHAPS, MATCH_YES };

static enum match
match_user(const struct pattern_set *users, const struct mail_route_client *client)
{
	if (users->count == 0)
		return MATCH_YES;
	switch (client->login) {
	case MAIL_ROUTE_MAY_LOG_IN:
		return MATCH_PERHAPS;
	case MAIL_ROUTE_UNNAMED:
		return pattern_set_matches_all(users) ? MATCH_YES : MATCH_PERHAPS;
	case MAIL_ROUTE_NAMED:
		return pattern_set_matches(users, client->user) ? MATCH_YES : MATCH_NO;
	default:
		return MATCH_NO;
	}
}

static enum match
match(const struct mail_route *route, const struct mail_route_client *client)
{
	if (route->clients.count && !network_set_has(&route->clients, client->address))
		return MATCH_NO;
	if (route->helos.count && !pattern_set_matches(&route->helos, client->helo))
		return MATCH_NO;
	return match_user(&route->users, client);
}

const struct mail_route *
mail_route_find(const struct mail_routes *routes,
		const struct mail_route_client *client)
{
	for (uint32_t i = 0; i < routes->count; i++)
		if (match(&routes->routes[i], client) == MATCH_YES)
			return &routes->routes[i];
	return NULL;
}

const struct mail_route *
mail_route_reach(const struct mail_routes *routes,
		 const struct mail_route_client *client,
		 const struct mail_route *behind)
{
	const struct mail_route *at = behind ? behind + 1 : routes->routes;

	if (behind && match(behind, client) == MATCH_YES)
		return NULL;
	for (; at < routes->routes + routes->count; at++)
		if (match(at, client) != MATCH_NO)
			return at;
	return NULL;
}
