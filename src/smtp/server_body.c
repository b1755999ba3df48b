#include "smtp/server_internal.h"

static const struct smtp_fault message_faults[SMTP_REFUSAL_COUNT] = {
	[SMTP_REFUSAL_SIZE] = {SMTP_REFUSAL_SIZE,
			       SPAN("552 5.3.4 Message larger than the limit")},
	[SMTP_REFUSAL_NUL] = {SMTP_REFUSAL_NUL,
			      SPAN("550 5.6.0 Message with NUL octets")},
	[SMTP_REFUSAL_LINE_ENDING] = {SMTP_REFUSAL_LINE_ENDING,
				      SPAN("550 5.6.11 Message with a bare CR or LF")},
};

static const struct smtp_fault bad_chunk = {
	SMTP_REFUSAL_SYNTAX, SPAN("501 5.5.4 Syntax: BDAT octets [LAST]")};
static const struct smtp_fault chunking_not_offered = {
	SMTP_REFUSAL_CHUNK, SPAN("503 5.5.1 CHUNKING was not offered")};

/* What is wrong with the message as far as it has been read. Its first fault stops the
 * flow, but the answer is chosen at its end: the pieces in which it came do not matter.
 */
static enum smtp_refusal
find_fault(const struct smtp_server *server)
{
	const struct smtp_server_options *options = server->options;

	if (options->max_message_size && server->received > options->max_message_size)
		return SMTP_REFUSAL_SIZE;
	if (server->body.faults & SMTP_BODY_NUL)
		return SMTP_REFUSAL_NUL;
	if (server->body.faults & SMTP_BODY_BARE && options->reject_bare)
		return SMTP_REFUSAL_LINE_ENDING;
	return SMTP_REFUSAL_NONE;
}

void
smtp_server_open_body(struct smtp_server *server)
{
	server->state = SMTP_STATE_BODY;
	server->received = 0;
	server->body = (struct smtp_body_reader){0};
	server->discarding = false;
}

static bool
take_piece(struct smtp_server *server, struct span piece, struct smtp_event *event)
{
	server->received += piece.length;
	if (server->discarding)
		return true;
	if (find_fault(server)) {
		server->discarding = true;
		event->type = SMTP_EVENT_ABANDON;
	} else {
		event->type = SMTP_EVENT_BODY;
		event->body = piece;
	}
	return false;
}

static void
end_body(struct smtp_server *server, struct smtp_event *event)
{
	enum smtp_refusal fault = find_fault(server);

	if (!fault) {
		server->state = SMTP_STATE_END;
		smtp_server_ask(server, SMTP_EVENT_BODY_END, event);
		return;
	}
	smtp_server_void_transaction(server);
	smtp_server_refuse(server, SMTP_DATA, message_faults[fault], event);
}

bool
smtp_server_read_body(struct smtp_server *server, struct span *input,
		      struct smtp_event *event)
{
	struct span piece;

	switch (smtp_body_read(&server->body, input, &piece)) {
	case SMTP_BODY_PIECE:
		return take_piece(server, piece, event);
	case SMTP_BODY_ENDED:
		end_body(server, event);
		break;
	case SMTP_BODY_MORE:
		break;
	}
	return false;
}

/* What is wrong with a BDAT that was not refused for its size. */
static struct smtp_fault
find_chunk_fault(const struct smtp_server *server)
{
	struct smtp_fault fault = chunking_not_offered;

	if (smtp_server_lacks_tls(server))
		fault = smtp_server_no_tls;
	else if (!smtp_server_allows(server, SMTP_BDAT))
		fault = smtp_server_sequence_fault(server, SMTP_BDAT);
	fault.reason = SMTP_REFUSAL_CHUNK;
	return fault;
}

/* A BDAT whose size is known is swallowed before it is refused (RFC 3030 2). */
static void
swallow_chunk(struct smtp_server *server, enum smtp_refusal refusal)
{
	server->discarding = true;
	server->refusal = (uint8_t)refusal;
	server->resume = (uint8_t)server->state;
	server->state = SMTP_STATE_CHUNK;
}

void
smtp_obey_bdat(struct smtp_server *server, const struct smtp_command *command,
	       struct smtp_event *event)
{
	uint64_t limit = server->options->max_message_size;
	uint64_t size;
	bool last;

	/* How many octets follow is unknown: nothing behind this can be understood. */
	if (!smtp_command_read_chunk(command->argument, &size, &last)) {
		smtp_server_hang_up(server, SMTP_BDAT, bad_chunk, event);
		return;
	}
	server->chunk_left = size;
	server->chunk_last = last;
	if (!smtp_server_allows(server, SMTP_BDAT) ||
	    !(server->offered.set & SMTP_CHUNKING)) {
		if (smtp_server_count_idle(server, SMTP_BDAT, event))
			swallow_chunk(server, SMTP_REFUSAL_CHUNK);
		return;
	}
	if (limit && size > limit - server->received) {
		swallow_chunk(server, SMTP_REFUSAL_SIZE);
		event->type = SMTP_EVENT_ABANDON;
		return;
	}
	server->state = SMTP_STATE_CHUNK;
	event->type = SMTP_EVENT_CHUNK;
	event->chunk.size = size;
	event->chunk.last = last;
}

static void
refuse_chunk(struct smtp_server *server, struct smtp_event *event)
{
	struct smtp_fault fault = message_faults[SMTP_REFUSAL_SIZE];
	bool over = server->refusal == SMTP_REFUSAL_SIZE && server->chunk_last;

	server->discarding = false;
	server->state = server->resume;
	if (server->refusal == SMTP_REFUSAL_CHUNK)
		fault = find_chunk_fault(server);
	if (over)
		smtp_server_void_transaction(server);
	else if (server->state != SMTP_STATE_START && server->state != SMTP_STATE_READY)
		server->state = SMTP_STATE_FAILED;
	smtp_server_refuse(server, SMTP_BDAT, fault, event);
}

static void
end_chunk(struct smtp_server *server, struct smtp_event *event)
{
	if (server->discarding) {
		refuse_chunk(server, event);
		return;
	}
	server->state = server->chunk_last ? SMTP_STATE_END : SMTP_STATE_CHUNKED;
	smtp_server_ask(server,
			server->chunk_last ? SMTP_EVENT_BODY_END : SMTP_EVENT_CHUNK_END,
			event);
}

bool
smtp_server_read_chunk(struct smtp_server *server, struct span *input,
		       struct smtp_event *event)
{
	struct span piece = span_take(*input, server->chunk_left);

	if (server->chunk_left == 0) {
		end_chunk(server, event);
		return false;
	}
	if (span_is_empty(piece))
		return false;
	*input = span_skip(*input, piece.length);
	server->chunk_left -= piece.length;
	if (server->discarding)
		return true;
	server->received += piece.length;
	event->type = SMTP_EVENT_BODY;
	event->body = piece;
	return false;
}
