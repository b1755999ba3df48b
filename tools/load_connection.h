/*
 * load_connection: one connection of the load, again and again, and the message that it
 * is sending. load_connection.c opens, reads and writes; load_tls.c shakes hands;
 * load_dialogue.c hears the replies and decides what comes next; load_say.c says it.
 * Owner: the load's array. Thread: owner. Allocates what waits to be written.
 */
#ifndef EVENPOST_TOOLS_LOAD_CONNECTION_H
#define EVENPOST_TOOLS_LOAD_CONNECTION_H

#include "net/stream.h"
#include "net/tls_client.h"
#include "tools/load.h"

/* Where the dialogue is; it goes on when all that was asked has been answered. */
enum dialogue {
	DIALOGUE_GREETING,
	DIALOGUE_HELLO,
	DIALOGUE_STARTTLS,
	DIALOGUE_HANDSHAKE, /* by STARTTLS; then hello again */
	DIALOGUE_DUE,       /* a message waits for its time */
	DIALOGUE_ENVELOPE,  /* MAIL, then RCPTs, one by one */
	DIALOGUE_DATA,      /* DATA, or with --pipelining the whole group */
	DIALOGUE_BODY,      /* the end of data was sent */
	DIALOGUE_RESET,
	DIALOGUE_IDLE, /* until the program ends */
	DIALOGUE_QUIT,
};

struct message {
	uint64_t number;
	uint64_t started;  /* microseconds */
	uint64_t length;   /* in wire form */
	uint32_t offered;  /* recipients sent */
	uint32_t accepted; /* … and taken */
	bool taken;        /* there is a message */
	bool failed;       /* that was counted and logged already */
	bool go_ahead;     /* 354 came */
	bool waited;       /* for its time, which was not over when it was taken */
};

struct connection {
	struct load *load;
	struct stream stream;
	struct smtp_client client;
	struct timer timer; /* for a reply, for a message's time, before a new start */
	struct buffer output;  /* commands and the message's first line */
	struct span body;      /* what follows them; the load's content */
	struct buffer pending; /* an unfinished reply */
	struct message message;
	enum dialogue dialogue;
	uint32_t messages;              /* begun on this connection */
	uint64_t opened;                /* microseconds */
	uint64_t handshake_began;       /* likewise */
	struct tls_session tls_session; /* the last, with --tls-resume */
	bool started;                   /* load_started_one() was told */
	bool shaking_hands;             /* nothing is said or heard before it is done */
	bool offers_tls;                /* so said the last EHLO */
	bool plain_hello;               /* EHLO was refused: HELO */
	bool over;                      /* close, then start anew */
	bool failed_to_open;            /* wait a little before that */
};

void connection_init(struct connection *connection, struct load *load);
/* Takes a message and opens the connection, or ends it where there is none. */
void connection_start(struct connection *connection);
/* At the end of the program. A message in flight is failed. */
void connection_stop(struct connection *connection);
void connection_free(struct connection *connection);

/* The first time alone it counts. */
void connection_note_start(struct connection *connection);

/* load_tls.c: the stream goes through TLS from here on. */
void connection_begin_tls(struct connection *connection);
/* STATUS_OK: done, and counted; else as stream_handshake(). */
MUST_CHECK enum status connection_shake_hands(struct connection *connection);

/* load_dialogue.c: a reply came. */
void dialogue_reply(struct connection *connection, enum smtp_step step,
		    const struct smtp_reply *reply);
/* All was answered: says what comes next. */
void dialogue_advance(struct connection *connection);
/* The connection failed: so did its message. cause: "lost", "timeout" … */
void dialogue_fail(struct connection *connection, const char *place, const char *cause);
/* Waits until the message is due. False: it is due now. */
bool dialogue_wait(struct connection *connection);

/* load_say.c: each appends to the output, owes the reply and moves the dialogue. */
void say_hello(struct connection *connection);
void say_starttls(struct connection *connection);
void say_mail(struct connection *connection);
void say_rcpt(struct connection *connection);
void say_data(struct connection *connection);
/* The message itself: as what follows DATA, or as one chunk. */
void say_message(struct connection *connection);
/* MAIL, RCPTs, and DATA or the whole message. */
void say_group(struct connection *connection);
/* For the 354 of a group all of whose recipients were refused: RFC 2920 3.1 wants an
 * empty message, which the server refuses. */
void say_empty_message(struct connection *connection);
void say_reset(struct connection *connection);
void say_quit(struct connection *connection);

#endif
