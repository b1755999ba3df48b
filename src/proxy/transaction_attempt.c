#include "proxy/request_key.h"
#include "proxy/transaction_internal.h"

#define PASSED_OVER_MAX (LOGIN_REFUSERS_MAX + TRANSACTION_TRIED_MAX)

static struct span
domain_of(struct span mailbox)
{
	size_t at = span_find_last(mailbox, '@');

	return at == SPAN_NOWHERE ? span_of(NULL, 0) : span_skip(mailbox, at + 1);
}

static uint64_t
key_of(const struct transaction *transaction)
{
	struct span recipient = transaction->recipients[0].mailbox;

	switch (transaction->pool->hash_on) {
	case HASH_ON_SENDER:
		return request_key(transaction->sender);
	case HASH_ON_SENDER_DOMAIN:
		return request_key(domain_of(transaction->sender));
	case HASH_ON_RECIPIENT:
		return request_key(recipient);
	case HASH_ON_RECIPIENT_DOMAIN:
		return request_key(domain_of(recipient));
	default:
		return request_key_of_session(transaction->session,
					      transaction->pool->hash_on);
	}
}

static void
wait_for_place(struct transaction *transaction)
{
	struct worker *worker = transaction_worker(transaction);

	if (!timer_is_running(&transaction->queue_timer))
		loop_timer_start(&worker->loop, &transaction->queue_timer,
				 transaction->pool->queue);
	reuse_wait(&worker->reuse, &transaction->waiter, transaction->pool->pool);
}

void
transaction_waited_too_long(struct timer *timer)
{
	transaction_fail(CONTAINER_OF(timer, struct transaction, queue_timer),
			 REJECT_NO_SERVER, &NO_PLACE);
}

/*
 * A warm connection to the reserved server, or a new one. False: it has as many as it
 * may have, the place is given back.
 */
static bool
open_leg(struct transaction *transaction)
{
	struct worker *worker = transaction_worker(transaction);
	struct session *session = transaction->session;
	bool personal = session_has_own_upstreams(session, transaction->pool);
	struct upstream *upstream = NULL;
	const char *why;

	/* where one warm connection was dead others will be: not again */
	if (!transaction->stale_retried)
		upstream = reuse_take(&worker->reuse, transaction->server,
				      personal ? session : NULL);
	if (upstream) {
		upstream_lend(upstream, &transaction->leg.holder);
	} else if (server_connection_take(transaction->server)) {
		upstream = upstream_open(&transaction->leg.holder, transaction->pool,
					 transaction->server, &why);
	} else {
		/* Not told to those who wait: it is of no use to them without a
		   connection, and they would try it in turn for ever. */
		transaction->reserved = false;
		server_put(transaction->server);
		return false;
	}
	transaction_stop_waiting(transaction);
	transaction->attempts += !transaction->stale_retried;
	if (upstream)
		leg_attach(&transaction->leg, upstream);
	else
		transaction_leg_failed(transaction, RETRY_CONNECT, why, NULL, false);
	return true;
}

static const struct smtp_reply *
incapable_reply(const struct transaction *transaction)
{
	static const struct smtp_reply utf8 = {
		550,
		SPAN_INITIALIZER("550 5.6.7 No server takes SMTPUTF8 messages now")};
	static const struct smtp_reply size = {
		552,
		SPAN_INITIALIZER("552 5.3.4 No server takes a message of this size")};
	static const struct smtp_reply other = {
		451,
		SPAN_INITIALIZER("451 4.3.3 No server now has what the message needs")};

	if (transaction->needs & SMTP_SMTPUTF8)
		return &utf8;
	return transaction->size ? &size : &other;
}

/* None that is left can do what the message needs. That is for good where no other
   could either: what has failed, or takes the login not, may do so another time. */
static void
fail_for_want_of_ability(struct transaction *transaction)
{
	const struct pool_request request = {
		.now = transaction_worker(transaction)->loop.now,
		.needs = transaction->needs,
		.size = transaction->size,
	};

	if (pool_is_capable(transaction->pool->pool, &request))
		transaction_fail_for_want_of_servers(transaction);
	else
		transaction_fail(transaction, REJECT_NO_SERVER,
				 incapable_reply(transaction));
}

/* Servers that have failed it, and those that do not take the client's login. Returns
   how many. */
static uint32_t
passed_over(const struct transaction *transaction, uint32_t places[PASSED_OVER_MAX])
{
	uint32_t count = login_refusers(transaction->session->login,
					transaction->pool->pool, places);

	for (uint32_t i = 0; i < transaction->tried_count; i++)
		places[count++] = transaction->tried[i];
	return count;
}

