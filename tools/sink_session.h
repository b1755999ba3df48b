/*
 * sink_session: one client of the sink.
 * Owner: the sink's list of open sessions; a session frees itself when it is over.
 * Thread: owner. Allocates from the sink's slab.
 */
#ifndef EVENPOST_TOOLS_SINK_SESSION_H
#define EVENPOST_TOOLS_SINK_SESSION_H

#include "net/stream.h"
#include "tools/sink.h"

enum session_hold {
	HOLD_NOTHING,
	HOLD_TIME,    /* a delay: nothing is read until the timer fires */
	HOLD_TRICKLE, /* a reply goes out byte by byte */
	HOLD_SILENCE, /* for good */
};

struct session {
	struct stream stream;
	struct smtp_server smtp;
	struct buffer pending; /* read and not taken yet */
	struct timer timer;
	struct loop_task turn; /* goes on reading after others had their turn */
	struct list link;      /* in sink->open */
	struct sink *sink;
	enum session_hold hold;
	uint32_t held;                /* last bytes of the output that must wait */
	int64_t trickle_interval;     /* milliseconds between two bytes */
	bool trickles;                /* what is held goes out byte by byte */
	bool awaits_header;           /* a PROXY header must come before the greeting */
	bool shaking_hands;           /* nothing is read or said before it is done */
	bool over;                    /* to be freed at the end of this call */
	bool reset;                   /* closed by a TCP reset */
	bool closing;                 /* over as soon as the output is sent */
	bool misbehaves_in_handshake; /* handshake_plan is still to be carried out */
	bool misbehaves_in_body;      /* body_plan holds what has not been done yet */
	bool answered_early;          /* the end of data gets no reply any more */
	bool receiving;               /* a message has begun */
	struct fault_plan handshake_plan;
	struct fault_plan body_plan;
	struct envelope envelope; /* kept only where the sink needs it */
	struct store_message *message;
};

/* Takes the fd over. */
void session_open(struct sink *sink, int fd);
/* At the end of the program. */
void session_free(struct session *session);

/* sink_session.c, for sink_answer.c and sink_misbehave.c: the bytes behind `mark`, an
 * offset into the output, were not meant so. */
void session_retract(struct session *session, size_t mark);

/* sink_tls.c: from here on everything goes through TLS; the handshake is next. */
void session_begin_tls(struct session *session);
/* True: it is done. False: it goes on, was in vain, or is not to be. */
bool session_shake_hands(struct session *session);

/* sink_answer.c: obeys one event of smtp_server_next(). mark: bytes of output before
 * it. */
void
session_answer(struct session *session, const struct smtp_event *event, size_t mark);

/* sink_misbehave.c: what follows the mark is the reply; does to it what the plan says.
 */
void
session_misbehave(struct session *session, const struct fault_plan *plan, size_t mark);
/* Where the protocol has answered by itself: puts the planned reply in its place. */
void session_reply_instead(struct session *session, const struct fault_plan *plan,
			   size_t mark);
/* Misbehaves in the handshake, once the client has said something. Where it was only to
 * be late, it goes on after that. */
void session_misbehave_in_handshake(struct session *session);
/* Misbehaves in the middle of a message, of which so many octets have come. */
void session_misbehave_in_body(struct session *session, uint64_t received);

#endif
