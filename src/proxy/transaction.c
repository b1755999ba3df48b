#include "proxy/transaction_internal.h"

#include "config/limits.h"
#include "smtp/received.h"

#include <stdlib.h>
#include <time.h>

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
	timer_init(&transaction->queue_timer, transaction_waited_too_long);
	transaction->waiter.place_freed = transaction_place_freed;
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

struct worker *
transaction_worker(const struct transaction *transaction)
{
	return transaction->session->worker;
}

/* ---- its end ---- */

void
transaction_give_place_back(struct transaction *transaction)
{
	if (!transaction->reserved)
		return;
	transaction->reserved = false;
	server_put(transaction->server);
	reuse_place_freed(&transaction_worker(transaction)->reuse,
			  transaction->pool->pool);
}

void
transaction_stop_waiting(struct transaction *transaction)
{
	reuse_stop_waiting(&transaction->waiter);
	loop_timer_stop(&transaction_worker(transaction)->loop,
			&transaction->queue_timer);
}

/* Lets go of everything that others could need; the struct lives to the round's end. */
static void
end(struct transaction *transaction)
{
	struct worker *worker = transaction_worker(transaction);

	transaction_stop_waiting(transaction);
	if (transaction->leg.upstream)
		leg_detach(&transaction->leg);
	transaction_give_place_back(transaction);
	transaction->state = TRANSACTION_OVER;
	list_append(&worker->dead_transactions, &transaction->link);
	worker_reap_later(worker);
	session_transaction_over(transaction->session);
}

enum message_result
transaction_result_of(const struct smtp_reply *reply)
{
	if (smtp_reply_is_positive(reply))
		return MESSAGE_ACCEPTED;
	return smtp_reply_is_permanent(reply) ? MESSAGE_REJECTED : MESSAGE_DEFERRED;
}

void
transaction_conclude(struct transaction *transaction, uint32_t slot,
		     const struct smtp_reply *reply, enum message_result result)
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

void
transaction_fail(struct transaction *transaction, unsigned reason,
		 const struct smtp_reply *reply)
{
	struct span text = arena_copy(&transaction->arena, reply->text);

	transaction_stop_waiting(transaction);
	transaction_give_place_back(transaction);
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
		transaction_conclude(transaction, transaction->data_slot, reply,
				     transaction_result_of(reply));
	else if (transaction->state == TRANSACTION_END)
		transaction_conclude(transaction, transaction->end_slot, reply,
				     transaction_result_of(reply));
	else
		swallow_content(transaction);
}

/* None is left: the last one's own words, where it had some, tell more than ours. But
   not for good, as long as one that was tried may have taken it. */
void
transaction_fail_for_want_of_servers(struct transaction *transaction)
{
	const struct smtp_reply *last = &transaction->last_reply;

	if (last->code && (!smtp_reply_is_permanent(last) ||
			   transaction->refusals == transaction->tried_count))
		transaction_fail(transaction, REJECT_SERVER, last);
	else if (session_login_is_spent(transaction->session))
		transaction_fail(transaction, REJECT_NO_SERVER, &LOGIN_NOT_TAKEN);
	else
		transaction_fail(transaction, REJECT_NO_SERVER, &NO_SERVER);
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

	return most &&
	       transaction->recipient_count + transaction->recipients_over_rate >= most;
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
	if (!rates_let_recipient(session, rcpt->slot, rcpt->rcpt.path.mailbox)) {
		transaction->recipients_over_rate++;
		return;
	}
	if (!add_recipient(transaction, rcpt)) {
		session_answer(session, rcpt->slot, &NO_MEMORY);
		return;
	}
	if (transaction->pool)
		return;
	transaction_take_route(transaction);
	if (!transaction->pool)
		return;
	transaction->awaits_name = session_awaits_name(session);
	if (!transaction->awaits_name)
		transaction_seek_server(transaction);
}

void
transaction_name_settled(struct transaction *transaction)
{
	if (!transaction->awaits_name)
		return;
	transaction->awaits_name = false;
	if (!transaction->failure.code)
		transaction_seek_server(transaction);
}

void
transaction_answer_nobody(struct transaction *transaction)
{
	transaction_conclude(transaction, transaction->data_slot, &NO_RECIPIENT,
			     MESSAGE_REJECTED);
}

void
transaction_data_asked(struct transaction *transaction, uint32_t slot)
{
	transaction->state = TRANSACTION_DATA;
	transaction->data_slot = slot;
	if (transaction->failure.code)
		transaction_conclude(transaction, slot, &transaction->failure,
				     transaction_result_of(&transaction->failure));
	else if (transaction->accepted + transaction->pending == 0)
		transaction_answer_nobody(transaction);
}

