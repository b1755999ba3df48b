#include "proxy/login.h"

#include "proxy/journal.h"
#include "proxy/request_key.h"

#include <assert.h>
#include <stdlib.h>

/* Servers that one login can have failed with. */
#define TRIED_MAX 16
/* Milliseconds before a client hears that its login has failed: guessing takes time. */
#define REFUSAL_DELAY 1000

#define NO_SERVER SMTP_REPLY("454 4.7.0 No server can check the login now, try again")
#define NO_PLACE SMTP_REPLY("454 4.7.0 All servers are busy, try again")
#define NO_MEMORY SMTP_REPLY("454 4.3.1 Out of memory, try again")
#define LOST SMTP_REPLY("454 4.7.0 The server was lost, try again")
#define MALFORMED SMTP_REPLY("501 5.5.2 Not what the mechanism asks for")

enum login_state {
	LOGIN_NONE,
	LOGIN_EXCHANGE, /* the client is asked by us */
	LOGIN_CHECK,    /* a server is sought, or asked, or asks the client */
	LOGIN_REFUSED,  /* the client hears it in a moment */
	LOGIN_DONE,
};

struct login {
	struct upstream_holder holder;
	enum login_state state;
	uint32_t mechanism; /* enum sasl_mechanism */
	uint32_t slot;      /* to be answered; not while the client is asked */
	struct sasl_credentials credentials; /* of a mechanism that can be replayed */
	struct secret initial; /* of another: until the server has heard it */
	bool begins;           /* there is an initial response, maybe an empty one */
	bool awaits_name;      /* the client's, before the first server is chosen */
	bool asked;            /* the server has asked: no other can go on from there */
	bool listening;        /* the client's turn */
	struct upstream *upstream; /* NULL: none yet, or it was lost */
	struct server *server;     /* reserved, or the last one that was */
	bool reserved;
	struct waiter waiter; /* for a place at a server */
	struct timer timer;   /* CHECK: of the wait; REFUSED: of the delay */
	char *refusal;        /* REFUSED: what the server said */
	size_t refusal_length;
	uint32_t tried[TRIED_MAX];
	uint32_t tried_count;
};

static void ready(struct upstream_holder *holder);
static void replied(struct upstream_holder *holder, enum smtp_step step,
		    const struct smtp_reply *reply);
static void lost(struct upstream_holder *holder, enum server_failure failure,
		 const char *why, const struct smtp_reply *reply);
static bool place_freed(struct waiter *waiter);
static timer_expired on_timeout;

static const struct upstream_calls calls = {
	.ready = ready, .replied = replied, .lost = lost};

static struct login *
login_of(struct upstream_holder *holder)
{
	return CONTAINER_OF(holder, struct login, holder);
}

static struct worker *
worker_of(const struct login *login)
{
	return login->holder.session->worker;
}

/* The listener's: no recipient is known yet that could ask for another. */
static const struct pool_snapshot *
pool_of(const struct login *login)
{
	return login->holder.session->listener->pool;
}

static bool
is_replayable(const struct login *login)
{
	return login->mechanism & SASL_REPLAYABLE;
}

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
	login->holder = (struct upstream_holder){&calls, session};
	login->waiter.place_freed = place_freed;
	timer_init(&login->timer, on_timeout);
	return login;
}

void
login_free(struct login *login)
{
	if (!login)
		return;
	wipe(login);
	free(login->refusal);
	free(login);
}

static void
stop_waiting(struct login *login)
{
	reuse_stop_waiting(&login->waiter);
	loop_timer_stop(&worker_of(login)->loop, &login->timer);
}

static void
give_place_back(struct login *login)
{
	if (!login->reserved)
		return;
	login->reserved = false;
	server_put(login->server);
	reuse_place_freed(&worker_of(login)->reuse, pool_of(login)->pool);
}

/* It came to nothing: nothing of it is left but the struct. */
static void
end(struct login *login)
{
	stop_waiting(login);
	if (login->upstream)
		upstream_close(login->upstream);
	login->upstream = NULL;
	give_place_back(login);
	wipe(login);
	login->state = LOGIN_NONE;
}

void
login_cancel(struct login *login)
{
	if (login->state == LOGIN_EXCHANGE || login->state == LOGIN_CHECK)
		end(login);
}

void
login_abandon(struct login *login)
{
	if (login->state != LOGIN_DONE)
		end(login);
}

/* reason: enum reject_reason. */
static void
refuse(struct login *login, unsigned reason, const struct smtp_reply *reply)
{
	journal_login(login->holder.session, reason, reply);
	end(login);
	session_answer(login->holder.session, login->slot, reply);
}

/* ---- which server ---- */

static bool try_servers(struct login *login);

