#include "proxy/transaction.h"

#include "config/limits.h"
#include "proxy/journal.h"
#include "proxy/session.h"

#include <assert.h>
#include <stdlib.h>
#include <xxhash.h>

#define NO_SERVER SMTP_REPLY("451 4.3.2 No server can take the message now, try again")
#define NO_PLACE SMTP_REPLY("451 4.3.2 All servers are busy, try again")
#define NO_MEMORY SMTP_REPLY("451 4.3.1 Out of memory, try again")
#define NO_RECIPIENT SMTP_REPLY("554 5.5.1 No valid recipients")
#define LOST_IN_CONTENT                                                                \
	SMTP_REPLY("451 4.4.2 The server was lost in the middle of the message, try "  \
		   "again")
#define AMBIGUOUS                                                                      \
	SMTP_REPLY("451 4.4.2 The server was lost before it answered, try again")
#define CONTRADICTION                                                                  \
	SMTP_REPLY("451 4.3.0 The servers do not agree on a recipient, try again")

static timer_expired on_queue_timeout;
static void seek_server(struct transaction *transaction);

const struct smtp_server_options *
transaction_options(const struct transaction *transaction)
{
	return &transaction->session->listener->smtp;
}

struct transaction *
transaction_new(struct session *session, const struct smtp_event *mail)
{
	struct transaction *transaction = slab_take(&session->worker->transactions);

	if (!transaction)
		return NULL;
	transaction->session = session;
	transaction->started = loop_microseconds();
	transaction->replayable = true;
	timer_init(&transaction->queue_timer, on_queue_timeout);
	chain_init(&transaction->content, &session->worker->blocks);
	leg_init(&transaction->leg, transaction);
	transaction->sender = arena_copy(&transaction->arena, mail->mail.path.mailbox);
	transaction->mail_parameters =
		arena_copy(&transaction->arena, mail->mail.parameters.text);
	transaction->needs = mail->mail.parameters.needs;
	transaction->size = mail->mail.parameters.size;
	if (transaction->sender.at && transaction->mail_parameters.at)
		return transaction;
	transaction_free(transaction);
	return NULL;
}

void
transaction_free(struct transaction *transaction)
{
	struct worker *worker = transaction->session->worker;

	arena_reset(&transaction->arena);
	chain_clear(&transaction->content);
	chain_clear(&transaction->leg.wire);
	free(transaction->recipients);
	slab_put(&worker->transactions, transaction);
}

static struct worker *
worker_of(const struct transaction *transaction)
{
	return transaction->session->worker;
}

/* ---- its end ---- */

static void
give_place_back(struct transaction *transaction)
{
	if (!transaction->reserved)
		return;
	transaction->reserved = false;
	server_put(transaction->server);
	reuse_place_freed(&worker_of(transaction)->reuse, transaction->pool->pool);
}

static void
stop_waiting(struct transaction *transaction)
{
	reuse_stop_waiting(&worker_of(transaction)->reuse, transaction);
	loop_timer_stop(&worker_of(transaction)->loop, &transaction->queue_timer);
}

/* Lets go of everything that others could need; the struct lives to the round's end. */
static void
end(struct transaction *transaction)
{
	struct worker *worker = worker_of(transaction);

	stop_waiting(transaction);
	if (transaction->leg.upstream)
		leg_detach(&transaction->leg);
	give_place_back(transaction);
	transaction->state = TRANSACTION_OVER;
	list_append(&worker->dead_transactions, &transaction->link);
	worker_reap_later(worker);
	session_transaction_over(transaction->session);
}

static enum message_result
result_of(const struct smtp_reply *reply)
{
	if (smtp_reply_is_positive(reply))
		return MESSAGE_ACCEPTED;
	return smtp_reply_is_permanent(reply) ? MESSAGE_REJECTED : MESSAGE_DEFERRED;
}

