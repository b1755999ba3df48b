#include "proxy/leg_internal.h"

#include "balance/server_fault.h"
#include "config/limits.h"
#include "proxy/session.h"
#include "smtp/xclient.h"

#include <assert.h>

/* Commands queued before the kernel has to take some: bytes. */
#define OUTPUT_HIGH (LIMIT_UPSTREAM_OUTPUT / 2)

/* What we can say of a client by XFORWARD. */
#define XFORWARD_ATTRIBUTES                                                            \
	(SMTP_ATTRIBUTE_NAME | SMTP_ATTRIBUTE_ADDR | SMTP_ATTRIBUTE_PORT |             \
	 SMTP_ATTRIBUTE_PROTO | SMTP_ATTRIBUTE_HELO | SMTP_ATTRIBUTE_IDENT |           \
	 SMTP_ATTRIBUTE_SOURCE)

static void begin(struct leg *leg);
static void ready(struct upstream_holder *holder);
static void replied(struct upstream_holder *holder, enum smtp_step step,
		    const struct smtp_reply *reply);
static void lost(struct upstream_holder *holder, enum server_failure failure,
		 const char *why, const struct smtp_reply *reply);
static void flushed(struct upstream_holder *holder);

static const struct upstream_calls calls = {
	.ready = ready,
	.replied = replied,
	.lost = lost,
	.prepare = leg_prepare,
	.gather = leg_gather,
	.wrote = leg_wrote,
	.flushed = flushed,
};

void
leg_init(struct leg *leg, struct transaction *transaction)
{
	*leg = (struct leg){
		.holder = {&calls, transaction->session},
		.transaction = transaction,
	};
	chain_init(&leg->wire, transaction->content.pool);
}

/* A leg begins anew with each connection; nothing of an earlier attempt is left. */
static void
start_over(struct leg *leg)
{
	struct transaction *transaction = leg->transaction;

	chain_clear(&leg->wire);
	leg_init(leg, transaction);
}

bool
leg_server_can(const struct leg *leg, enum smtp_extension extension)
{
	return leg->upstream->extensions.set & extension;
}

void
leg_attach(struct leg *leg, struct upstream *upstream)
{
	start_over(leg);
	leg->upstream = upstream;
	leg->state = LEG_OPENING;
	if (upstream->state == UPSTREAM_LEASED)
		begin(leg);
}

void
leg_detach(struct leg *leg)
{
	struct upstream *upstream = leg->upstream;
	/* behind DATA, RSET might be taken for content */
	bool clean = leg->state < LEG_DATA;

	if (upstream && upstream->state == UPSTREAM_LEASED && clean &&
	    (smtp_client_owed(&upstream->smtp) == 0 ||
	     leg_server_can(leg, SMTP_PIPELINING)))
		upstream_release(upstream,
				 !leg->mail_sent &&
					 smtp_client_owed(&upstream->smtp) == 0);
	else if (upstream)
		upstream_close(upstream);
	start_over(leg);
}

void
leg_finish(struct leg *leg)
{
	struct upstream *upstream = leg->upstream;

	upstream->messages++;
	upstream_release(upstream, true);
	start_over(leg);
}

uint64_t
leg_backlog(const struct leg *leg)
{
	return chain_end(&leg->transaction->content) - leg->offset;
}

/* ---- the envelope ---- */

static bool
may_send(const struct leg *leg)
{
	const struct upstream *upstream = leg->upstream;

	if (buffer_length(&upstream->output) >= OUTPUT_HIGH)
		return false;
	return leg_server_can(leg, SMTP_PIPELINING) ||
	       smtp_client_owed(&upstream->smtp) == 0;
}

static enum status
send_path(struct leg *leg, enum smtp_step step, struct span command,
	  struct span mailbox, struct span parameters)
{
	struct buffer *output = &leg->upstream->output;
	enum status status = buffer_append(output, command);

	if (status == STATUS_OK)
		status = buffer_append(output, mailbox);
	if (status == STATUS_OK)
		status = buffer_append(output, SPAN(">"));
	if (status == STATUS_OK)
		status = smtp_parameters_print(parameters, leg->upstream->extensions,
					       output);
	if (status == STATUS_OK)
		status = buffer_append(output, SPAN("\r\n"));
	if (status == STATUS_OK)
		smtp_client_expect(&leg->upstream->smtp, step, 1);
	return status;
}

