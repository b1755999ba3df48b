/*
 * upstream: one connection to a server: made, greeted, and lent to one holder after
 * another: the leg of a transaction, or a login. What a holder sends is gathered in one
 * write at the end of the loop's round; replies and failures are told to it.
 *
 *     CONNECTING → GREETING → HELLO → LEASED ⇄ RESETTING → IDLE → LEASED …
 *                                ⇅
 *                   STARTTLS → HANDSHAKE, IDENTITY, AUTH
 *     any → QUITTING → CLOSED, any → CLOSED
 *
 * AUTH is the last of it where the pool has a login of its own, or the client has
 * logged in.
 *
 * With tls: implicit the handshake comes between the connect and the greeting.
 *
 * Where the pool's identity tells the server who the client is, it tells it of one, and
 * the connection is that session's alone: personal. So it is where the client has
 * logged in, since the server is told its credentials, too. When the session ends, or
 * is somebody else by a new EHLO, it is disowned, and ends with its transaction.
 *
 * Owner: the holder while it has it, the worker's reuse (or, if it is bound, its
 * session) while it is idle, itself while it resets or quits. Thread: owner. Allocates
 * itself from the worker's slab, and its buffers while they hold something. A closed
 * one is freed at the end of the round.
 */
#ifndef EVENPOST_PROXY_UPSTREAM_H
#define EVENPOST_PROXY_UPSTREAM_H

#include "base/buffer.h"
#include "net/stream.h"
#include "proxy/worker.h"
#include "smtp/client.h"
#include "smtp/sasl.h"

struct session;
struct upstream_holder;

/* What a holder is told. */
struct upstream_calls {
	/* It may be used. */
	void (*ready)(struct upstream_holder *holder);
	void (*replied)(struct upstream_holder *holder, enum smtp_step step,
			const struct smtp_reply *reply);
	/* It is closed already. reply: what the server said to this client, or NULL. */
	void (*lost)(struct upstream_holder *holder, enum server_failure failure,
		     const char *why, const struct smtp_reply *reply);
	/* Of one that sends content; else all of them NULL: */
	/* Commands and content that are due are put in place, before gather(). */
	void (*prepare)(struct upstream_holder *holder);
	/* Fills vectors with what may follow the commands in output now. */
	int (*gather)(struct upstream_holder *holder, struct iovec *vectors, int max);
	void (*wrote)(struct upstream_holder *holder, size_t count);
	/* Everything that was gathered is with the kernel. */
	void (*flushed)(struct upstream_holder *holder);
};

/* Who has a connection: embedded in what needs it. */
struct upstream_holder {
	const struct upstream_calls *calls;
	struct session *session; /* whose client it is for */
};

enum upstream_state {
	UPSTREAM_CONNECTING,
	UPSTREAM_GREETING,
	UPSTREAM_HELLO,
	UPSTREAM_STARTTLS,  /* STARTTLS was sent */
	UPSTREAM_HANDSHAKE, /* of TLS, or the PROXY header before it is on its way */
	UPSTREAM_IDENTITY,  /* XCLIENT was sent; EHLO again follows */
	UPSTREAM_AUTH,      /* a login is being said: the client's, or the pool's own */
	UPSTREAM_LEASED,
	UPSTREAM_RESETTING, /* an aborted transaction is cleaned up; nobody's yet */
	UPSTREAM_IDLE,
	UPSTREAM_QUITTING, /* QUIT was sent; waits for 221 */
	UPSTREAM_CLOSED,
};

struct upstream {
	struct list link; /* in reuse, or among the dead */
	struct list live; /* in the worker's live upstreams */
	struct stream stream;
	struct smtp_client smtp;
	enum upstream_state state;
	struct worker *worker;
	struct snapshot *snapshot; /* a reference */
	const struct pool_snapshot *pool;
	struct server *server;          /* a reference */
	struct upstream_holder *holder; /* NULL: nobody has it */
	struct session *session;        /* whose it is; NULL: anyone's, or disowned */
	struct list mine;               /* in session->upstreams */
	struct smtp_extensions extensions;
	struct smarthost *smarthost; /* a reference while it is said; else NULL */
	struct buffer output;
	struct buffer input; /* an unfinished reply */
	struct timer timer;
	struct loop_task flush;
	uint32_t messages;   /* sent over it */
	uint32_t attributes; /* of XCLIENT, still to be told: enum smtp_attribute */
	struct sasl_replay replay; /* of the login that is being said */
	bool personal;             /* told, or to be told, of one client */
	bool introduced;           /* XCLIENT has begun */
	bool told_login;           /* XCLIENT says whom the client has logged in as */
	bool hears_login;          /* of the client's: until it is answered */
	bool bound;      /* its client's login is good here alone: it is kept */
	bool in_clear;   /* it goes without TLS, which the pool may have */
	bool reused;     /* the lease began on a warm connection */
	bool answered;   /* a reply came in this lease */
	bool given_away; /* it ends to make room for another worker */
	bool said_helo;  /* EHLO was refused, HELO is tried */
};

/*
 * Starts a connection for a holder; the place is counted already
 * (server_connection_take). NULL: it can not be made, with *why set; the place is given
 * back.
 */
struct upstream *
upstream_open(struct upstream_holder *holder, const struct pool_snapshot *pool,
	      struct server *server, const char **why);

/* Lends an idle one. */
void upstream_lend(struct upstream *upstream, struct upstream_holder *holder);

/*
 * The holder is done with it. clean: the server has no transaction open and owes
 * nothing; else RSET comes first.
 */
void upstream_release(struct upstream *upstream, bool clean);

/* The server's set-up does not go with the pool's identity: noted, and returned in a
   few words. reply: what it said, or NULL. */
const char *
upstream_note_identity(const struct upstream *upstream, enum setup_fault fault,
		       enum setup_proof proof, const struct smtp_reply *reply);

/* It serves its session no more, whoever has it now: an idle one ends. */
void upstream_disown(struct upstream *upstream);

/* Ends it politely: QUIT, then wait for 221. */
void upstream_quit(struct upstream *upstream);

/* Ends it at once. The holder, if any, is not told. */
void upstream_close(struct upstream *upstream);
/* The same, and the holder is told that it is lost. The server is not to blame. */
void upstream_cut(struct upstream *upstream);

/* What was appended to output, and what the holder has, is written at the end of the
 * round. */
void upstream_flush_later(struct upstream *upstream);

/*
 * Says AUTH, or a line of its exchange, to be answered with SMTP_STEP_AUTH. initial,
 * line: base64; of initial .at NULL: none. STATUS_NO_MEMORY, STATUS_FULL.
 */
MUST_CHECK enum status
upstream_say_auth(struct upstream *upstream, uint32_t mechanism, struct span initial);
MUST_CHECK enum status
upstream_say_response(struct upstream *upstream, struct span line);
/*
 * The same with complete credentials, which must not change meanwhile; answer: to each
 * 334, STATUS_INVALID where the server asks for more than there is.
 */
MUST_CHECK enum status
upstream_replay(struct upstream *upstream, const struct sasl_credentials *credentials);
MUST_CHECK enum status upstream_replay_answer(struct upstream *upstream);

/* Limits the wait for what is owed: milliseconds. */
void upstream_await(struct upstream *upstream, int64_t timeout);
void upstream_await_nothing(struct upstream *upstream);

/* Frees it; called for the dead at the end of a round. */
void upstream_free(struct upstream *upstream);

#endif
