#include "proxy/login_internal.h"

#include "proxy/journal.h"

#include <assert.h>
#include <stdlib.h>

#define MALFORMED SMTP_REPLY("501 5.5.2 Not what the mechanism asks for")

/* ---- life ---- */

static void
wipe(struct login *login)
{
	sasl_credentials_clear(&login->credentials);
	secret_clear(&login->initial);
}

struct login *
login_new(struct session *session)
{
	struct login *login = calloc(1, sizeof(*login));

	if (!login)
		return NULL;
	login->holder = (struct upstream_holder){&login_calls, session};
	login->waiter.place_freed = login_place_freed;
	timer_init(&login->timer, login_on_timeout);
	return login;
}

void
login_forget_refusal(struct login *login)
{
	if (login->refusal)
		explicit_bzero(login->refusal, login->refusal_length);
	free(login->refusal);
	login->refusal = NULL;
}

void
login_free(struct login *login)
{
	if (!login)
		return;
	wipe(login);
	login_forget_refusal(login);
	free(login);
}

void
login_end(struct login *login)
{
	login_leave_server(login);
	wipe(login);
	login->state = LOGIN_NONE;
}

void
login_cancel(struct login *login)
{
	if (login->state == LOGIN_EXCHANGE || login->state == LOGIN_CHECK)
		login_end(login);
}

void
login_abandon(struct login *login)
{
	if (login->state != LOGIN_DONE)
		login_end(login);
}

void
login_refuse(struct login *login, unsigned reason, const struct smtp_reply *reply)
{
	struct session *session = login->holder.session;

	journal_login(session, reason, smtp_reply_first_line(reply));
	login_end(login);
	session_answer(session, login->slot, reply);
}

/* ---- what the client says ---- */

static void
take_result(struct login *login, enum sasl_result result, struct span challenge)
{
	enum status status;

	switch (result) {
	case SASL_CHALLENGE:
		login->state = LOGIN_EXCHANGE;
		status = session_challenge(login->holder.session, login->slot,
					   challenge);
		assert(status == STATUS_OK);
		break;
	case SASL_COMPLETE:
		login_check(login);
		break;
	case SASL_MALFORMED:
		login_refuse(login, SMTP_REFUSAL_SYNTAX, &MALFORMED);
		break;
	default:
		login_refuse(login, REJECT_NO_SERVER, &LOGIN_NO_MEMORY);
		break;
	}
}

static void
begin_relaying(struct login *login, struct span initial)
{
	login->begins = initial.at != NULL;
	if (secret_append(&login->initial, initial) == STATUS_OK)
		login_check(login);
	else
		login_refuse(login, REJECT_NO_SERVER, &LOGIN_NO_MEMORY);
}

void
login_begin(struct login *login, const struct smtp_event *auth)
{
	struct span challenge = {NULL, 0};
	enum sasl_result result;

	assert(login->state == LOGIN_NONE);
	login->mechanism = auth->auth.mechanism;
	login->slot = auth->slot;
	login->asked = false;
	login->listening = false;
	if (!login_is_replayable(login)) {
		begin_relaying(login, auth->auth.initial);
		return;
	}
	result = sasl_credentials_begin(&login->credentials, login->mechanism,
					auth->auth.initial, &challenge);
	take_result(login, result, challenge);
}

/* The server waits for it, unless it was lost meanwhile. */
static void
pass_on(struct login *login, struct span line)
{
	login->listening = false;
	if (!login->upstream)
		login_refuse(login, REJECT_NO_SERVER, &LOGIN_LOST);
	else if (upstream_say_response(login->upstream, line) != STATUS_OK)
		login_refuse(login, REJECT_NO_SERVER, &LOGIN_NO_MEMORY);
}

void
login_hear(struct login *login, uint32_t slot, struct span line)
{
	struct span challenge = {NULL, 0};
	enum sasl_result result;

	login->slot = slot;
	if (login->state == LOGIN_CHECK) {
		pass_on(login, line);
		return;
	}
	assert(login->state == LOGIN_EXCHANGE);
	result = sasl_credentials_hear(&login->credentials, line, &challenge);
	take_result(login, result, challenge);
}

/* ---- what is known ---- */

bool
login_is_done(const struct login *login)
{
	return login && login->state == LOGIN_DONE;
}

bool
login_is_with_server(const struct login *login)
{
	return login && (login->state == LOGIN_CHECK || login->state == LOGIN_DONE);
}

bool
login_binds(const struct login *login)
{
	return login_is_done(login) && !login_is_replayable(login);
}

void
login_refused_by(struct login *login, const struct server *server)
{
	if (login_is_done(login) && login->refuser_count < LOGIN_REFUSERS_MAX)
		login->refusers[login->refuser_count++] = server;
}

uint32_t
login_refusers(const struct login *login, const struct pool *pool,
	       uint32_t places[LOGIN_REFUSERS_MAX])
{
	uint32_t count = 0;

	for (uint32_t i = 0; login && i < login->refuser_count; i++) {
		uint32_t place = login->refusers[i]->index;

		if (place < pool->server_count &&
		    pool->servers[place] == login->refusers[i])
			places[count++] = place;
	}
	return count;
}

static bool
has_refused(const struct login *login, const struct server *server)
{
	for (uint32_t i = 0; i < login->refuser_count; i++)
		if (login->refusers[i] == server)
			return true;
	return false;
}

bool
login_is_spent(const struct login *login, const struct pool *pool, int64_t now)
{
	if (!login || login->refuser_count == 0)
		return false;
	if (login->refuser_count == LOGIN_REFUSERS_MAX)
		return true;
	for (uint32_t i = 0; i < pool->server_count; i++)
		if (!has_refused(login, pool->servers[i]) &&
		    server_may_return(pool->servers[i], now))
			return false;
	return true;
}

struct span
login_name(const struct login *login)
{
	return login ? sasl_credentials_name(&login->credentials) : span_of(NULL, 0);
}

bool
login_proves_name(const struct login *login)
{
	return login && login->credentials.mechanism & (SASL_PLAIN | SASL_LOGIN);
}

bool
login_acts_for_another(const struct login *login)
{
	return login && login->credentials.acts_for_another;
}

const struct pool_snapshot *
login_pool(const struct login *login)
{
	return login_is_done(login) ? login->pool : NULL;
}

const struct sasl_credentials *
login_credentials(const struct login *login)
{
	assert(login_is_done(login) && login_is_replayable(login));
	return &login->credentials;
}