/* XFORWARD, in as many commands as it takes: of this transaction's client. */
static enum status
send_identity(struct leg *leg)
{
	struct upstream *upstream = leg->upstream;
	char id[SESSION_ID_MAX];
	struct smtp_origin origin;
	enum status status;

	session_origin(leg->transaction->session, &origin, id);
	status = smtp_attributes_print(SMTP_ATTRIBUTES_XFORWARD, &origin,
				       &leg->attributes, &upstream->output);
	if (status == STATUS_OK)
		smtp_client_expect(&upstream->smtp, SMTP_STEP_IDENTITY, 1);
	return status;
}

static enum status
send_mail(struct leg *leg)
{
	leg->mail_sent = true;
	return send_path(leg, SMTP_STEP_MAIL, SPAN("MAIL FROM:<"),
			 leg->transaction->sender, leg->transaction->mail_parameters);
}

/* Index of the next recipient from the given one on that is to be sent. */
static uint32_t
next_recipient(const struct leg *leg, uint32_t index)
{
	const struct transaction *transaction = leg->transaction;

	while (index < transaction->recipient_count &&
	       transaction->recipients[index].verdict == RECIPIENT_REFUSED)
		index++;
	return index;
}

static enum status
send_recipient(struct leg *leg, uint32_t index)
{
	const struct recipient *recipient = &leg->transaction->recipients[index];

	leg->recipients_sent = index + 1;
	return send_path(leg, SMTP_STEP_RCPT, SPAN("RCPT TO:<"), recipient->mailbox,
			 recipient->parameters);
}

/* A chunk waits for every answer, since its octets could not be taken back. */
static bool
content_is_due(const struct leg *leg)
{
	const struct transaction *transaction = leg->transaction;

	if (transaction->state == TRANSACTION_ENVELOPE ||
	    transaction->accepted + transaction->pending == 0)
		return false;
	return !transaction->octets || smtp_client_owed(&leg->upstream->smtp) == 0;
}

static enum status
begin_content(struct leg *leg)
{
	if (leg->transaction->octets && leg_server_can(leg, SMTP_CHUNKING)) {
		leg->coding = LEG_CHUNKS;
		leg->state = LEG_BODY;
		return STATUS_OK;
	}
	leg->coding = leg->transaction->octets ? LEG_STUFFED : LEG_AS_IT_STANDS;
	leg->state = LEG_DATA;
	return smtp_client_send(&leg->upstream->smtp, SMTP_STEP_DATA,
				&leg->upstream->output, "DATA");
}

/* Sends one more command; false when none is due. */
static bool
send_next(struct leg *leg, enum status *status)
{
	uint32_t index = next_recipient(leg, leg->recipients_sent);

	if (leg->attributes)
		*status = send_identity(leg);
	else if (!leg->mail_sent)
		*status = send_mail(leg);
	else if (index < leg->transaction->recipient_count)
		*status = send_recipient(leg, index);
	else if (leg->state == LEG_ENVELOPE && content_is_due(leg))
		*status = begin_content(leg);
	else
		return false;
	return true;
}

static void
await_reply(struct leg *leg)
{
	struct upstream *upstream = leg->upstream;
	const struct pool_snapshot *pool = leg->transaction->pool;

	if (smtp_client_owed(&upstream->smtp) == 0)
		upstream_await_nothing(upstream);
	else if (leg->state == LEG_DATA)
		upstream_await(upstream, pool->timeouts.data);
	else
		upstream_await(upstream, pool->timeouts.command);
}

static void
advance_envelope(struct leg *leg)
{
	uint32_t owed = smtp_client_owed(&leg->upstream->smtp);
	enum leg_state before = leg->state;
	enum status status = STATUS_OK;

	while (may_send(leg) && status == STATUS_OK && send_next(leg, &status))
		;
	if (status != STATUS_OK) {
		leg_detach(leg);
		transaction_leg_failed(leg->transaction, RETRY_ENVELOPE,
				       "out of memory", NULL, false);
		return;
	}
	if (smtp_client_owed(&leg->upstream->smtp) != owed || leg->state != before) {
		await_reply(leg);
		upstream_flush_later(leg->upstream);
	}
}

