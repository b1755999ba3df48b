#include "visit.h"

#include <assert.h>
#include <stdio.h>

#define BIT(fault) (1u << FAULT_##fault)
#define GOES_AWAY (BIT(LEAVE) | BIT(CLOSE) | BIT(RESET) | BIT(GARBAGE) | BIT(SILENCE))

/*
 * What may go wrong when. Two replies at once come only where nobody may be waiting
 * for the second, so that it can not be taken for a true one.
 */
static const unsigned possible[MOMENT_COUNT] = {
	[MOMENT_CONNECT] = GOES_AWAY | BIT(DEFER) | BIT(REJECT) | BIT(EXTRA),
	[MOMENT_HELLO] = GOES_AWAY | BIT(DEFER) | BIT(EXTRA),
	[MOMENT_IDENTITY] = GOES_AWAY | BIT(DEFER) | BIT(REJECT),
	[MOMENT_MAIL] = GOES_AWAY | BIT(DEFER) | BIT(REJECT),
	[MOMENT_RCPT] = GOES_AWAY | BIT(DEFER) | BIT(REJECT),
	[MOMENT_DATA] = GOES_AWAY | BIT(DEFER) | BIT(REJECT) | BIT(EXTRA),
	[MOMENT_CONTENT] = GOES_AWAY | BIT(DEFER),
	[MOMENT_CHUNK] = GOES_AWAY | BIT(DEFER) | BIT(REJECT),
	[MOMENT_END] = GOES_AWAY | BIT(DEFER) | BIT(REJECT),
	[MOMENT_STORED] = GOES_AWAY | BIT(DEFER) | BIT(REJECT),
	[MOMENT_IDLE] = BIT(LEAVE) | BIT(CLOSE) | BIT(RESET) | BIT(GARBAGE),
	[MOMENT_RSET] =
		BIT(LEAVE) | BIT(CLOSE) | BIT(RESET) | BIT(GARBAGE) | BIT(DEFER),
	[MOMENT_QUIT] = BIT(CLOSE) | BIT(RESET) | BIT(GARBAGE),
};

static enum fault
choose_fault(struct backend *backend, enum moment moment)
{
	struct chance *chance = &backend->chance;
	enum fault fault;

	if (backend->forced[moment])
		return backend->forced[moment];
	if (!chance_once_in(chance, backend->character.mischief))
		return FAULT_NONE;
	do
		fault = chance_below(chance, FAULT_COUNT);
	while (!(possible[moment] & 1u << fault));
	if (fault == FAULT_SILENCE &&
	    !chance_once_in(chance, backend->character.silence))
		return FAULT_NONE;
	return fault;
}

void
visit_complain(struct visit *visit, const char *what)
{
	if (!visit->backend->complaint)
		visit->backend->complaint = what;
}

/* A reply, which is noted where it is the one to a stored message. */
void
visit_say(struct visit *visit, const char *text)
{
	assert(buffer_print(&visit->output, "%s\r\n", text) == STATUS_OK);
	if (visit->copy)
		snprintf(visit->copy->said, sizeof(visit->copy->said), "%s", text);
}

static void
say_garbage(struct visit *visit)
{
	visit->copy = NULL;
	visit_say(visit, chance_once_in(&visit->backend->chance, 2)
				 ? "Hello?"
				 : "250-ok\r\n354 what");
	visit->closing = true;
}

/* True: the fault stands for the answer. */
bool
visit_commit_fault(struct visit *visit, enum fault fault)
{
	static const char *const deferrals[] = {"450 4.2.1 Mailbox busy",
						"452 4.3.1 Out of space",
						"451 4.3.0 Out of sorts"};

	switch (fault) {
	case FAULT_DEFER:
		visit_say(visit, deferrals[chance_below(&visit->backend->chance, 3)]);
		break;
	case FAULT_REJECT:
		visit_say(visit, "554 5.7.1 Not here");
		break;
	case FAULT_LEAVE:
		visit_say(visit, "421 4.3.2 Going down");
		visit->closing = true;
		break;
	case FAULT_CLOSE:
	case FAULT_RESET:
		visit_end(visit, fault == FAULT_RESET);
		break;
	case FAULT_GARBAGE:
		say_garbage(visit);
		break;
	case FAULT_SILENCE:
		visit->silent = visit->mute = true;
		break;
	default:
		return false;
	}
	return true;
}

/* ---- what it answers when it is well ---- */

void
visit_arrive(struct visit *visit, enum moment moment)
{
	visit->moment = moment;
	if (visit->backend->held[moment])
		visit->silent = true;
	else
		visit_go_on(visit);
}

static void
answer_connect(struct visit *visit)
{
	visit_say(visit, "220-backend.example ESMTP\r\n220 at your service");
	visit->greeted = true;
}

static void
answer_hello(struct visit *visit)
{
	const struct character *character = &visit->backend->character;

	visit_say(visit, "250-backend.example");
	if (character->pipelining)
		visit_say(visit, "250-PIPELINING");
	if (character->chunking)
		visit_say(visit, "250-CHUNKING");
	if (character->eightbit)
		visit_say(visit, "250-8BITMIME");
	if (character->identity == IDENTITY_XCLIENT && !character->deaf)
		visit_say(visit, "250-XCLIENT " VISIT_XCLIENT);
	if (character->identity == IDENTITY_XFORWARD && !character->deaf)
		visit_say(visit, "250-XFORWARD " VISIT_XFORWARD);
	visit_say(visit, "250 ENHANCEDSTATUSCODES");
}