/* The last word to DATA or to the content. */
static void
conclude(struct transaction *transaction, uint32_t slot, const struct smtp_reply *reply,
	 enum message_result result)
{
	journal_message(transaction, result, reply);
	session_answer(transaction->session, slot, reply);
	end(transaction);
}

/* What is still to come of the message is read and thrown away. */
static void
swallow_content(struct transaction *transaction)
{
	chain_clear(&transaction->content);
	session_resume(transaction->session);
}

/*
 * No server will get the message in this transaction: everything that is owed and all
 * that follows is answered with the reply.
 */
static void
fail(struct transaction *transaction, unsigned reason, const struct smtp_reply *reply)
{
	struct span text = arena_copy(&transaction->arena, reply->text);

	stop_waiting(transaction);
	give_place_back(transaction);
	transaction->failure =
		text.at ? (struct smtp_reply){reply->code, text} : NO_MEMORY;
	transaction->failure_reason = reason;
	reply = &transaction->failure;
	for (uint32_t i = 0; i < transaction->recipient_count; i++) {
		struct recipient *recipient = &transaction->recipients[i];

		if (recipient->verdict != RECIPIENT_PENDING)
			continue;
		recipient->verdict = RECIPIENT_REFUSED;
		transaction->pending--;
		journal_reject(transaction->session, "rcpt",
			       transaction->failure_reason, recipient->mailbox, reply);
		session_answer(transaction->session, recipient->slot, reply);
	}
	if (transaction->state == TRANSACTION_DATA)
		conclude(transaction, transaction->data_slot, reply, result_of(reply));
	else if (transaction->state == TRANSACTION_END)
		conclude(transaction, transaction->end_slot, reply, result_of(reply));
	else
		swallow_content(transaction);
}

/* None is left: the last one's own words, where it had some, tell more than ours. */
static void
fail_for_want_of_servers(struct transaction *transaction)
{
	if (transaction->last_reply.code)
		fail(transaction, REJECT_SERVER, &transaction->last_reply);
	else
		fail(transaction, REJECT_NO_SERVER, &NO_SERVER);
}

/* ---- choosing a server ---- */

/*
 * The pool of a recipient: the one place where routes decide. With one pool a listener
 * it is always that.
 */
static const struct pool_snapshot *
pool_for_recipient(const struct transaction *transaction, const struct smtp_path *path)
{
	(void)path;
	return transaction->session->listener->pool;
}

static struct span
domain_of(struct span mailbox)
{
	size_t at = span_find_last(mailbox, '@');

	return at == SPAN_NOWHERE ? span_of(NULL, 0) : span_skip(mailbox, at + 1);
}

