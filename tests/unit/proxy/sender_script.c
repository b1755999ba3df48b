#include "sender.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define SAY(sender, owed, ...)                                                         \
	do {                                                                           \
		char line[256];                                                        \
		int length = snprintf(line, sizeof(line), __VA_ARGS__);                \
                                                                                       \
		sender_say(sender, owed, span_of(line, (size_t)length));               \
	} while (0)

/* ---- what it says ---- */

static void
draw_manner(struct sender *sender)
{
	struct chance *chance = &sender->chance;
	struct manner *manner = &sender->manner;
	uint32_t length = (uint32_t)sender->mail->length;

	/* one after another: the order must be the same everywhere */
	*manner = (struct manner){.chunks = length + 1};
	manner->pipelined = chance_once_in(chance, 2);
	manner->chatters = chance_once_in(chance, 6);
	if (chance_once_in(chance, 3))
		manner->splits = length < 3000 ? 40 : 20000;
	if (chance_once_in(chance, 2))
		manner->chunks =
			chance_below(chance, length / 8 + 500) + length / 50 + 1;
	if (sender->steady)
		return;
	manner->withdraws = chance_once_in(chance, 12);
	if (chance_once_in(chance, 8))
		manner->vanish_at = chance_below(chance, length + 300) + 1;
	manner->vanish_rudely = chance_once_in(chance, 2);
}

static void
choose_manner(struct sender *sender)
{
	if (sender->always)
		sender->manner = *sender->always;
	else
		draw_manner(sender);
}

/* Now and then it is somebody else, by another name. */
static void
say_hello(struct sender *sender)
{
	stream_local(&sender->stream, &sender->caller.address);
	snprintf(sender->caller.name, sizeof(sender->caller.name), "c%u.example",
		 sender->hellos++);
	SAY(sender, OWED_HELLO, "EHLO %s\r\n", sender->caller.name);
	sender->stage = SENDER_READY;
}

static void
say_recipient(struct sender *sender)
{
	const struct mail *mail = sender->mail;
	bool unknown = mail->unknown & 1u << sender->recipient;

	SAY(sender, OWED_RCPT, "RCPT TO:<%s%u.m%u@rcpt.example>\r\n",
	    unknown ? "bad" : "r", sender->recipient, mail->number);
	sender->recipient++;
}

static void
say_chunk(struct sender *sender)
{
	const struct mail *mail = sender->mail;
	size_t left = mail->length - sender->content_sent;
	uint32_t most = sender->manner.chunks;
	size_t size = most / 2 + chance_below(&sender->chance, most / 2 + 1) + 1;
	bool last;

	if (sender->manner.chunks > mail->length || size > left)
		size = left;
	/* an empty BDAT LAST may end it as well */
	last = size == left && !(size && chance_once_in(&sender->chance, 5));
	assert(buffer_print(&sender->output, "BDAT %zu%s\r\n", size,
			    last ? " LAST" : "") == STATUS_OK);
	sender->told += (uint64_t)snprintf(NULL, 0, "BDAT %zu%s\r\n", size,
					   last ? " LAST" : "");
	sender_say(sender, last ? OWED_END : OWED_CHUNK,
		   span_of(mail->content + sender->content_sent, size));
	sender->content_sent += size;
	if (last)
		sender->end = sender->told;
}

static void
stuff_content(struct sender *sender)
{
	const struct mail *mail = sender->mail;
	struct span rest = span_of(mail->content, mail->length);
	size_t before = buffer_length(&sender->output);

	while (!span_is_empty(rest)) {
		struct span line = span_take(rest, span_find(rest, '\n') + 1);

		if (line.at[0] == '.')
			assert(buffer_append(&sender->output, SPAN(".")) == STATUS_OK);
		assert(buffer_append(&sender->output, line) == STATUS_OK);
		rest = span_skip(rest, line.length);
	}
	sender->told += buffer_length(&sender->output) - before;
	sender->content_sent = mail->length;
}

static void
say_content(struct sender *sender)
{
	stuff_content(sender);
	sender_say(sender, OWED_END, SPAN(".\r\n"));
	sender->end = sender->told;
	if (sender->manner.chatters)
		sender_say(sender, OWED_OTHER, SPAN("NOOP\r\n"));
}

/* MAIL to the end of what may go in one group (RFC 2920, RFC 3030 4). */
static void
say_group(struct sender *sender)
{
	while (sender->recipient < sender->mail->recipient_count)
		say_recipient(sender);
	sender->stage = SENDER_OVER;
	if (sender->manner.withdraws) {
		sender_say(sender, OWED_OTHER, SPAN("RSET\r\n"));
	} else if (sender->mail->octets) {
		while (!sender->end)
			say_chunk(sender);
	} else {
		sender->stage = SENDER_DATA;
		sender_say(sender, OWED_DATA, SPAN("DATA\r\n"));
	}
}

static void
begin_mail(struct sender *sender)
{
	sender->mail = &sender->mails[sender->next];
	sender->mail->caller = sender->caller;
	sender->next += sender->step;
	choose_manner(sender);
	sender->recipient = sender->heard = 0;
	sender->content_sent = 0;
	sender->go_on = sender->failed = false;
	sender->said = sender->told = sender->end = 0;
	SAY(sender, OWED_MAIL, "MAIL FROM:<m%u@sender.example>%s\r\n",
	    sender->mail->number,
	    sender->eightbit && chance_once_in(&sender->chance, 2) ? " BODY=8BITMIME"
								   : "");
	if (sender->manner.pipelined)
		say_group(sender);
	else
		sender->stage = SENDER_ENVELOPE;
}

