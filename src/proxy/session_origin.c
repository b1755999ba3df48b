#include "proxy/session_internal.h"

#include "proxy/upstream.h"

#include <stdlib.h>

void
session_destination(const struct session *session, struct endpoint *destination)
{
	if (session->destination)
		*destination = *session->destination;
	else if (stream_is_open(&session->stream))
		stream_local(&session->stream, destination);
}

static void
fill_tls(const struct session_tls *tls, struct smtp_origin *origin)
{
	origin->tls.used = true;
	origin->tls.has_certificate = tls->has_certificate;
	origin->tls.resumed = tls->resumed;
	origin->tls.verified = tls->verified;
	origin->tls.version = tls->version;
	origin->tls.cipher = tls->cipher;
	origin->tls.server_name = tls->server_name;
	origin->tls.common_name = tls->common_name;
}

void
session_origin(const struct session *session, struct smtp_origin *origin,
	       char id[SESSION_ID_MAX])
{
	session_print_id(session, id);
	*origin = (struct smtp_origin){
		.client = session->client,
		.name_state = (enum smtp_name_state)session->name_state,
		.extended = session->extended,
		.authenticated = login_is_done(session->login),
		.login = session_user(session),
		.id = span_from_string(id),
	};
	if (session->tls)
		fill_tls(session->tls, origin);
	if (session->name)
		origin->name = span_from_string(session->name);
	if (session->helo)
		origin->helo = span_from_string(session->helo);
}

struct span
session_user(const struct session *session)
{
	return login_is_done(session->login) ? login_name(session->login)
					     : span_of(NULL, 0);
}

bool
session_login_is_spent(const struct session *session)
{
	const struct pool_snapshot *pool;

	if (!login_is_done(session->login))
		return false;
	pool = session_pool(session);
	return pool &&
	       login_is_spent(session->login, pool->pool, session->worker->loop.now);
}

bool
session_has_own_upstreams(const struct session *session,
			  const struct pool_snapshot *pool)
{
	return identity_is_personal(pool->identity) ||
	       login_is_with_server(session->login);
}

/* Those of before were disowned when it said AUTH, and it has had no other since. */
struct upstream *
session_bound_upstream(const struct session *session)
{
	LIST_EACH (&session->upstreams, at) {
		struct upstream *upstream = CONTAINER_OF(at, struct upstream, mine);

		if (upstream->bound && upstream->state < UPSTREAM_QUITTING)
			return upstream;
	}
	return NULL;
}

void
session_disown_upstreams(struct session *session)
{
	LIST_EACH (&session->upstreams, at)
		upstream_disown(CONTAINER_OF(at, struct upstream, mine));
}

/* ---- what the client is called ---- */

/* A name that can not be had now is as one that was not asked for. */
static void
settle_name(struct session *session, enum name_state state, struct span name)
{
	if (state == NAME_FOUND)
		session->name = strndup(name.at, name.length);
	if (session->name)
		session->name_state = SMTP_NAME_FOUND;
	else if (state == NAME_NONE)
		session->name_state = SMTP_NAME_NONE;
}

static void
name_was_answered(struct name_lookup *lookup, enum name_state state, struct span name)
{
	struct session *session = CONTAINER_OF(lookup, struct session, lookup);

	settle_name(session, state, name);
	if (session->login)
		login_name_settled(session->login);
	if (session->transaction)
		transaction_name_settled(session->transaction);
}

void
session_ask_name(struct session *session)
{
	struct worker *worker = session->worker;
	enum name_state state;
	struct span name;

	if (session->name_state != SMTP_NAME_UNKNOWN || session_awaits_name(session) ||
	    !smtp_origin_is_ip(&session->client) ||
	    !listener_names_clients(session->snapshot, session->listener))
		return;
	state = name_cache_find(&worker->name_cache, &session->client, worker->loop.now,
				&name);
	if (state != NAME_UNKNOWN)
		settle_name(session, state, name);
	else
		(void)name_cache_ask(&worker->name_cache, &session->lookup,
				     &session->client, name_was_answered);
}

bool
session_awaits_name(const struct session *session)
{
	return name_lookup_is_waiting(&session->lookup);
}

void
session_forget_name(struct session *session)
{
	name_lookup_forget(&session->lookup);
}
