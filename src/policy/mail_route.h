/*
 * mail_route: which pool the mail of a client goes to, by who the client is: routes in
 * order, of which the first that matches decides. All conditions of a route have to
 * hold; of the values of one condition any. Patterns are of policy/pattern.h.
 *
 * A client that may yet log in, or whose name nobody knows, can match a route perhaps:
 * that decides nothing, but such a route is within its reach.
 *
 * Owner: the caller; all is borrowed. Thread: any. Never allocates.
 */
#ifndef EVENPOST_POLICY_MAIL_ROUTE_H
#define EVENPOST_POLICY_MAIL_ROUTE_H

#include "policy/network.h"
#include "policy/pattern.h"

/* A condition with nothing in it is none. */
struct mail_route {
	struct network_set clients;
	struct pattern_set helos; /* names in EHLO */
	struct pattern_set users; /* names that clients have logged in as */
	uint32_t pool;            /* the caller's number */
};

struct mail_routes {
	const struct mail_route *routes;
	uint32_t count;
};

enum mail_route_login {
	MAIL_ROUTE_NO_LOGIN, /* it has none, and shall have none */
	MAIL_ROUTE_MAY_LOG_IN,
	MAIL_ROUTE_UNNAMED, /* logged in by a mechanism that we can't read */
	MAIL_ROUTE_NAMED,
};

struct mail_route_client {
	const struct endpoint *address;
	struct span helo; /* empty before EHLO */
	enum mail_route_login login;
	struct span user; /* MAIL_ROUTE_NAMED */
};

/* The route that decides, or NULL: none matches. */
const struct mail_route *mail_route_find(const struct mail_routes *routes,
					 const struct mail_route_client *client);

/*
 * The next route within the client's reach, behind the one given (NULL: from the
 * first); NULL: there is none. None is behind one that decides.
 */
const struct mail_route *mail_route_reach(const struct mail_routes *routes,
					  const struct mail_route_client *client,
					  const struct mail_route *behind);

#endif