void
leg_advance(struct leg *leg)
{
	if (leg->state == LEG_ENVELOPE)
		advance_envelope(leg);
	if (leg->state == LEG_BODY && leg_content_waits(leg)) {
		if (!timer_is_running(&leg->upstream->timer))
			upstream_await(leg->upstream,
				       leg->transaction->pool->timeouts.block);
		upstream_flush_later(leg->upstream);
	}
}

/* The connection is of no use to anybody as long as it is not announced. */
static void
leave_unannounced(struct leg *leg, enum setup_fault fault)
{
	struct upstream *upstream = leg->upstream;
	struct transaction *transaction = leg->transaction;
	const char *why =
		upstream_note_identity(upstream, fault, SETUP_PROVEN_OF_ALL, NULL);

	tally_add(&upstream->server->counters.failures[SERVER_FAILURE_GREETING], 1);
	server_observe(upstream->server, SERVER_TRAFFIC_FAILED, why,
		       upstream->worker->loop.now);
	upstream_quit(upstream);
	start_over(leg);
	transaction_leg_failed(transaction, RETRY_GREETING, why, NULL, false);
}

/* False: the server does not let us say who the client is, and is left. */
static bool
prepare_identity(struct leg *leg)
{
	const struct smtp_extensions *announced = &leg->upstream->extensions;

	if (leg->upstream->pool->identity != IDENTITY_XFORWARD)
		return true;
	if (!(announced->set & SMTP_XFORWARD))
		leave_unannounced(leg, SETUP_NOT_ANNOUNCED);
	else if (!(announced->xforward & SMTP_ATTRIBUTE_ADDR))
		leave_unannounced(leg, SETUP_NO_ADDRESS);
	else
		leg->attributes = announced->xforward & XFORWARD_ATTRIBUTES;
	return leg->attributes != 0;
}

static void
begin(struct leg *leg)
{
	struct transaction *transaction = leg->transaction;
	uint32_t needs = transaction->needs;

	transaction->server_tls = stream_tls_version(&leg->upstream->stream);
	if ((leg->upstream->extensions.set & needs) != needs) {
		leg_detach(leg);
		transaction_leg_failed(transaction, RETRY_GREETING,
				       "lacks an extension that the message needs",
				       NULL, false);
		return;
	}
	if (!prepare_identity(leg))
		return;
	leg->state = LEG_ENVELOPE;
	leg_advance(leg);
}

static void
ready(struct upstream_holder *holder)
{
	begin(leg_of(holder));
}

/* ---- replies ---- */

void
leg_give_up(struct leg *leg, enum retry_phase phase, const char *why,
	    const struct smtp_reply *reply)
{
	struct transaction *transaction = leg->transaction;

	leg_detach(leg);
	transaction_leg_failed(transaction, phase, why, reply, false);
}

static enum retry_phase
phase_of(const struct leg *leg)
{
	switch (leg->state) {
	case LEG_DATA:
		return RETRY_DATA;
	case LEG_BODY:
	case LEG_END:
		return RETRY_BODY;
	default:
		return RETRY_ENVELOPE;
	}
}

/* The server goes away, or does not speak SMTP: the connection is of no more use. */
static void
break_off(struct leg *leg, enum server_failure failure, const char *why,
	  const struct smtp_reply *reply)
{
	struct upstream *upstream = leg->upstream;
	struct transaction *transaction = leg->transaction;
	enum retry_phase phase = phase_of(leg);
	bool stale = upstream->reused && !upstream->answered && reply;

	if (!stale) {
		tally_add(&upstream->server->counters.failures[failure], 1);
		server_observe(upstream->server, SERVER_TRAFFIC_FAILED, why,
			       upstream->worker->loop.now);
	}
	upstream_close(upstream);
	transaction_leg_failed(transaction, phase, why, stale ? NULL : reply, stale);
}

/* It is about this client: the server is not to blame. MAIL may be on its way behind
   it, and must not be read as if the identity had been taken. */
static void
leave_refusing(struct leg *leg, const struct smtp_reply *reply)
{
	struct upstream *upstream = leg->upstream;
	struct transaction *transaction = leg->transaction;
	enum retry_phase phase = phase_of(leg);
	const char *why = upstream_note_identity(upstream, SETUP_REFUSED,
						 SETUP_PROVEN_OF_ONE, reply);

	tally_add(&upstream->server->counters.failures[SERVER_FAILURE_GREETING], 1);
	upstream_close(upstream);
	transaction_leg_failed(transaction, phase, why, NULL, false);
}