static void
answer_mail(struct visit *visit)
{
	visit->in_transaction = true;
	visit_say(visit, "250 2.1.0 Ok");
}

static void
answer_rcpt(struct visit *visit)
{
	char text[64];

	visit->accepted |= 1u << visit->recipient;
	snprintf(text, sizeof(text), "250 2.1.5 r%u.m%u Ok", visit->recipient,
		 visit->number);
	visit_say(visit, text);
}

void
visit_begin_content(struct visit *visit)
{
	struct backend *backend = visit->backend;
	bool early =
		backend->forced[MOMENT_CONTENT] || chance_once_in(&backend->chance, 2);

	buffer_clear(&visit->content);
	visit->content_fault = choose_fault(backend, MOMENT_CONTENT);
	visit->content_fault_at = chance_below(&backend->chance, early ? 1000 : 200000);
}

static void
answer_data(struct visit *visit)
{
	if (!visit->accepted) {
		visit_say(visit, "554 5.5.1 No valid recipients");
		return;
	}
	visit->reading = VISIT_LINES;
	visit->by_octets = false;
	visit_begin_content(visit);
	visit_say(visit, "354 Go on");
}

static void
answer_chunk(struct visit *visit)
{
	visit_say(visit, "250 2.0.0 Chunk");
}

/* Writes the message down before a word is said about it. */
static void
answer_end(struct visit *visit)
{
	struct backend *backend = visit->backend;
	struct mail *mail = &backend->mails[visit->number];

	visit_check_message(visit);
	assert(mail->copy_count < MAIL_COPIES_MAX);
	visit->copy = &mail->copies[mail->copy_count++];
	*visit->copy = (struct mail_copy){
		.server = backend->name,
		.recipients = visit->accepted,
		.sound = mail_is(mail, buffer_span(&visit->content), visit->by_octets),
	};
	backend->stored++;
	visit_end_transaction(visit);
	buffer_clear(&visit->content);
	visit_arrive(visit, MOMENT_STORED);
}

static void
answer_stored(struct visit *visit)
{
	char text[64];

	snprintf(text, sizeof(text), "250 2.0.0 Ok: queued as %sM%u",
		 visit->backend->name, visit->number);
	visit_say(visit, text);
}

static void
answer_rset(struct visit *visit)
{
	visit_end_transaction(visit);
	visit->accepted = 0;
	visit_say(visit, "250 2.0.0 Reset");
}

static void
answer_quit(struct visit *visit)
{
	visit_say(visit, "221 2.0.0 Bye");
	visit->closing = true;
}

static void
answer_nothing(struct visit *visit)
{
	(void)visit;
}

static void (*const answers[MOMENT_COUNT])(struct visit *visit) = {
	[MOMENT_CONNECT] = answer_connect,
	[MOMENT_HELLO] = answer_hello,
	[MOMENT_IDENTITY] = visit_answer_identity,
	[MOMENT_MAIL] = answer_mail,
	[MOMENT_RCPT] = answer_rcpt,
	[MOMENT_DATA] = answer_data,
	[MOMENT_CONTENT] = answer_nothing,
	[MOMENT_CHUNK] = answer_chunk,
	[MOMENT_END] = answer_end,
	[MOMENT_STORED] = answer_stored,
	[MOMENT_IDLE] = answer_nothing,
	[MOMENT_RSET] = answer_rset,
	[MOMENT_QUIT] = answer_quit,
};

void
visit_go_on(struct visit *visit)
{
	enum moment moment = visit->moment;
	enum fault fault = choose_fault(visit->backend, moment);

	if (!visit_commit_fault(visit, fault))
		answers[moment](visit);
	if (fault == FAULT_EXTRA) {
		visit_say(visit, "250 2.0.0 And again");
		visit->whole = true;
	}
	if (moment == MOMENT_STORED && !visit->closing && !visit->silent &&
	    stream_is_open(&visit->stream)) {
		visit->copy = NULL;
		visit_arrive(visit, MOMENT_IDLE);
	}
	if (moment == MOMENT_END)
		visit_end_transaction(visit);
	if (moment == MOMENT_CHUNK && fault != FAULT_NONE)
		visit->chunk_failed = true;
	if (moment == MOMENT_IDENTITY && fault != FAULT_NONE)
		visit_forget_caller(visit);
}

struct character
character_random(struct chance *chance, unsigned mischief)
{
	static const unsigned gulps[] = {0, 0, 0, 200, 3000};
	static const int buffers[] = {0, 0, 2048};
	struct character character = {.silence = 40};

	/* one after another: the order must be the same everywhere */
	character.pipelining = !chance_once_in(chance, 3);
	character.chunking = !chance_once_in(chance, 3);
	character.eightbit = !chance_once_in(chance, 3);
	character.pieces = chance_once_in(chance, 3);
	character.gulp = gulps[chance_below(chance, 5)];
	character.receive_buffer = buffers[chance_below(chance, 3)];
	if (mischief) {
		character.mischief = chance_below(chance, mischief) + 3;
		character.restlessness = chance_once_in(chance, 3) ? 300 : 0;
	}
	return character;
}