static void
seek_server(struct login *login)
{
	struct worker *worker = worker_of(login);

	if (try_servers(login))
		return;
	if (!timer_is_running(&login->timer))
		loop_timer_start(&worker->loop, &login->timer, pool_of(login)->queue);
	reuse_wait(&worker->reuse, &login->waiter, pool_of(login)->pool);
	/* one may have been freed before we stood in line */
	try_servers(login);
}

static void
count_retry(struct login *login, enum retry_phase phase, const char *why)
{
	struct tally *tally = login->holder.session->tally;

	log_message(LOG_DEBUG, "retry", "%s: %s: %s", login->server->name,
		    retry_phase_name(phase), why);
	tally_add(&tally_server(tally, login->server)->retries[phase], 1);
}

/* The connection is gone. What the client has told one server of an exchange is of no
   use to another. */
static void
try_another(struct login *login, enum retry_phase phase, const char *why)
{
	login->upstream = NULL;
	give_place_back(login);
	if (login->listening) /* it hears of it when it has spoken */
		return;
	if (login->asked && !is_replayable(login)) {
		refuse(login, REJECT_NO_SERVER, &LOST);
		return;
	}
	count_retry(login, phase, why);
	login->tried[login->tried_count++] = login->server->index;
	if (login->tried_count <= pool_of(login)->retry.attempts &&
	    login->tried_count < TRIED_MAX)
		seek_server(login);
	else
		refuse(login, REJECT_NO_SERVER, &NO_SERVER);
}

/* False: it has as many connections as it may have. */
static bool
open_upstream(struct login *login)
{
	const char *why;

	if (!server_connection_take(login->server)) {
		/* nobody is told: see transaction_attempt.c */
		login->reserved = false;
		server_put(login->server);
		return false;
	}
	stop_waiting(login);
	login->upstream =
		upstream_open(&login->holder, pool_of(login), login->server, &why);
	if (!login->upstream)
		try_another(login, RETRY_CONNECT, why);
	return true;
}

/* False: there is no free place now. */
static bool
try_servers(struct login *login)
{
	const struct session *session = login->holder.session;
	struct pool_request request = {
		.now = worker_of(login)->loop.now,
		.key = request_key_of_session(session, pool_of(login)->hash_on),
		.chance = worker_random(worker_of(login)),
		.needs = SMTP_AUTH,
		.tried = login->tried,
		.tried_count = login->tried_count,
	};

	switch (pool_pick(pool_of(login)->pool, &request, &login->server)) {
	case POOL_PICKED:
		login->reserved = true;
		return open_upstream(login);
	case POOL_FULL:
		return false;
	default:
		refuse(login, REJECT_NO_SERVER, &NO_SERVER);
		return true;
	}
}

static bool
place_freed(struct waiter *waiter)
{
	return try_servers(CONTAINER_OF(waiter, struct login, waiter));
}

/* Servers may be told what the client is called. */
static void
begin_check(struct login *login)
{
	login->state = LOGIN_CHECK;
	login->tried_count = 0;
	login->awaits_name = session_awaits_name(login->holder.session);
	if (!login->awaits_name)
		seek_server(login);
}

void
login_name_settled(struct login *login)
{
	if (login->state != LOGIN_CHECK || !login->awaits_name)
		return;
	login->awaits_name = false;
	seek_server(login);
}

/* ---- what the server says ---- */

/* An empty one is another thing than none. */
static struct span
initial_response(const struct login *login)
{
	struct span initial = secret_span(&login->initial);

	if (!login->begins)
		return span_of(NULL, 0);
	return span_is_empty(initial) ? SPAN("") : initial;
}

static void
ready(struct upstream_holder *holder)
{
	struct login *login = login_of(holder);
	struct upstream *upstream = login->upstream;
	enum status status;

	if (!(upstream->extensions.auth & login->mechanism)) {
		upstream_quit(upstream);
		try_another(login, RETRY_GREETING, "does not offer the mechanism");
		return;
	}
	if (is_replayable(login))
		status = upstream_replay(upstream, &login->credentials);
	else
		status = upstream_say_auth(upstream, login->mechanism,
					   initial_response(login));
	if (status != STATUS_OK)
		refuse(login, REJECT_NO_SERVER, &NO_MEMORY);
}

/* The server goes away, or does not speak SMTP. */
static void
break_off(struct login *login, const char *why)
{
	struct upstream *upstream = login->upstream;

	tally_add(&upstream->server->counters.failures[SERVER_FAILURE_LOST], 1);
	server_observe(upstream->server, SERVER_TRAFFIC_FAILED, why,
		       worker_of(login)->loop.now);
	upstream_close(upstream);
	try_another(login, RETRY_GREETING, why);
}

