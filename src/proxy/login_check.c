/*
 * login_check: which server checks a login, and what it says to that. A server that
 * cannot tell now, or is not set up for it, is followed by another, and so is one that
 * goes. What becomes of the connection is no word about the server: clients can bring
 * it about with what they say, or by saying nothing.
 */
#include "proxy/login_internal.h"

#include "proxy/journal.h"
#include "proxy/request_key.h"

#include <assert.h>
#include <stdlib.h>

/* Milliseconds before a client hears that its login has failed: guessing takes time. */
#define REFUSAL_DELAY 1000
/* Servers that may go when they hear a login: of more the login is the reason. */
#define WALK_OUTS_MAX 2

#define NO_SERVER SMTP_REPLY("454 4.7.0 No server can check the login now, try again")
#define NOBODY SMTP_REPLY("535 5.7.8 Authentication failed")
#define NO_PLACE SMTP_REPLY("454 4.7.0 All servers are busy, try again")

static void ready(struct upstream_holder *holder);
static void replied(struct upstream_holder *holder, enum smtp_step step,
		    const struct smtp_reply *reply);
static void lost(struct upstream_holder *holder, enum server_failure failure,
		 const char *why, const struct smtp_reply *reply);

const struct upstream_calls login_calls = {
	.ready = ready, .replied = replied, .lost = lost};

static struct login *
login_of(struct upstream_holder *holder)
{
	return CONTAINER_OF(holder, struct login, holder);
}

static void
stop_waiting(struct login *login)
{
	reuse_stop_waiting(&login->waiter);
	loop_timer_stop(&login_worker(login)->loop, &login->timer);
}

static void
give_place_back(struct login *login)
{
	if (!login->reserved)
		return;
	login->reserved = false;
	server_put(login->server);
	reuse_place_freed(&login_worker(login)->reuse, login->pool->pool);
}

void
login_leave_server(struct login *login)
{
	stop_waiting(login);
	if (login->upstream)
		upstream_close(login->upstream);
	login->upstream = NULL;
	give_place_back(login);
}

/* ---- refusals ---- */

/* False: there is no memory for it. */
static bool
keep_refusal(struct login *login, const struct smtp_reply *reply)
{
	char *copy = malloc(reply->text.length);

	if (!copy)
		return false;
	memcpy(copy, reply->text.at, reply->text.length);
	login_forget_refusal(login);
	login->refusal = copy;
	login->refusal_length = reply->text.length;
	return true;
}

static struct smtp_reply
refusal_of(const struct login *login)
{
	return login->refusal
		       ? smtp_reply_of(span_of(login->refusal, login->refusal_length))
		       : NO_SERVER;
}

/* No server has the last word of it: the client hears what one has said, or what we
   say. */
static void
refuse_with_words(struct login *login)
{
	struct session *session = login->holder.session;
	struct smtp_reply reply = refusal_of(login);

	login_end(login);
	session_answer(session, login->slot, &reply);
	login_forget_refusal(login);
}

/* A word about the client: counted against it, and told after a while. */
static void
hold_against_client(struct login *login)
{
	struct session *session = login->holder.session;
	struct smtp_reply reply = refusal_of(login);

	(void)rates_take(&session->tally->rates, RATE_FAILED_LOGINS, &session->client);
	journal_login(session, REJECT_LOGIN, smtp_reply_status(&reply));
	login_end(login);
	login->state = LOGIN_REFUSED;
	loop_timer_start(&login_worker(login)->loop, &login->timer, REFUSAL_DELAY);
}

/* There is no other server to ask. Where the last word was to go, that is one about the
   login: some servers have no other. */
static void
give_up(struct login *login)
{
	struct smtp_reply reply = refusal_of(login);

	if (login->walked_out && !login->refusal) {
		hold_against_client(login);
		return;
	}
	journal_login(login->holder.session,
		      login->refusal ? REJECT_SERVER : REJECT_NO_SERVER,
		      smtp_reply_status(&reply));
	refuse_with_words(login);
}

/* The same in the middle of an exchange with one server. */
static void
give_up_bound(struct login *login)
{
	if (login->refusal || login->walked_out)
		give_up(login);
	else
		login_refuse(login, REJECT_NO_SERVER, &LOGIN_LOST);
}

/* ---- which server ---- */

static bool try_servers(struct login *login);

static void
seek_server(struct login *login)
{
	struct worker *worker = login_worker(login);

	if (try_servers(login))
		return;
	if (!timer_is_running(&login->timer))
		loop_timer_start(&worker->loop, &login->timer, login->pool->queue);
	reuse_wait(&worker->reuse, &login->waiter, login->pool->pool);
	/* one may have been freed before we stood in line */
	try_servers(login);
}

static bool
may_try_another(const struct login *login)
{
	return login->tried_count <= login->pool->retry.attempts &&
	       login->tried_count < LOGIN_TRIED_MAX &&
	       login->walked_out < WALK_OUTS_MAX;
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
	if (login->asked && !login_is_replayable(login)) {
		give_up_bound(login);
		return;
	}
	journal_retry(login->holder.session->tally, login->pool, login->server, phase,
		      why);
	login->tried[login->tried_count++] = login->server->index;
	if (may_try_another(login))
		seek_server(login);
	else
		give_up(login);
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
		upstream_open(&login->holder, login->pool, login->server, &why);
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
		.now = login_worker(login)->loop.now,
		.key = request_key_of_session(session, login->pool->hash_on),
		.chance = worker_random(login_worker(login)),
		.needs = SMTP_AUTH,
		.tried = login->tried,
		.tried_count = login->tried_count,
	};

	switch (pool_pick(login->pool->pool, &request, &login->server)) {
	case POOL_PICKED:
		login->reserved = true;
		return open_upstream(login);
	case POOL_FULL:
		return false;
	default:
		give_up(login);
		return true;
	}
}

