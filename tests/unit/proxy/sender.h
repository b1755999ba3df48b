/*
 * sender: a mail client that sends its mails one after another, over one session or
 * several, in the manner that a seed tells it: in lock-step or pipelined, in writes of
 * any size; now and then it thinks better of it, or vanishes in the middle. It notes in
 * each mail what it heard, and checks that each command gets one reply, in order.
 *
 * Owner: the world. Thread: owner of the loop. Allocates while it sends.
 */
#ifndef EVENPOST_TESTS_SENDER_H
#define EVENPOST_TESTS_SENDER_H

#include "base/buffer.h"
#include "mail.h"
#include "net/stream.h"

#define SENDER_OWED_MAX 128

enum owed {
	OWED_GREETING,
	OWED_HELLO,
	OWED_MAIL,
	OWED_RCPT, /* one for each recipient, in their order */
	OWED_DATA,
	OWED_CHUNK,
	OWED_END,
	OWED_OTHER, /* NOOP, RSET */
	OWED_QUIT,
};

enum sender_stage {
	SENDER_AWAY,     /* not connected */
	SENDER_HELLO,    /* the greeting is awaited */
	SENDER_READY,    /* between two mails */
	SENDER_ENVELOPE, /* in lock-step */
	SENDER_DATA,     /* DATA was said */
	SENDER_CHUNKS,   /* in lock-step */
	SENDER_OVER,     /* of this mail, nothing is left to say */
	SENDER_LEAVING,  /* QUIT was said */
	SENDER_DONE,
};

/* How one mail goes out. */
struct manner {
	bool pipelined;
	bool withdraws;   /* RSET in place of the content */
	bool chatters;    /* a NOOP behind the end of data, at once */
	uint32_t splits;  /* bytes of the largest write */
	uint32_t chunks;  /* bytes of the largest BDAT */
	size_t vanish_at; /* bytes of the mail after which it goes; 0: never */
	bool vanish_rudely;
};

struct sender {
	struct loop *loop;
	struct endpoint address; /* whom it sends to */
	struct endpoint source;  /* and where from */
	struct caller caller;    /* who it is in this session */
	unsigned hellos;
	struct mail *mails;
	uint32_t next, step, count;  /* which of them it sends */
	bool steady;                 /* sends all it has in one session */
	bool stalls;                 /* says nothing when it has been told to go on */
	const struct manner *always; /* NULL: as the seed says */
	struct chance chance;
	struct stream stream;
	struct loop_task turn;
	struct buffer input, output;
	enum sender_stage stage;
	enum owed owed[SENDER_OWED_MAX]; /* ring */
	unsigned owed_first, owed_count;
	struct mail *mail; /* the one that is going out */
	struct manner manner;
	uint32_t recipient; /* the next to be named, or heard of */
	uint32_t heard;
	size_t content_sent;
	bool eightbit; /* was offered */
	bool go_on;    /* 354 was heard */
	bool failed;   /* a BDAT was refused */
	uint64_t said; /* bytes of this mail given to the kernel */
	uint64_t told; /* bytes of this mail put into output */
	uint64_t end;  /* how many of them end with the end of data; 0: not said yet */
	bool farewell; /* 421 was heard */
	bool expects_farewell; /* the other side is asked to stop */
	const char *complaint;
};

void
sender_init(struct sender *sender, struct loop *loop, const struct endpoint *address,
	    const struct endpoint *source, struct mail *mails, uint32_t first,
	    uint32_t step, uint32_t count, struct chance chance);
void sender_start(struct sender *sender);
void sender_fini(struct sender *sender);

static inline bool
sender_is_done(const struct sender *sender)
{
	return sender->stage == SENDER_DONE;
}

/* In sender_script.c: nothing is owed, what comes next? */
void sender_go_on(struct sender *sender);
/* A reply has come: text, without CRLF behind it. */
void sender_hear(struct sender *sender, struct span reply);

/* In sender.c. */
void sender_say(struct sender *sender, enum owed owed, struct span text);
void sender_complain(struct sender *sender, const char *what);
void sender_vanish(struct sender *sender);

#endif