static enum pool_result
pick(struct transaction *transaction)
{
	uint32_t tried[PASSED_OVER_MAX];
	struct pool_request request = {
		.now = transaction_worker(transaction)->loop.now,
		.key = key_of(transaction),
		.chance = worker_random(transaction_worker(transaction)),
		.needs = transaction->needs,
		.size = transaction->size,
		.tried = tried,
		.tried_count = passed_over(transaction, tried),
	};

	transaction->server_tls = NULL;
	return pool_pick(transaction->pool->pool, &request, &transaction->server);
}

/* The client has logged in at one server, on one connection. False: it is busy. */
static bool
try_bound(struct transaction *transaction)
{
	struct upstream *upstream = session_bound_upstream(transaction->session);

	if (!upstream) {
		transaction_fail_for_want_of_servers(transaction);
		return true;
	}
	if (upstream->state != UPSTREAM_IDLE)
		return false;
	server_take_held(upstream->server);
	transaction->server = upstream->server;
	transaction->reserved = true;
	transaction_stop_waiting(transaction);
	transaction->attempts++;
	upstream_lend(upstream, &transaction->leg.holder);
	leg_attach(&transaction->leg, upstream);
	return true;
}

/* False: there is no free place now. */
static bool
try_servers(struct transaction *transaction)
{
	if (login_binds(transaction->session->login))
		return try_bound(transaction);
	if (session_login_is_spent(transaction->session)) {
		transaction_fail_for_want_of_servers(transaction);
		return true;
	}
	switch (pick(transaction)) {
	case POOL_PICKED:
		transaction->reserved = true;
		transaction->stale_retried = false;
		return open_leg(transaction);
	case POOL_FULL:
		return false;
	case POOL_INCAPABLE:
		fail_for_want_of_ability(transaction);
		return true;
	default:
		transaction_fail_for_want_of_servers(transaction);
		return true;
	}
}

void
transaction_take_route(struct transaction *transaction)
{
	transaction->pool = session_pool(transaction->session);
	if (!transaction->pool)
		transaction_fail(transaction, REJECT_ROUTE, &NO_ROUTE);
}

void
transaction_seek_server(struct transaction *transaction)
{
	if (try_servers(transaction))
		return;
	wait_for_place(transaction);
	/* one may have been freed before we stood in line */
	try_servers(transaction);
}

bool
transaction_place_freed(struct waiter *waiter)
{
	return try_servers(CONTAINER_OF(waiter, struct transaction, waiter));
}

/* ---- the rules of trying again ---- */

/* What a server said that another may not say: kept for the case that none is left. */
static void
remember_reply(struct transaction *transaction, const struct smtp_reply *reply)
{
	struct span text;

	if (!reply || reply->code == 421)
		return;
	transaction->refusals += smtp_reply_is_permanent(reply);
	text = arena_copy(&transaction->arena, reply->text);
	if (text.at)
		transaction->last_reply = (struct smtp_reply){reply->code, text};
}

static bool
may_try_another(const struct transaction *transaction)
{
	return !login_binds(transaction->session->login) &&
	       transaction->tried_count <= transaction->pool->retry.attempts &&
	       transaction->tried_count < TRANSACTION_TRIED_MAX;
}

static void
try_another(struct transaction *transaction)
{
	transaction_give_place_back(transaction);
	transaction->tried[transaction->tried_count++] = transaction->server->index;
	if (transaction->state == TRANSACTION_DATA &&
	    !transaction_is_in_flight(transaction))
		/* all were refused already: there is nothing to ask another for */
		transaction_answer_nobody(transaction);
	else if (!transaction->replayable)
		transaction_fail(transaction, REJECT_NO_SERVER, &LOST_IN_CONTENT);
	else if (may_try_another(transaction))
		transaction_seek_server(transaction);
	else
		transaction_fail_for_want_of_servers(transaction);
}

void
transaction_leg_failed(struct transaction *transaction, enum retry_phase phase,
		       const char *why, const struct smtp_reply *reply, bool stale)
{
	if (transaction->leg.committed) {
		log_message(LOG_DEBUG, "ambiguous", "%s: %s", transaction->server->name,
			    why);
		leg_detach(&transaction->leg);
		transaction_conclude(transaction, transaction->end_slot, &AMBIGUOUS,
				     MESSAGE_AMBIGUOUS);
		return;
	}
	journal_retry(transaction->session->tally, transaction->pool,
		      transaction->server, stale ? RETRY_STALE : phase, why);
	leg_detach(&transaction->leg);
	remember_reply(transaction, reply);
	if (stale && !transaction->stale_retried && transaction->replayable &&
	    !login_binds(transaction->session->login)) {
		transaction->stale_retried = true;
		if (!open_leg(transaction))
			transaction_seek_server(transaction);
		return;
	}
	try_another(transaction);
}