bool
login_place_freed(struct waiter *waiter)
{
	return try_servers(CONTAINER_OF(waiter, struct login, waiter));
}

/* No server is for this user: one more name that is not known. Where it has not been
   said that is no fault of the client. */
static void
refuse_for_want_of_route(struct login *login)
{
	if (span_is_empty(login_name(login)))
		login_refuse(login, REJECT_ROUTE, &NOBODY);
	else if (keep_refusal(login, &NOBODY))
		hold_against_client(login);
	else
		login_refuse(login, REJECT_NO_SERVER, &LOGIN_NO_MEMORY);
}

/* Servers may be told what the client is called. */
void
login_check(struct login *login)
{
	login->state = LOGIN_CHECK;
	login->tried_count = 0;
	login->walked_out = 0;
	login_forget_refusal(login);
	login->pool = session_pool(login->holder.session);
	if (!login->pool) {
		refuse_for_want_of_route(login);
		return;
	}
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
	if (login_is_replayable(login))
		status = upstream_replay(upstream, &login->credentials);
	else
		status = upstream_say_auth(upstream, login->mechanism,
					   initial_response(login));
	if (status != STATUS_OK)
		login_refuse(login, REJECT_NO_SERVER, &LOGIN_NO_MEMORY);
}

/* It goes, or what it says is no answer. */
static void
walk_out(struct login *login, const char *why)
{
	upstream_close(login->upstream);
	login->walked_out++;
	try_another(login, RETRY_GREETING, why);
}

/* What was heard before tells the server. */
static void
answer_challenge(struct login *login)
{
	switch (upstream_replay_answer(login->upstream)) {
	case STATUS_OK:
		break;
	case STATUS_INVALID:
		walk_out(login, "AUTH: asks for more than the client has said");
		break;
	default:
		login_refuse(login, REJECT_NO_SERVER, &LOGIN_NO_MEMORY);
		break;
	}
}

/* The server asks: it is answered here, or the client has to. */
static void
take_challenge(struct login *login, const struct smtp_reply *reply)
{
	struct span challenge = span_skip(smtp_reply_first_line(reply), 4);

	if (login_is_replayable(login)) {
		answer_challenge(login);
		return;
	}
	login->asked = true;
	upstream_await_nothing(login->upstream);
	if (session_challenge(login->holder.session, login->slot, challenge) ==
	    STATUS_OK)
		login->listening = true;
	else
		walk_out(login, "AUTH: a challenge that is none");
}

/* The connection has proved itself, and may serve the first message. */
static void
take_success(struct login *login, const struct smtp_reply *reply)
{
	struct upstream *upstream = login->upstream;

	server_observe(upstream->server, SERVER_TRAFFIC_WORKED, "",
		       login_worker(login)->loop.now);
	login->state = LOGIN_DONE;
	login->upstream = NULL;
	upstream->hears_login = false;
	secret_clear(&login->initial);
	upstream->bound = !login_is_replayable(login);
	upstream_release(upstream, true);
	give_place_back(login);
	session_answer(login->holder.session, login->slot, reply);
}

/* It has no login to check, or wants something first: that is between it and us. */
static bool
is_of_set_up(const struct smtp_reply *reply)
{
	switch (reply->code) {
	case 500:
	case 502:
	case 503:
	case 504:
	case 530:
	case 538:
		return true;
	default:
		return false;
	}
}

static void
take_refusal(struct login *login, const struct smtp_reply *reply)
{
	bool is_kept = keep_refusal(login, reply);

	upstream_quit(login->upstream);
	login->upstream = NULL;
	if (!is_kept)
		login_refuse(login, REJECT_NO_SERVER, &LOGIN_NO_MEMORY);
	else if (smtp_reply_is_permanent(reply) && !is_of_set_up(reply))
		hold_against_client(login);
	else
		try_another(login, RETRY_GREETING, "AUTH: no word about the login");
}

static void
replied(struct upstream_holder *holder, enum smtp_step step,
	const struct smtp_reply *reply)
{
	struct login *login = login_of(holder);

	assert(step == SMTP_STEP_AUTH);
	if (reply->code == 334)
		take_challenge(login, reply);
	else if (reply->code == 235)
		take_success(login, reply);
	else if (reply->code == 421 || reply->code < 400)
		walk_out(login, reply->code == 421 ? "AUTH: 421" : "no reply to AUTH");
	else
		take_refusal(login, reply);
}

static void
lost(struct upstream_holder *holder, enum server_failure failure, const char *why,
     const struct smtp_reply *reply)
{
	struct login *login = login_of(holder);

	(void)reply;
	if (failure == SERVER_FAILURE_LOST && login->upstream->hears_login &&
	    !login->listening)
		login->walked_out++;
	try_another(login,
		    failure == SERVER_FAILURE_CONNECT ? RETRY_CONNECT : RETRY_GREETING,
		    why);
}

void
login_on_timeout(struct timer *timer)
{
	struct login *login = CONTAINER_OF(timer, struct login, timer);

	if (login->state == LOGIN_REFUSED)
		refuse_with_words(login);
	else
		login_refuse(login, REJECT_NO_SERVER, &NO_PLACE);
}
