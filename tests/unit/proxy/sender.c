#include "sender.h"

#include <assert.h>
#include <stdlib.h>

#define SENDER_OUTPUT_MAX (4u << 20)

void
sender_complain(struct sender *sender, const char *what)
{
	if (!sender->complaint)
		sender->complaint = what;
}

void
sender_say(struct sender *sender, enum owed owed, struct span text)
{
	assert(buffer_append(&sender->output, text) == STATUS_OK);
	assert(sender->owed_count < SENDER_OWED_MAX);
	sender->owed[(sender->owed_first + sender->owed_count++) % SENDER_OWED_MAX] =
		owed;
	sender->told += text.length;
	loop_defer(sender->loop, &sender->turn);
}

/* The mail that was going out has come to an end that no reply tells. */
static void
lose_mail(struct sender *sender)
{
	struct mail *mail = sender->mail;

	sender->mail = NULL;
	if (!mail || mail->end == MAIL_ANSWERED)
		return;
	if (sender->end && sender->said >= sender->end)
		mail->end = MAIL_UNANSWERED;
	else if (sender->content_sent || sender->go_on)
		mail->end = MAIL_ABANDONED;
}

static void
go_away(struct sender *sender, bool rudely)
{
	lose_mail(sender);
	if (rudely)
		stream_abort(&sender->stream);
	else
		stream_close(&sender->stream);
	buffer_clear(&sender->input);
	buffer_clear(&sender->output);
	sender->owed_count = 0;
	sender->farewell = false;
	sender->stage = SENDER_AWAY;
	loop_defer(sender->loop, &sender->turn);
}

void
sender_vanish(struct sender *sender)
{
	go_away(sender, sender->manner.vanish_rudely);
}

/* The other side has closed: that is right after QUIT and after a 421. */
static void
lose_connection(struct sender *sender)
{
	if (sender->stage == SENDER_LEAVING && sender->owed_count == 0)
		sender->stage = SENDER_AWAY;
	else if (!sender->farewell && !sender->expects_farewell)
		sender_complain(sender, "closed without a word");
	go_away(sender, false);
}

/* ---- bytes ---- */

/* Cuts one reply, whole or not at all: "ddd-…" lines and a last "ddd …". */
static bool
cut_reply(struct span *input, struct span *reply)
{
	size_t at = 0;

	for (;;) {
		struct span line = span_skip(*input, at);
		size_t end = span_find(line, '\n');

		if (end == SPAN_NOWHERE)
			return false;
		at += end + 1;
		if (end < 4 || line.at[3] != '-')
			break;
	}
	*reply = span_take(*input, at >= 2 ? at - 2 : 0);
	*input = span_skip(*input, at);
	return true;
}

static void
hear_some(struct sender *sender)
{
	static char room[65536];
	struct span input, reply;
	size_t count, before;

	if (!stream_is_readable(&sender->stream))
		return;
	switch (stream_read(&sender->stream, room, sizeof(room), &count)) {
	case STATUS_OK:
		break;
	case STATUS_AGAIN:
		return;
	default:
		lose_connection(sender);
		return;
	}
	assert(buffer_append(&sender->input, span_of(room, count)) == STATUS_OK);
	input = buffer_span(&sender->input);
	before = input.length;
	while (cut_reply(&input, &reply))
		sender_hear(sender, reply);
	buffer_consume(&sender->input, before - input.length);
}

/* Bytes that may go out in one write. */
static size_t
choose_split(struct sender *sender, size_t length)
{
	const struct manner *manner = &sender->manner;
	size_t most = length;

	if (!sender->mail)
		return length;
	if (manner->splits && manner->splits < most)
		most = chance_below(&sender->chance, manner->splits) + 1;
	if (manner->vanish_at && manner->vanish_at - sender->said < most)
		most = manner->vanish_at - sender->said;
	return most;
}

static void
say_some(struct sender *sender)
{
	struct span output = buffer_span(&sender->output);
	struct iovec vector = {(void *)output.at, output.length};
	size_t count;

	if (span_is_empty(output))
		return;
	vector.iov_len = choose_split(sender, output.length);
	switch (stream_write(&sender->stream, &vector, 1, &count)) {
	case STATUS_OK:
		buffer_consume(&sender->output, count);
		sender->said += count;
		if (sender->mail && sender->manner.vanish_at == sender->said)
			sender_vanish(sender);
		break;
	case STATUS_AGAIN:
		break;
	default:
		/* a last word may still be there to be read */
		hear_some(sender);
		if (stream_is_open(&sender->stream))
			lose_connection(sender);
		break;
	}
}

static void
on_ready(struct stream *stream)
{
	struct sender *sender = CONTAINER_OF(stream, struct sender, stream);

	loop_defer(sender->loop, &sender->turn);
}

static void
come(struct sender *sender)
{
	enum status status;

	if (sender->next >= sender->count) {
		sender->stage = SENDER_DONE;
		return;
	}
	status = stream_connect(&sender->stream, sender->loop, &sender->address,
				&sender->source, on_ready);
	if (status != STATUS_OK) {
		sender->stage = SENDER_DONE;
		return;
	}
	sender->stage = SENDER_HELLO;
	sender->owed[0] = OWED_GREETING;
	sender->owed_first = 0;
	sender->owed_count = 1;
}

/* Nobody listens any more. */
static bool
is_refused(struct sender *sender)
{
	switch (stream_connected(&sender->stream)) {
	case STATUS_OK:
		return false;
	case STATUS_AGAIN:
		return true;
	default:
		if (!sender->expects_farewell)
			sender_complain(sender, "refused");
		stream_close(&sender->stream);
		sender->stage = SENDER_DONE;
		return true;
	}
}

static void
take_turn(struct loop_task *task)
{
	struct sender *sender = CONTAINER_OF(task, struct sender, turn);

	if (sender->stage == SENDER_AWAY)
		come(sender);
	if (sender->stage == SENDER_DONE || is_refused(sender))
		return;
	hear_some(sender);
	if (!stream_is_open(&sender->stream))
		return;
	if (sender->owed_count == 0 && buffer_is_empty(&sender->output))
		sender_go_on(sender);
	if (stream_is_open(&sender->stream))
		say_some(sender);
	if (!stream_is_open(&sender->stream))
		return;
	if (stream_is_readable(&sender->stream) ||
	    (!buffer_is_empty(&sender->output) && stream_is_writable(&sender->stream)))
		loop_defer(sender->loop, task);
}

/* ---- life ---- */

void
sender_init(struct sender *sender, struct loop *loop, const struct endpoint *address,
	    const struct endpoint *source, struct mail *mails, uint32_t first,
	    uint32_t step, uint32_t count, struct chance chance)
{
	*sender = (struct sender){
		.loop = loop,
		.address = *address,
		.source = *source,
		.mails = mails,
		.next = first,
		.step = step,
		.count = count,
		.chance = chance,
		.turn = {.run = take_turn},
	};
	stream_init(&sender->stream);
	buffer_init(&sender->input, SENDER_OUTPUT_MAX);
	buffer_init(&sender->output, SENDER_OUTPUT_MAX);
}

void
sender_start(struct sender *sender)
{
	loop_defer(sender->loop, &sender->turn);
}

void
sender_fini(struct sender *sender)
{
	if (stream_is_open(&sender->stream))
		go_away(sender, false);
	loop_undefer(&sender->turn);
}