/* Its recipient, where there is one alone: no one else's address is told. */
static struct span
only_recipient(const struct transaction *transaction)
{
	if (transaction->accepted + transaction->pending == 1) {
		for (uint32_t i = 0; i < transaction->recipient_count; i++)
			if (transaction->recipients[i].verdict != RECIPIENT_REFUSED)
				return transaction->recipients[i].mailbox;
	}
	return span_of("", 0);
}

static bool
adds_received(const struct transaction *transaction)
{
	return listener_adds_received(transaction->session->listener,
				      transaction->pool);
}

/*
 * Our own line stands before all that the client sends, and leaves with the first of
 * it: alone it would cost a write, and the server a wake-up.
 */
static enum status
add_received(struct transaction *transaction)
{
	struct session *session = transaction->session;
	char line[SMTP_RECEIVED_MAX];
	char id[SESSION_ID_MAX];
	struct smtp_origin origin;

	if (transaction->added_length || !adds_received(transaction))
		return STATUS_OK;
	session_origin(session, &origin, id);
	transaction->added_length = (uint32_t)smtp_received_print(
		&origin, transaction_options(transaction)->hostname,
		only_recipient(transaction), time(NULL), line);
	return chain_append(&transaction->content,
			    span_of(line, transaction->added_length));
}

static void
want_memory(struct transaction *transaction)
{
	leg_detach(&transaction->leg);
	transaction_fail(transaction, REJECT_NO_SERVER, &NO_MEMORY);
}

void
transaction_chunk(struct transaction *transaction)
{
	if (transaction->state != TRANSACTION_ENVELOPE)
		return;
	transaction->octets = true;
	transaction->state = TRANSACTION_BODY;
}

/* Where we add a line it is for us to see that a message goes round for ever (RFC 5321
   6.3). False: it does. */
static bool
passes_hops(struct transaction *transaction, struct span piece)
{
	static const struct smtp_reply loop = {
		554,
		SPAN_INITIALIZER("554 5.4.6 Too many hops, the message goes round")};

	if (transaction->hops.done || !adds_received(transaction))
		return true;
	smtp_hops_take(&transaction->hops, piece);
	if (transaction->hops.count < LIMIT_HOPS)
		return true;
	leg_detach(&transaction->leg);
	journal_reject(transaction->session, "data", REJECT_LOOP, span_of(NULL, 0),
		       &loop);
	transaction_fail(transaction, REJECT_LOOP, &loop);
	return false;
}

/* A read that came full, of content alone, is not copied. */
static enum status
keep_content(struct transaction *transaction, struct span piece)
{
	struct worker *worker = transaction_worker(transaction);

	if (piece.at == worker->scratch && piece.length == LIMIT_READ &&
	    worker_give_scratch(worker, &transaction->content))
		return STATUS_OK;
	return chain_append(&transaction->content, piece);
}

void
transaction_content(struct transaction *transaction, struct span piece)
{
	if (transaction->failure.code || !passes_hops(transaction, piece))
		return;
	if (add_received(transaction) != STATUS_OK ||
	    keep_content(transaction, piece) != STATUS_OK) {
		want_memory(transaction);
		return;
	}
	if (chain_end(&transaction->content) > transaction->pool->retry.buffer)
		transaction->replayable = false;
}

void
transaction_chunk_ended(struct transaction *transaction, uint32_t slot)
{
	if (transaction->failure.code)
		transaction_conclude(transaction, slot, &transaction->failure,
				     transaction_result_of(&transaction->failure));
	else
		session_answer(transaction->session, slot,
			       &SMTP_REPLY("250 2.0.0 Chunk received"));
}

void
transaction_content_ended(struct transaction *transaction, uint32_t slot)
{
	/* of a message that is empty */
	if (!transaction->failure.code && add_received(transaction) != STATUS_OK)
		want_memory(transaction);
	transaction->state = TRANSACTION_END;
	transaction->end_slot = slot;
	if (transaction->failure.code)
		transaction_conclude(transaction, slot, &transaction->failure,
				     transaction_result_of(&transaction->failure));
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
	transaction_stop_waiting(transaction);
	transaction_give_place_back(transaction);
	chain_clear(&transaction->content);
	transaction->abandoned = true;
	transaction->failure = NO_SERVER;
}

void
transaction_refused(struct transaction *transaction, const struct smtp_reply *reply)
{
	journal_message(transaction, transaction_result_of(reply), reply);
	end(transaction);
}

void
transaction_content_refused(struct transaction *transaction,
			    const struct smtp_reply *reply)
{
	leg_detach(&transaction->leg);
	transaction_fail(transaction, REJECT_SERVER, reply);
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
	transaction->content_length =
		chain_end(&transaction->content) - transaction->added_length;
	transaction->replayable = false;
	chain_clear(&transaction->content);
	transaction->leg.offset = 0;
}
