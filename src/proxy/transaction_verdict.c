#include "proxy/transaction_internal.h"

void
transaction_mail_refused(struct transaction *transaction,
			 const struct smtp_reply *reply)
{
	tally_add(&transaction->server->counters.failures[SERVER_FAILURE_5XX], 1);
	if (transaction->accepted > 0)
		transaction_fail(transaction, REJECT_NO_SERVER, &CONTRADICTION);
	else
		transaction_fail(transaction, REJECT_SERVER, reply);
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
	transaction_fail(transaction, REJECT_NO_SERVER, &CONTRADICTION);
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

/* 421, or no storage, or not accepting: no word about the recipient. */
static bool
is_about_server(const struct smtp_reply *reply)
{
	return smtp_reply_is_transient(reply) &&
	       (smtp_reply_has_enhanced(reply, 4, 3, 1) ||
		smtp_reply_has_enhanced(reply, 4, 3, 2));
}

void
transaction_recipient_answered(struct transaction *transaction, uint32_t index,
			       const struct smtp_reply *reply)
{
	struct recipient *recipient = &transaction->recipients[index];
	bool known = recipient->verdict == RECIPIENT_ACCEPTED;

	if (is_about_server(reply) && (known || index == 0)) {
		leg_detach(&transaction->leg);
		transaction_leg_failed(transaction, RETRY_ENVELOPE, "RCPT deferred",
				       reply, false);
		return;
	}
	if (known) {
		check_verdict(transaction, reply);
		return;
	}
	settle_verdict(transaction, recipient, reply);
	if (transaction->state == TRANSACTION_DATA && transaction->pending == 0 &&
	    transaction->accepted == 0 && transaction->leg.state == LEG_ENVELOPE)
		transaction_answer_nobody(transaction);
}

static void
open_content(struct transaction *transaction, const struct smtp_reply *reply)
{
	if (transaction->accepted == 0) {
		leg_detach(&transaction->leg);
		transaction_answer_nobody(transaction);
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
		transaction_conclude(transaction, transaction->data_slot, reply,
				     transaction_result_of(reply));
	} else if (smtp_reply_is_transient(reply)) {
		transaction_leg_failed(transaction, RETRY_DATA, "DATA deferred", reply,
				       false);
	} else {
		transaction_fail(transaction, REJECT_NO_SERVER, &CONTRADICTION);
	}
}

void
transaction_chunk_refused(struct transaction *transaction,
			  const struct smtp_reply *reply)
{
	count_refusal(transaction, reply);
	transaction_fail(transaction, REJECT_SERVER, reply);
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
		transaction_conclude(transaction, transaction->end_slot, &busy,
				     MESSAGE_DEFERRED);
		return;
	}
	leg_finish(&transaction->leg);
	transaction_conclude(transaction, transaction->end_slot, reply,
			     transaction_result_of(reply));
}
