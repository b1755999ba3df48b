/*
 * backend: a mail server on loopback that does what a seed tells it: it is well or
 * misbehaves at each moment of a session, has or lacks extensions, reads slowly, talks
 * in pieces. Before it says 250 to a message it writes it down with its mail. It checks
 * that whoever sends to it keeps to the protocol, and tells it of the client whose mail
 * it is.
 *
 * A test that wants one thing to happen forces a fault at a moment, or holds the
 * backend there: it then goes silent until it is released.
 *
 * Owner: the world. Thread: owner of the loop. Allocates.
 */
#ifndef EVENPOST_TESTS_BACKEND_H
#define EVENPOST_TESTS_BACKEND_H

#include "base/buffer.h"
#include "config/identity.h"
#include "mail.h"
#include "net/listener.h"
#include "net/stream.h"

enum moment {
	MOMENT_CONNECT, /* 220 is due */
	MOMENT_HELLO,
	MOMENT_IDENTITY, /* XCLIENT, XFORWARD */
	MOMENT_MAIL,
	MOMENT_RCPT,
	MOMENT_DATA,
	MOMENT_CONTENT, /* somewhere in it */
	MOMENT_CHUNK,   /* the end of a BDAT that is not the last */
	MOMENT_END,     /* all is read, nothing stored */
	MOMENT_STORED,  /* stored, not answered */
	MOMENT_IDLE,    /* after the final reply */
	MOMENT_RSET,
	MOMENT_QUIT,
	MOMENT_COUNT
};

enum fault {
	FAULT_NONE,
	FAULT_DEFER,   /* 4xx */
	FAULT_REJECT,  /* 5xx */
	FAULT_LEAVE,   /* 421 and gone */
	FAULT_CLOSE,   /* no word */
	FAULT_RESET,   /* likewise, by RST */
	FAULT_GARBAGE, /* no reply at all */
	FAULT_EXTRA,   /* two replies at once where one is due */
	FAULT_SILENCE,
	FAULT_COUNT
};

struct character {
	bool pipelining, chunking, eightbit;
	enum identity_method identity; /* how it learns who the client is */
	bool deaf;                     /* it does not know of that way */
	bool pieces;                   /* replies come in pieces */
	unsigned mischief;             /* one in that many moments; 0: none */
	unsigned silence;      /* one in that many faults may be a silence; 0: none */
	unsigned gulp;         /* bytes read in a round; 0: all */
	int receive_buffer;    /* of its sockets; 0: the system's */
	unsigned restlessness; /* refuses or accepts again once in that many rounds */
};

struct backend {
	struct loop *loop;
	char name[8];
	struct mail *mails;
	uint32_t mail_count;
	struct chance chance;
	struct character character;
	struct listener listener;
	struct endpoint address;
	int port_keeper; /* bound to the port, so that nobody takes it meanwhile */
	bool refusing;
	enum fault forced[MOMENT_COUNT];
	bool held[MOMENT_COUNT];
	struct list visits;
	unsigned open_visits;
	unsigned most_at_once;
	unsigned visit_count;
	unsigned stored;
	const char *complaint; /* a rule that the other side has broken; NULL: none */
};

/* Listens on a free port. Mails are found by the number in the sender's address. */
void backend_open(struct backend *backend, struct loop *loop, unsigned number,
		  struct mail *mails, uint32_t mail_count);
void backend_close(struct backend *backend);

void backend_refuse(struct backend *backend);
void backend_accept(struct backend *backend);
/* Once a round: it may want to refuse, or to accept again. */
void backend_tick(struct backend *backend);

/* It goes silent when it comes to the moment. */
void backend_hold(struct backend *backend, enum moment moment);
/* It holds nowhere any more, and goes on. */
void backend_release(struct backend *backend);
/* Visits that are silent at the moment. */
unsigned backend_held(const struct backend *backend, enum moment moment);

/* A random one; where it may misbehave, up to once in `mischief` moments. */
struct character character_random(struct chance *chance, unsigned mischief);

#endif
