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

const struct pool_snapshot *
session_pool(const struct session *session)
{
	const struct mail_route_client client = client_of(session);

	return listener_route(session->listener, &client);
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
		const struct pool_snapshot *pool = session->listener->pools[at->pool];
		struct smtp_extensions own;

		if (!pool_extensions(pool->pool, &own))
			return (struct smtp_extensions){0};
		if (!pool_verifies_tls(pool))
			own.set &= ~(uint32_t)SMTP_REQUIRETLS;
		all = any ? smtp_extensions_intersect(all, own) : own;
		any = true;
	}
	return all;
}

/* What its mail can count on; and, apart from that, how it can log in: those who do not
   may have other servers. */
struct smtp_extensions
session_extensions(const struct session *session)
{
	struct mail_route_client client = client_of(session);
	struct smtp_extensions mail, login = {0};

	if (session->listener->auth && client.login == MAIL_ROUTE_NO_LOGIN) {
		client.login = MAIL_ROUTE_UNNAMED;
		login = extensions_within_reach(session, &client);
		client.login = MAIL_ROUTE_MAY_LOG_IN;
	}
	mail = extensions_within_reach(session, &client);
	mail.set &= ~(uint32_t)SMTP_AUTH;
	mail.set |= login.set & SMTP_AUTH;
	mail.auth = login.auth;
	return mail;
}