/* The server asks: what was heard before tells it, or the client has to. */
static void
take_challenge(struct login *login, const struct smtp_reply *reply)
{
	struct span challenge = span_skip(smtp_reply_first_line(reply), 4);

	if (is_replayable(login)) {
		if (upstream_replay_answer(login->upstream) != STATUS_OK)
			break_off(login,
				  "AUTH: asks for more than the client has said");
		return;
	}
	login->asked = true;
	upstream_await_nothing(login->upstream);
	if (session_challenge(login->holder.session, login->slot, challenge) ==
	    STATUS_OK)
		login->listening = true;
	else
		break_off(login, "AUTH: a challenge that is none");
}

/* The connection has proved itself, and may serve the first message. */
static void
take_success(struct login *login, const struct smtp_reply *reply)
{
	struct upstream *upstream = login->upstream;

	server_observe(upstream->server, SERVER_TRAFFIC_WORKED, "",
		       worker_of(login)->loop.now);
	login->state = LOGIN_DONE;
	login->upstream = NULL;
	secret_clear(&login->initial);
	upstream->bound = !is_replayable(login);
	upstream_release(upstream, true);
	give_place_back(login);
	session_answer(login->holder.session, login->slot, reply);
}

static bool
keep_refusal(struct login *login, struct span text)
{
	char *copy = malloc(text.length);

	if (!copy)
		return false;
	memcpy(copy, text.at, text.length);
	free(login->refusal);
	login->refusal = copy;
	login->refusal_length = text.length;
	return true;
}

/* A word about the client: counted against it, and told after a while. */
static void
take_failure(struct login *login, const struct smtp_reply *reply)
{
	struct session *session = login->holder.session;

	(void)rate_table_take(&session->tally->failed_logins,
			      endpoint_hash_client(&session->client),
			      loop_microseconds());
	if (!keep_refusal(login, reply->text)) {
		refuse(login, REJECT_LOGIN, reply);
		return;
	}
	journal_login(session, REJECT_LOGIN, reply);
	end(login);
	login->state = LOGIN_REFUSED;
	loop_timer_start(&worker_of(login)->loop, &login->timer, REFUSAL_DELAY);
}

static void
tell_failure(struct login *login)
{
	struct smtp_reply reply =
		smtp_reply_of(span_of(login->refusal, login->refusal_length));

	end(login);
	session_answer(login->holder.session, login->slot, &reply);
}

static void
replied(struct upstream_holder *holder, enum smtp_step step,
	const struct smtp_reply *reply)
{
	struct login *login = login_of(holder);

	assert(step == SMTP_STEP_AUTH);
	if (reply->code == 334) {
		take_challenge(login, reply);
	} else if (reply->code == 235) {
		take_success(login, reply);
	} else if (reply->code == 421 || reply->code < 400) {
		break_off(login, reply->code == 421 ? "421" : "no reply to AUTH");
	} else {
		upstream_quit(login->upstream);
		login->upstream = NULL;
		if (smtp_reply_is_permanent(reply))
			take_failure(login, reply);
		else
			refuse(login, REJECT_SERVER, reply);
	}
}

static void
lost(struct upstream_holder *holder, enum server_failure failure, const char *why,
     const struct smtp_reply *reply)
{
	(void)reply;
	try_another(login_of(holder),
		    failure == SERVER_FAILURE_CONNECT ? RETRY_CONNECT : RETRY_GREETING,
		    why);
}

static void
on_timeout(struct timer *timer)
{
	struct login *login = CONTAINER_OF(timer, struct login, timer);

	if (login->state == LOGIN_REFUSED)
		tell_failure(login);
	else
		refuse(login, REJECT_NO_SERVER, &NO_PLACE);
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
		begin_check(login);
		break;
	case SASL_MALFORMED:
		refuse(login, SMTP_REFUSAL_SYNTAX, &MALFORMED);
		break;
	default:
		refuse(login, REJECT_NO_SERVER, &NO_MEMORY);
		break;
	}
}

static void
begin_relaying(struct login *login, struct span initial)
{
	login->begins = initial.at != NULL;
	if (secret_append(&login->initial, initial) == STATUS_OK)
		begin_check(login);
	else
		refuse(login, REJECT_NO_SERVER, &NO_MEMORY);
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
	if (!is_replayable(login)) {
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
		refuse(login, REJECT_NO_SERVER, &LOST);
	else if (upstream_say_response(login->upstream, line) != STATUS_OK)
		refuse(login, REJECT_NO_SERVER, &NO_MEMORY);
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
	return login_is_done(login) && !is_replayable(login);
}

struct span
login_name(const struct login *login)
{
	return login ? sasl_credentials_name(&login->credentials) : span_of(NULL, 0);
}

const struct sasl_credentials *
login_credentials(const struct login *login)
{
	assert(login_is_done(login) && is_replayable(login));
	return &login->credentials;
}
