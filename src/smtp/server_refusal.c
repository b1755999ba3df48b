#include "smtp/server_internal.h"

#include <assert.h>

static const struct {
	const char *name;
	bool is_error; /* a fault of the client's program, and counted */
} refusals[] = {
	[SMTP_REFUSAL_NONE] = {"none", false},
	[SMTP_REFUSAL_SYNTAX] = {"syntax", true},
	[SMTP_REFUSAL_SEQUENCE] = {"sequence", true},
	[SMTP_REFUSAL_PARAMETER] = {"parameter", true},
	[SMTP_REFUSAL_LINE_LENGTH] = {"line-length", true},
	[SMTP_REFUSAL_UNKNOWN_COMMAND] = {"unknown-command", true},
	[SMTP_REFUSAL_SIZE] = {"size", false},
	[SMTP_REFUSAL_RECIPIENTS] = {"recipients", false},
	[SMTP_REFUSAL_LINE_ENDING] = {"line-ending", false},
	[SMTP_REFUSAL_NUL] = {"nul", false},
	[SMTP_REFUSAL_EARLY_TALK] = {"early-talk", false},
	[SMTP_REFUSAL_TOO_MANY_ERRORS] = {"too-many-errors", false},
	[SMTP_REFUSAL_FOREIGN] = {"foreign", false},
	/* Not an error: the rest of a pipelined message comes like this. Counted as
	   idle. */
	[SMTP_REFUSAL_CHUNK] = {"chunk", false},
	[SMTP_REFUSAL_TLS] = {"tls-required", true},
	[SMTP_REFUSAL_AUTH] = {"auth", true},
};

static_assert(sizeof(refusals) / sizeof(refusals[0]) == SMTP_REFUSAL_COUNT,
	      "a row for each refusal");

static const struct span sequence_replies[SMTP_STATE_COUNT] = {
	[SMTP_STATE_START] = SPAN("503 5.5.1 Say hello first"),
	[SMTP_STATE_READY] = SPAN("503 5.5.1 Send MAIL first"),
	[SMTP_STATE_MAIL] = SPAN("503 5.5.1 Send RCPT first"),
	[SMTP_STATE_RCPT] = SPAN("503 5.5.1 The sender is known already"),
	[SMTP_STATE_CHUNKED] = SPAN("503 5.5.1 A message is coming by BDAT"),
	[SMTP_STATE_FAILED] = SPAN("503 5.5.1 A BDAT failed, send RSET"),
};

static const struct span in_transaction =
	SPAN_INITIALIZER("503 5.5.1 Not before the message is over");

static const struct smtp_fault too_many_errors = {SMTP_REFUSAL_TOO_MANY_ERRORS,
						  SPAN("421 4.7.0 Too many errors")};
static const struct smtp_fault too_many_commands = {
	SMTP_REFUSAL_TOO_MANY_ERRORS, SPAN("421 4.7.0 Too many commands without mail")};

const char *
smtp_refusal_name(enum smtp_refusal refusal)
{
	assert(refusal < SMTP_REFUSAL_COUNT);
	return refusals[refusal].name;
}

static void
report(struct smtp_event *event, enum smtp_verb verb, struct smtp_fault fault)
{
	event->type = SMTP_EVENT_REFUSED;
	event->refused.reason = fault.reason;
	event->refused.verb = verb;
	event->refused.reply = fault.reply;
}

void
smtp_server_hang_up(struct smtp_server *server, enum smtp_verb verb,
		    struct smtp_fault fault, struct smtp_event *event)
{
	struct smtp_reply reply;

	if (fault.reply.length) {
		reply = smtp_reply_of(fault.reply);
		smtp_server_farewell(server, &reply);
	}
	smtp_server_close(server);
	report(event, verb, fault);
}

void
smtp_server_refuse(struct smtp_server *server, enum smtp_verb verb,
		   struct smtp_fault fault, struct smtp_event *event)
{
	uint32_t limit = server->options->max_errors;

	/* A local refusal of RCPT counts like a server's when DATA asks for recipients.
	 */
	if (verb == SMTP_RCPT)
		server->recipients_refused = true;
	if (refusals[fault.reason].is_error && ++server->errors >= limit && limit) {
		smtp_server_hang_up(server, verb, too_many_errors, event);
		return;
	}
	smtp_server_reply(server, fault.reply);
	report(event, verb, fault);
}

struct smtp_fault
smtp_server_sequence_fault(const struct smtp_server *server, enum smtp_verb verb)
{
	enum smtp_server_state state = server->state;
	struct smtp_fault fault = {SMTP_REFUSAL_SEQUENCE, sequence_replies[state]};

	if (state != SMTP_STATE_START &&
	    (verb == SMTP_STARTTLS_COMMAND || verb == SMTP_AUTH_COMMAND))
		fault.reply = in_transaction;
	else if (state == SMTP_STATE_MAIL && verb == SMTP_MAIL)
		fault.reply = sequence_replies[SMTP_STATE_RCPT];
	else if (state == SMTP_STATE_MAIL && server->recipients_refused)
		fault.reply = SPAN("554 5.5.1 No valid recipients");
	assert(fault.reply.length);
	return fault;
}

bool
smtp_server_count_idle(struct smtp_server *server, enum smtp_verb verb,
		       struct smtp_event *event)
{
	uint32_t limit = server->options->max_idle_commands;

	if (++server->idle_commands <= limit || !limit)
		return true;
	smtp_server_hang_up(server, verb, too_many_commands, event);
	return false;
}