/* Letters count alike in either case, so that one mailbox is one key. */
static uint64_t
key_of(struct span text)
{
	char folded[SMTP_PATH_MAX];
	size_t length = text.length < sizeof(folded) ? text.length : sizeof(folded);

	for (size_t i = 0; i < length; i++) {
		char c = text.at[i];

		folded[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	return XXH3_64bits(folded, length);
}

static uint64_t
request_key(const struct transaction *transaction)
{
	const struct session *session = transaction->session;
	struct span recipient = transaction->recipients[0].mailbox;

	switch (transaction->pool->hash_on) {
	case HASH_ON_HELO:
		return key_of(span_from_string(session->helo ? session->helo : ""));
	case HASH_ON_SENDER:
		return key_of(transaction->sender);
	case HASH_ON_SENDER_DOMAIN:
		return key_of(domain_of(transaction->sender));
	case HASH_ON_RECIPIENT:
		return key_of(recipient);
	case HASH_ON_RECIPIENT_DOMAIN:
		return key_of(domain_of(recipient));
	default:
		return endpoint_hash_address(&session->client);
	}
}

static void
wait_for_place(struct transaction *transaction)
{
	struct worker *worker = worker_of(transaction);

	if (!timer_is_running(&transaction->queue_timer))
		loop_timer_start(&worker->loop, &transaction->queue_timer,
				 transaction->pool->queue);
	reuse_wait(&worker->reuse, transaction, transaction->pool->pool);
}

static void
on_queue_timeout(struct timer *timer)
{
	fail(CONTAINER_OF(timer, struct transaction, queue_timer), REJECT_NO_SERVER,
	     &NO_PLACE);
}

/* A warm connection to the reserved server, or a new one. */
static void
open_leg(struct transaction *transaction)
{
	struct worker *worker = worker_of(transaction);
	struct upstream *upstream = reuse_take(&worker->reuse, transaction->server);
	const char *why;

	if (upstream) {
		upstream_lend(upstream, &transaction->leg);
		leg_attach(&transaction->leg, upstream);
		return;
	}
	if (!server_connection_take(transaction->server)) {
		give_place_back(transaction);
		wait_for_place(transaction);
		return;
	}
	upstream =
		upstream_open(worker, transaction->session->snapshot, transaction->pool,
			      transaction->server, &transaction->leg, &why);
	if (upstream)
		leg_attach(&transaction->leg, upstream);
	else
		transaction_leg_failed(transaction, RETRY_CONNECT, why, NULL, false);
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

/* Reserves a server that was not tried yet and opens the leg; or waits; or fails. */
static void
seek_server(struct transaction *transaction)
{
	struct pool_request request = {
		.now = worker_of(transaction)->loop.now,
		.key = request_key(transaction),
		.chance = worker_random(worker_of(transaction)),
		.needs = transaction->needs,
		.size = transaction->size,
		.tried = transaction->tried,
		.tried_count = transaction->tried_count,
	};

	switch (pool_pick(transaction->pool->pool, &request, &transaction->server)) {
	case POOL_PICKED:
		stop_waiting(transaction);
		transaction->reserved = true;
		transaction->attempts++;
		transaction->stale_retried = false;
		open_leg(transaction);
		break;
	case POOL_FULL:
		wait_for_place(transaction);
		break;
	case POOL_INCAPABLE:
		fail(transaction, REJECT_NO_SERVER, incapable_reply(transaction));
		break;
	case POOL_EMPTY:
		fail_for_want_of_servers(transaction);
		break;
	}
}

void
transaction_place_freed(struct transaction *transaction)
{
	seek_server(transaction);
}

/* ---- the rules of trying again ---- */

/* What a server said that another may not say: kept for the case that none is left. */
static void
remember_reply(struct transaction *transaction, const struct smtp_reply *reply)
{
	struct span text;

	if (!reply || reply->code == 421)
		return;
	text = arena_copy(&transaction->arena, reply->text);
	if (text.at)
		transaction->last_reply = (struct smtp_reply){reply->code, text};
}

static void
count_retry(struct transaction *transaction, enum retry_phase phase)
{
	struct server_tally *row =
		tally_server(transaction->session->tally, transaction->server);

	tally_add(&row->retries[phase], 1);
}

static bool
may_try_another(const struct transaction *transaction)
{
	return transaction->tried_count <= transaction->pool->retry.attempts &&
	       transaction->tried_count < TRANSACTION_TRIED_MAX;
}

static void
try_another(struct transaction *transaction)
{
	give_place_back(transaction);
	transaction->tried[transaction->tried_count++] = transaction->server->index;
	if (!transaction->replayable)
		fail(transaction, REJECT_NO_SERVER, &LOST_IN_CONTENT);
	else if (may_try_another(transaction))
		seek_server(transaction);
	else
		fail_for_want_of_servers(transaction);
}

void
transaction_leg_failed(struct transaction *transaction, enum retry_phase phase,
		       const char *why, const struct smtp_reply *reply, bool stale)
{
	bool committed = transaction->leg.committed;

	log_message(LOG_DEBUG, "retry", "%s: %s: %s", transaction->server->name,
		    retry_phase_name(phase), why);
	leg_detach(&transaction->leg);
	if (committed) {
		conclude(transaction, transaction->end_slot, &AMBIGUOUS,
			 MESSAGE_AMBIGUOUS);
		return;
	}
	remember_reply(transaction, reply);
	count_retry(transaction, stale ? RETRY_STALE : phase);
	if (stale && !transaction->stale_retried && transaction->replayable) {
		transaction->stale_retried = true;
		open_leg(transaction);
		return;
	}
	try_another(transaction);
}

/* 421, or no storage, or not accepting: no word about the recipient. */
static bool
is_about_server(const struct smtp_reply *reply)
{
	return smtp_reply_is_transient(reply) &&
	       (smtp_reply_has_enhanced(reply, 4, 3, 1) ||
		smtp_reply_has_enhanced(reply, 4, 3, 2));
}

/* ---- what the client does ---- */

static bool
add_recipient(struct transaction *transaction, const struct smtp_event *rcpt)
{
	struct recipient *recipient;

	if (transaction->recipient_count == transaction->recipient_capacity) {
		uint32_t capacity = transaction->recipient_capacity * 2 + 4;
		void *grown = realloc(transaction->recipients,
				      capacity * sizeof(*transaction->recipients));

		if (!grown)
			return false;
		transaction->recipients = grown;
		transaction->recipient_capacity = capacity;
	}
	recipient = &transaction->recipients[transaction->recipient_count];
	*recipient = (struct recipient){
		.mailbox = arena_copy(&transaction->arena, rcpt->rcpt.path.mailbox),
		.parameters =
			arena_copy(&transaction->arena, rcpt->rcpt.parameters.text),
		.slot = rcpt->slot,
	};
	if (!recipient->mailbox.at || !recipient->parameters.at)
		return false;
	transaction->needs |= rcpt->rcpt.parameters.needs;
	transaction->recipient_count++;
	transaction->pending++;
	return true;
}

/* Refused recipients are remembered too: no client may go on trying for ever. */
static bool
has_tried_enough(const struct transaction *transaction)
{
	uint64_t most = (uint64_t)transaction_options(transaction)->max_recipients *
			LIMIT_RECIPIENTS_TRIED;

	return most && transaction->recipient_count >= most;
}

/* An LMTP server answers for each recipient, an SMTP client hears one answer: with one
   recipient a message they are the same. See docs/decisions/0005-lmtp-one-recipient.md.
 */
static bool
is_one_too_many(const struct transaction *transaction)
{
	return transaction->pool && transaction->pool->protocol == MAIL_LMTP &&
	       transaction->accepted + transaction->pending > 0;
}

void
transaction_recipient(struct transaction *transaction, const struct smtp_event *rcpt)
{
	struct session *session = transaction->session;

	if (transaction->failure.code) {
		journal_reject(session, "rcpt", transaction->failure_reason,
			       rcpt->rcpt.path.mailbox, &transaction->failure);
		session_answer(session, rcpt->slot, &transaction->failure);
		return;
	}
	if (has_tried_enough(transaction)) {
		session_answer(session, rcpt->slot,
			       &SMTP_REPLY("452 4.5.3 Too many recipients"));
		return;
	}
	if (is_one_too_many(transaction)) {
		session_answer(session, rcpt->slot,
			       &SMTP_REPLY("452 4.5.3 One recipient at a time here"));
		return;
	}
	if (!add_recipient(transaction, rcpt)) {
		session_answer(session, rcpt->slot, &NO_MEMORY);
		return;
	}
	if (!transaction->pool) {
		transaction->pool = pool_for_recipient(transaction, &rcpt->rcpt.path);
		seek_server(transaction);
	}
}

static void
answer_nobody(struct transaction *transaction)
{
	conclude(transaction, transaction->data_slot, &NO_RECIPIENT, MESSAGE_REJECTED);
}

void
transaction_data_asked(struct transaction *transaction, uint32_t slot)
{
	transaction->state = TRANSACTION_DATA;
	transaction->data_slot = slot;
	if (transaction->failure.code)
		conclude(transaction, slot, &transaction->failure,
			 result_of(&transaction->failure));
	else if (transaction->accepted + transaction->pending == 0)
		answer_nobody(transaction);
}

void
transaction_chunk(struct transaction *transaction)
{
	if (transaction->state == TRANSACTION_ENVELOPE) {
		transaction->octets = true;
		transaction->state = TRANSACTION_BODY;
	}
}

void
transaction_content(struct transaction *transaction, struct span piece)
{
	if (transaction->failure.code)
		return;
	if (chain_append(&transaction->content, piece) != STATUS_OK) {
		leg_detach(&transaction->leg);
		fail(transaction, REJECT_NO_SERVER, &NO_MEMORY);
		return;
	}
	if (chain_end(&transaction->content) > transaction->pool->retry.buffer)
		transaction->replayable = false;
}

void
transaction_chunk_ended(struct transaction *transaction, uint32_t slot)
{
	if (transaction->failure.code)
		conclude(transaction, slot, &transaction->failure,
			 result_of(&transaction->failure));
	else
		session_answer(transaction->session, slot,
			       &SMTP_REPLY("250 2.0.0 Chunk received"));
}

void
transaction_content_ended(struct transaction *transaction, uint32_t slot)
{
	transaction->state = TRANSACTION_END;
	transaction->end_slot = slot;
	if (transaction->failure.code)
		conclude(transaction, slot, &transaction->failure,
			 result_of(&transaction->failure));
}

void
transaction_push(struct transaction *transaction)
{
	if (transaction->leg.upstream)
		leg_advance(&transaction->leg);
}

void
transaction_abandon(struct transaction *transaction)
{
	leg_detach(&transaction->leg);
	stop_waiting(transaction);
	give_place_back(transaction);
	chain_clear(&transaction->content);
	transaction->abandoned = true;
	transaction->failure = NO_SERVER;
}

void
transaction_refused(struct transaction *transaction, const struct smtp_reply *reply)
{
	journal_message(transaction, result_of(reply), reply);
	end(transaction);
}

void
transaction_content_refused(struct transaction *transaction,
			    const struct smtp_reply *reply)
{
	leg_detach(&transaction->leg);
	fail(transaction, REJECT_SERVER, reply);
}

void
transaction_abort(struct transaction *transaction)
{
	if (transaction->leg.committed)
		return;
	if (transaction->accepted > 0 || transaction->state != TRANSACTION_ENVELOPE)
		journal_message(transaction, MESSAGE_ABORTED, NULL);
	end(transaction);
}

bool
transaction_is_congested(const struct transaction *transaction)
{
	if (transaction->failure.code || transaction->state != TRANSACTION_BODY)
		return false;
	return leg_backlog(&transaction->leg) >= LIMIT_TRANSACTION_WINDOW;
}

bool
transaction_is_in_flight(const struct transaction *transaction)
{
	return transaction->accepted + transaction->pending > 0;
}

/* ---- what the server says ---- */

void
transaction_mail_refused(struct transaction *transaction,
			 const struct smtp_reply *reply)
{
	tally_add(&transaction->server->counters.failures[SERVER_FAILURE_5XX], 1);
	if (transaction->accepted > 0)
		fail(transaction, REJECT_NO_SERVER, &CONTRADICTION);
	else
		fail(transaction, REJECT_SERVER, reply);
}

static void
count_refusal(const struct transaction *transaction, const struct smtp_reply *reply)
{
	enum server_failure kind = smtp_reply_is_permanent(reply) ? SERVER_FAILURE_5XX
								  : SERVER_FAILURE_4XX;

	tally_add(&transaction->server->counters.failures[kind], 1);
}

/* A new server's answer about a recipient whose answer the client has. */
static void
check_verdict(struct transaction *transaction, const struct smtp_reply *reply)
{
	if (smtp_reply_is_positive(reply))
		return;
	leg_detach(&transaction->leg);
	fail(transaction, REJECT_NO_SERVER, &CONTRADICTION);
}

static void
settle_verdict(struct transaction *transaction, struct recipient *recipient,
	       const struct smtp_reply *reply)
{
	transaction->pending--;
	if (smtp_reply_is_positive(reply)) {
		recipient->verdict = RECIPIENT_ACCEPTED;
		transaction->accepted++;
	} else {
		recipient->verdict = RECIPIENT_REFUSED;
		count_refusal(transaction, reply);
		journal_reject(transaction->session, "rcpt", REJECT_SERVER,
			       recipient->mailbox, reply);
	}
	session_answer(transaction->session, recipient->slot, reply);
}

void
transaction_recipient_answered(struct transaction *transaction, uint32_t index,
			       const struct smtp_reply *reply)
{
	struct recipient *recipient = &transaction->recipients[index];

	if (recipient->verdict == RECIPIENT_ACCEPTED) {
		check_verdict(transaction, reply);
		return;
	}
	if (index == 0 && is_about_server(reply)) {
		leg_detach(&transaction->leg);
		transaction_leg_failed(transaction, RETRY_ENVELOPE, "RCPT deferred",
				       reply, false);
		return;
	}
	settle_verdict(transaction, recipient, reply);
	if (transaction->state == TRANSACTION_DATA && transaction->pending == 0 &&
	    transaction->accepted == 0 && transaction->leg.state == LEG_ENVELOPE)
		answer_nobody(transaction);
}

static void
open_content(struct transaction *transaction, const struct smtp_reply *reply)
{
	if (transaction->accepted == 0) {
		leg_detach(&transaction->leg);
		answer_nobody(transaction);
		return;
	}
	if (transaction->state == TRANSACTION_DATA) {
		transaction->state = TRANSACTION_BODY;
		session_answer(transaction->session, transaction->data_slot, reply);
	}
}

void
transaction_data_answered(struct transaction *transaction,
			  const struct smtp_reply *reply)
{
	if (reply->code == 354) {
		open_content(transaction, reply);
		return;
	}
	count_refusal(transaction, reply);
	leg_detach(&transaction->leg);
	if (transaction->state == TRANSACTION_DATA) {
		conclude(transaction, transaction->data_slot, reply, result_of(reply));
	} else if (smtp_reply_is_transient(reply)) {
		transaction_leg_failed(transaction, RETRY_DATA, "DATA deferred", reply,
				       false);
	} else {
		fail(transaction, REJECT_NO_SERVER, &CONTRADICTION);
	}
}

void
transaction_chunk_refused(struct transaction *transaction,
			  const struct smtp_reply *reply)
{
	count_refusal(transaction, reply);
	fail(transaction, REJECT_SERVER, reply);
}

void
transaction_end_answered(struct transaction *transaction,
			 const struct smtp_reply *reply)
{
	static const struct smtp_reply busy = {
		451, SPAN_INITIALIZER("451 4.3.2 The server is going down, try again")};
	uint64_t took = loop_microseconds() - transaction->leg.end_at;

	server_count_reply(transaction->server, took);
	if (!smtp_reply_is_positive(reply)) {
		count_refusal(transaction, reply);
	} else {
		struct server_counters *counters = &transaction->server->counters;

		tally_add(&counters->messages, 1);
		tally_add(&counters->recipients, transaction->accepted);
		tally_add(&counters->bytes, transaction->content_length);
	}
	if (reply->code == 421) {
		leg_detach(&transaction->leg);
		conclude(transaction, transaction->end_slot, &busy, MESSAGE_DEFERRED);
		return;
	}
	leg_finish(&transaction->leg);
	conclude(transaction, transaction->end_slot, reply, result_of(reply));
}

/* ---- what the kernel takes ---- */

void
transaction_leg_drained(struct transaction *transaction)
{
	if (!transaction->replayable)
		chain_discard(&transaction->content, transaction->leg.offset);
	if (transaction->session->congested && !transaction_is_congested(transaction))
		session_resume(transaction->session);
}

void
transaction_committed(struct transaction *transaction)
{
	transaction->content_length = chain_end(&transaction->content);
	transaction->replayable = false;
	chain_clear(&transaction->content);
	transaction->leg.offset = 0;
}
