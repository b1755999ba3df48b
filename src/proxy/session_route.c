#include "proxy/session_internal.h"

/* Who it is to the routes, as far as that is known. A login counts from its check on:
   it is checked where its mail will go. */
static struct mail_route_client
client_of(const struct session *session)
{
	struct mail_route_client client = {.address = &session->client,
					   .login = MAIL_ROUTE_NO_LOGIN};

	if (session->helo)
		client.helo = span_from_string(session->helo);
	if (login_is_with_server(session->login)) {
		client.user = login_name(session->login);
		client.login = span_is_empty(client.user) ? MAIL_ROUTE_UNNAMED
							  : MAIL_ROUTE_NAMED;
	}
	return client;
}

/* One that has to go to the server of its login stays in that one's pool, whatever the
   client has called itself since. */
const struct pool_snapshot *
session_pool(const struct session *session)
{
	const struct mail_route_client client = client_of(session);

	return login_binds(session->login) ? login_pool(session->login)
					   : listener_route(session->listener, &client);
}

/* False: nothing is known of it. */
static bool
extensions_of(const struct pool_snapshot *pool, struct smtp_extensions *extensions)
{
	if (!pool_extensions(pool->pool, extensions))
		return false;
	if (!pool_verifies_tls(pool))
		extensions->set &= ~(uint32_t)SMTP_REQUIRETLS;
	return true;
}

/* What every server can do that such a client may be given; nothing as long as there is
   a pool of which that is not known. */
static struct smtp_extensions
extensions_within_reach(const struct session *session,
			const struct mail_route_client *client)
{
	const struct mail_routes *routes = &session->listener->routes;
	const struct mail_route *at = mail_route_reach(routes, client, NULL);
	struct smtp_extensions all = {0};
	bool any = false;

	for (; at; at = mail_route_reach(routes, client, at)) {
		struct smtp_extensions own;

		if (!extensions_of(session->listener->pools[at->pool], &own))
			return (struct smtp_extensions){0};
		all = any ? smtp_extensions_intersect(all, own) : own;
		any = true;
	}
	return all;
}

/* How it can log in: those who do not may have other servers. By a mechanism that does
   not say who it is, only where there is a route for all users. */
static struct smtp_extensions
login_extensions(const struct session *session, struct mail_route_client client)
{
	struct smtp_extensions extensions;

	client.login = MAIL_ROUTE_UNNAMED;
	extensions = extensions_within_reach(session, &client);
	if (!listener_route(session->listener, &client))
		extensions.auth &= SASL_REPLAYABLE;
	return extensions;
}

static struct smtp_extensions
mail_extensions(const struct session *session, struct mail_route_client client)
{
	struct smtp_extensions extensions = {0};

	if (!login_binds(session->login))
		return extensions_within_reach(session, &client);
	(void)extensions_of(login_pool(session->login), &extensions);
	return extensions;
}

struct smtp_extensions
session_extensions(const struct session *session)
{
	struct mail_route_client client = client_of(session);
	struct smtp_extensions mail, login = {0};

	if (session->listener->auth && client.login == MAIL_ROUTE_NO_LOGIN) {
		login = login_extensions(session, client);
		client.login = MAIL_ROUTE_MAY_LOG_IN;
	}
	mail = mail_extensions(session, client);
	mail.set &= ~(uint32_t)SMTP_AUTH;
	mail.set |= login.set & SMTP_AUTH;
	mail.auth = login.auth;
	return mail;
}