/* In lock-step. */
static void
advance_envelope(struct sender *sender)
{
	if (sender->recipient < sender->mail->recipient_count) {
		say_recipient(sender);
	} else if (sender->manner.withdraws) {
		sender->stage = SENDER_OVER;
		sender_say(sender, OWED_OTHER, SPAN("RSET\r\n"));
	} else if (sender->mail->octets) {
		sender->stage = SENDER_CHUNKS;
	} else {
		sender->stage = SENDER_DATA;
		sender_say(sender, OWED_DATA, SPAN("DATA\r\n"));
	}
}

static void
advance_chunks(struct sender *sender)
{
	if (!sender->failed && !sender->end)
		say_chunk(sender);
	else
		sender->stage = SENDER_OVER;
}

/* The mail is over; after a BDAT that failed RSET has to come first. */
static void
end_mail(struct sender *sender)
{
	bool failed = sender->failed || sender->heard < sender->mail->recipient_count;

	if (failed || sender->mail->end != MAIL_ANSWERED)
		sender_say(sender, OWED_OTHER, SPAN("RSET\r\n"));
	sender->mail = NULL;
	sender->stage = SENDER_READY;
}

static void
go_or_stay(struct sender *sender)
{
	if (!sender->steady && chance_once_in(&sender->chance, 10)) {
		say_hello(sender);
		return;
	}
	if (sender->next < sender->count &&
	    (sender->steady || !chance_once_in(&sender->chance, 6))) {
		begin_mail(sender);
		return;
	}
	sender->stage = SENDER_LEAVING;
	sender_say(sender, OWED_QUIT, SPAN("QUIT\r\n"));
}

/* It has leave to send content, or has sent some of it. */
static bool
is_in_content(const struct sender *sender)
{
	return (sender->stage == SENDER_DATA && sender->go_on) ||
	       (sender->stage == SENDER_CHUNKS && sender->content_sent);
}

void
sender_go_on(struct sender *sender)
{
	if (sender->stalls && is_in_content(sender))
		return;
	switch (sender->stage) {
	case SENDER_HELLO:
		say_hello(sender);
		break;
	case SENDER_READY:
		go_or_stay(sender);
		break;
	case SENDER_ENVELOPE:
		advance_envelope(sender);
		break;
	case SENDER_CHUNKS:
		advance_chunks(sender);
		break;
	case SENDER_DATA:
		sender->stage = SENDER_OVER;
		if (sender->go_on)
			say_content(sender);
		break;
	case SENDER_OVER:
		end_mail(sender);
		break;
	default:
		break;
	}
	/* it may have had nothing to say at this stage */
	loop_defer(sender->loop, &sender->turn);
}

/* ---- what it hears ---- */

static void
note_refusal(struct sender *sender, struct span reply)
{
	struct mail *mail = sender->mail;

	snprintf(mail->refusal, sizeof(mail->refusal), "%.*s", SPAN_ARGS(reply));
}

static void
note_final_reply(struct sender *sender, struct span reply)
{
	struct mail *mail = sender->mail;

	snprintf(mail->reply, sizeof(mail->reply), "%.*s", SPAN_ARGS(reply));
}

static void
take_final_reply(struct sender *sender, struct span reply)
{
	sender->mail->end = MAIL_ANSWERED;
	note_final_reply(sender, reply);
	if (reply.at[0] != '2')
		sender->failed = true;
}

/* Where a server has said it, it names the recipient. */
static void
take_verdict(struct sender *sender, struct span reply)
{
	struct mail *mail = sender->mail;
	char name[32];

	snprintf(name, sizeof(name), "250 2.1.5 r%u.m%u Ok", sender->heard,
		 mail->number);
	if (reply.at[0] == '2') {
		mail->accepted |= 1u << sender->heard;
		if (!span_equals(reply, span_from_string(name)))
			sender_complain(sender, "the reply of another recipient");
	} else {
		note_refusal(sender, reply);
	}
	sender->heard++;
	mail->heard_all = sender->heard == mail->recipient_count;
}

static void
want(struct sender *sender, struct span reply, const char *code)
{
	if (!span_starts(reply, span_from_string(code)))
		sender_complain(sender, "a reply that does not fit the command");
}

static void
take_reply(struct sender *sender, enum owed owed, struct span reply)
{
	switch (owed) {
	case OWED_GREETING:
		want(sender, reply, "220");
		break;
	case OWED_HELLO:
		want(sender, reply, "250-");
		sender->eightbit = memmem(reply.at, reply.length, "8BITMIME", 8);
		break;
	case OWED_MAIL:
	case OWED_OTHER:
		want(sender, reply, "250 2.");
		break;
	case OWED_RCPT:
		take_verdict(sender, reply);
		break;
	case OWED_DATA:
		sender->go_on = span_starts(reply, SPAN("354"));
		if (!sender->go_on)
			note_final_reply(sender, reply);
		if (reply.at[0] < '3')
			sender_complain(sender, "2xx to DATA");
		break;
	case OWED_CHUNK:
		sender->failed |= reply.at[0] != '2';
		break;
	case OWED_END:
		take_final_reply(sender, reply);
		break;
	case OWED_QUIT:
		want(sender, reply, "221");
		break;
	}
}

void
sender_hear(struct sender *sender, struct span reply)
{
	if (span_starts(reply, SPAN("421"))) {
		sender->farewell = true;
		/* refused chunks count as idle commands, of which there is a limit */
		if (!sender->expects_farewell && !span_starts(reply, SPAN("421 4.7.0")))
			sender_complain(sender, "421");
		return;
	}
	if (reply.length < 4 || sender->owed_count == 0) {
		sender_complain(sender, "a reply that nothing asked for");
		return;
	}
	sender->owed_count--;
	take_reply(sender, sender->owed[sender->owed_first++ % SENDER_OWED_MAX], reply);
}