static void
identity_replied(struct leg *leg, const struct smtp_reply *reply)
{
	struct upstream *upstream = leg->upstream;

	if (smtp_reply_is_positive(reply))
		server_clear_fault(upstream->server, SERVER_FAULT_IDENTITY);
	else
		leave_refusing(leg, reply);
}

static void
mail_replied(struct leg *leg, const struct smtp_reply *reply)
{
	struct transaction *transaction = leg->transaction;

	if (smtp_reply_is_positive(reply)) {
		leg->mail_accepted = true;
		server_observe(leg->upstream->server, SERVER_TRAFFIC_WORKED, "",
			       leg->upstream->worker->loop.now);
	} else if (smtp_reply_is_transient(reply)) {
		leg_give_up(leg, RETRY_ENVELOPE, "MAIL deferred", reply);
	} else {
		leg_detach(leg);
		transaction_mail_refused(transaction, reply);
	}
}

static void
recipient_replied(struct leg *leg, const struct smtp_reply *reply)
{
	uint32_t index = next_recipient(leg, leg->recipient_next);

	assert(index < leg->recipients_sent);
	leg->recipient_next = index + 1;
	transaction_recipient_answered(leg->transaction, index, reply);
}

static void
data_replied(struct leg *leg, const struct smtp_reply *reply)
{
	if (smtp_reply_is_positive(reply)) {
		break_off(leg, SERVER_FAILURE_LOST, "a 2xx reply to DATA", NULL);
		return;
	}
	if (reply->code == 354)
		leg->state = LEG_BODY;
	else
		leg->state = LEG_ENVELOPE; /* no content may follow: RSET cleans up */
	transaction_data_answered(leg->transaction, reply);
}

static void
replied(struct upstream_holder *holder, enum smtp_step step,
	const struct smtp_reply *reply)
{
	struct leg *leg = leg_of(holder);
	struct upstream *upstream = leg->upstream;
	struct transaction *transaction = leg->transaction;

	assert(upstream);
	if (reply->code == 421 && step != SMTP_STEP_END) {
		break_off(leg, SERVER_FAILURE_LOST, "421", reply);
		return;
	}
	if (reply->code >= 300 && reply->code < 400 && step != SMTP_STEP_DATA) {
		break_off(leg, SERVER_FAILURE_LOST, "a 3xx reply out of place", NULL);
		return;
	}
	switch (step) {
	case SMTP_STEP_IDENTITY:
		identity_replied(leg, reply);
		break;
	case SMTP_STEP_MAIL:
		mail_replied(leg, reply);
		break;
	case SMTP_STEP_RCPT:
		recipient_replied(leg, reply);
		break;
	case SMTP_STEP_DATA:
		data_replied(leg, reply);
		break;
	case SMTP_STEP_CHUNK:
		if (!smtp_reply_is_positive(reply)) {
			leg_detach(leg);
			transaction_chunk_refused(transaction, reply);
		}
		break;
	case SMTP_STEP_END:
		transaction_end_answered(transaction, reply);
		break;
	default:
		break;
	}
	if (leg->upstream != upstream)
		return; /* the leg is elsewhere now, or nowhere */
	if (leg->state == LEG_ENVELOPE || leg->state == LEG_DATA)
		await_reply(leg);
	leg_advance(leg);
}

static void
lost(struct upstream_holder *holder, enum server_failure failure, const char *why,
     const struct smtp_reply *reply)
{
	struct leg *leg = leg_of(holder);
	struct upstream *upstream = leg->upstream;
	bool stale = upstream->reused && !upstream->answered &&
		     failure == SERVER_FAILURE_LOST;
	enum retry_phase phase = phase_of(leg);

	if (failure == SERVER_FAILURE_CONNECT)
		phase = RETRY_CONNECT;
	else if (leg->state == LEG_OPENING)
		phase = RETRY_GREETING;
	transaction_leg_failed(leg->transaction, phase, why, reply, stale);
}

static void
flushed(struct upstream_holder *holder)
{
	struct leg *leg = leg_of(holder);

	if (leg->state == LEG_ENVELOPE)
		advance_envelope(leg);
	else if (leg->state == LEG_BODY)
		leg_content_flushed(leg);
}
