#include "proxy/leg_internal.h"

#include "config/limits.h"

static bool
content_ended(const struct leg *leg)
{
	return leg->transaction->state == TRANSACTION_END;
}

bool
leg_content_waits(const struct leg *leg)
{
	const struct transaction *transaction = leg->transaction;

	return leg_backlog(leg) > 0 || leg->wire_offset < chain_end(&leg->wire) ||
	       leg->chunk_left > 0 || transaction->state == TRANSACTION_END;
}

static void
announce_chunk(struct leg *leg)
{
	struct smtp_client *smtp = &leg->upstream->smtp;
	struct buffer *output = &leg->upstream->output;
	uint64_t size = leg_backlog(leg);
	bool last = content_ended(leg);

	if (leg->chunk_left || leg->last_announced || (size == 0 && !last))
		return;
	if (!leg_server_can(leg, SMTP_PIPELINING) && smtp_client_owed(smtp))
		return;
	if (buffer_print(output, "BDAT %llu%s\r\n", (unsigned long long)size,
			 last ? " LAST" : "") != STATUS_OK)
		return; /* output is full: again when it was flushed */
	leg->chunk_left = size;
	leg->last_announced = last;
	if (!last)
		smtp_client_expect(smtp, SMTP_STEP_CHUNK, 1);
}

/* Whether what the stuffer met may be sent on; answers where not. */
static bool
coding_is_acceptable(struct leg *leg)
{
	const struct smtp_server_options *options =
		transaction_options(leg->transaction);

	if (leg->stuffer.faults & SMTP_BODY_NUL)
		transaction_content_refused(
			leg->transaction,
			&SMTP_REPLY("550 5.6.0 NUL in a message for a server that "
				    "takes lines alone"));
	else if ((leg->stuffer.faults & SMTP_BODY_BARE) && options->reject_bare)
		transaction_content_refused(
			leg->transaction,
			&SMTP_REPLY("550 5.6.11 Bare carriage return or line feed"));
	else
		return true;
	return false;
}

/* Codes one stretch of the content; false when there is nothing to code now. */
static bool
stuff_some(struct leg *leg)
{
	const struct chain *content = &leg->transaction->content;
	struct iovec vector = {.iov_len = 0};
	struct span input = {NULL, 0}, piece;
	bool last;

	if (chain_gather(content, leg->offset, UINT64_MAX, &vector, 1))
		input = span_of(vector.iov_base, vector.iov_len);
	leg->offset += input.length;
	last = content_ended(leg) && leg->offset == chain_end(content);
	if (span_is_empty(input) && !last)
		return false;
	for (;;) {
		enum smtp_body_result result =
			smtp_body_stuff(&leg->stuffer, &input, last, &piece);

		if (result == SMTP_BODY_ENDED)
			leg->wire_ended = true;
		if (result != SMTP_BODY_PIECE)
			return true;
		if (chain_append(&leg->wire, piece) != STATUS_OK) {
			leg_give_up(leg, RETRY_BODY, "out of memory", NULL);
			return false;
		}
	}
}

static void
stuff(struct leg *leg)
{
	struct upstream *upstream = leg->upstream;

	while (!leg->wire_ended &&
	       chain_end(&leg->wire) - leg->wire_offset < LIMIT_TRANSACTION_CODED &&
	       stuff_some(leg)) {
		if (!coding_is_acceptable(leg))
			return;
	}
	if (leg->upstream == upstream)
		chain_discard(&leg->wire, leg->wire_offset);
}

void
leg_prepare(struct upstream_holder *holder)
{
	struct leg *leg = leg_of(holder);

	if (leg->state != LEG_BODY)
		return;
	if (leg->coding == LEG_CHUNKS)
		announce_chunk(leg);
	else if (leg->coding == LEG_STUFFED)
		stuff(leg);
}

/* Bytes of content before the end of data that can be gathered. */
static uint64_t
sendable(const struct leg *leg)
{
	switch (leg->coding) {
	case LEG_CHUNKS:
		return leg->chunk_left;
	case LEG_STUFFED:
		return chain_end(&leg->wire) - leg->wire_offset;
	default:
		return leg_backlog(leg);
	}
}

static bool
end_may_follow(const struct leg *leg)
{
	if (leg->coding == LEG_CHUNKS)
		return false;
	return leg->coding == LEG_STUFFED ? leg->wire_ended : content_ended(leg);
}

int
leg_gather(struct upstream_holder *holder, struct iovec *vectors, int max)
{
	static const char end[] = ".\r\n";
	const struct leg *leg = leg_of(holder);
	uint64_t left = sendable(leg);
	int used = 0;

	if (leg->state != LEG_BODY)
		return 0;
	if (leg->coding == LEG_STUFFED)
		used = chain_gather(&leg->wire, leg->wire_offset, left, vectors,
				    max - 1);
	else
		used = chain_gather(&leg->transaction->content, leg->offset, left,
				    vectors, max - 1);
	for (int i = 0; i < used; i++)
		left -= vectors[i].iov_len;
	if (left == 0 && end_may_follow(leg))
		vectors[used++] = (struct iovec){(void *)(end + leg->end_sent),
						 sizeof(end) - 1 - leg->end_sent};
	return used;
}

static void
end_was_sent(struct leg *leg)
{
	struct transaction *transaction = leg->transaction;
	bool lmtp = transaction->pool->protocol == MAIL_LMTP;

	leg->committed = true;
	leg->state = LEG_END;
	leg->end_at = loop_microseconds();
	smtp_client_expect(&leg->upstream->smtp, SMTP_STEP_END,
			   lmtp ? transaction->accepted : 1);
	upstream_await(leg->upstream, transaction->pool->timeouts.end);
	transaction_committed(transaction);
}

void
leg_wrote(struct upstream_holder *holder, size_t count)
{
	struct leg *leg = leg_of(holder);
	uint64_t content = sendable(leg);

	if (leg->state != LEG_BODY || count == 0)
		return;
	if (content > count)
		content = count;
	if (leg->coding == LEG_STUFFED) {
		leg->wire_offset += content;
		chain_discard(&leg->wire, leg->wire_offset);
	} else {
		leg->offset += content;
	}
	if (leg->coding == LEG_CHUNKS)
		leg->chunk_left -= content;
	if (count > content) {
		leg->committed = true;
		leg->end_sent = (uint8_t)(leg->end_sent + (count - content));
	}
	upstream_await(leg->upstream, leg->transaction->pool->timeouts.block);
	if (leg->end_sent == SMTP_BODY_END.length)
		end_was_sent(leg);
	else
		transaction_leg_drained(leg->transaction);
}

void
leg_content_flushed(struct leg *leg)
{
	if (leg->coding == LEG_CHUNKS && leg->last_announced && leg->chunk_left == 0)
		end_was_sent(leg);
	else if (!leg_content_waits(leg) && smtp_client_owed(&leg->upstream->smtp) == 0)
		upstream_await_nothing(leg->upstream);
}
