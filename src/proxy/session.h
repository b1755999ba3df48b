/*
 * session: one client. Reads, lets smtp/server take the bytes apart, hands what it
 * finds to the transaction, writes the answers. One pump does all of it and is run when
 * the socket is ready or an answer has come. Owner: the worker; freed at the end of the
 * round in which it ended. Thread: owner. Holds no buffer while idle.
 */
#ifndef EVENPOST_PROXY_SESSION_H
#define EVENPOST_PROXY_SESSION_H

#include "net/stream.h"
#include "proxy/entrance.h"
#include "proxy/login.h"
#include "proxy/name_cache.h"
#include "proxy/transaction.h"
#include "proxy/worker.h"
#include "smtp/origin.h"
#include "smtp/server.h"

/* A client that sends less than this many bytes of content in timeouts.data is too
 * slow. */
#define SESSION_BLOCK 1024

/* What there is to say of the client's TLS. */
struct session_tls {
	struct span version; /* "TLSv1.3" */
	struct span cipher;
	struct span server_name; /* that it asked for (SNI); or empty */
	struct span subject;     /* of its certificate, and the name in it; or empty */
	struct span common_name;
	bool has_certificate;
	bool resumed;
	bool verified;
	char room[]; /* for all of them */
};

struct session {
	struct list link; /* in the worker's live or dead sessions */
	struct stream stream;
	struct smtp_server smtp;
	struct worker *worker;
	struct snapshot *snapshot; /* a reference */
	const struct listener_snapshot *listener;
	struct tally *tally;
	struct transaction *transaction;
	struct endpoint client;
	struct endpoint *destination; /* as a PROXY header says; NULL: the socket's */
	struct list upstreams;        /* struct upstream: those that are its alone */
	struct name_lookup lookup;    /* of its name */
	char *name; /* by DNS, confirmed; NULL: none, or not known (name_state) */
	uint64_t number;
	char *helo;              /* NULL before EHLO */
	struct session_tls *tls; /* NULL: it came in clear */
	struct login *login;     /* NULL: it has not said AUTH */
	struct buffer input;     /* what could not be taken yet */
	struct timer timer;
	struct loop_task pump;
	int64_t started;    /* ms, monotonic */
	uint8_t wait;       /* enum session_wait in session.c: what the timer is for */
	uint8_t name_state; /* enum smtp_name_state */
	bool extended;      /* it said EHLO */
	bool progressed; /* a command, or a block of content, came since it was set */
	uint32_t messages;
	uint32_t block_bytes; /* of content since the timer was set */
	const char *end;      /* why it closes; static */
	bool shaking_hands; /* TLS: nothing is read or written by us until it is done */
	bool input_ended;   /* the client has shut its side */
	bool closing;       /* close when the output is sent */
	bool blocked;       /* input waits for an answer */
	bool congested;     /* input waits for the server to take content */
	bool full;          /* input waits for the client to take replies */
	bool held_long;     /* its answers have waited long enough for others */
	bool stopping;      /* says 421 when the transaction in flight is over */
	bool gone;          /* the client is no more; a transaction still is */
};

/* False: out of memory, and nothing has happened. */
bool session_open(struct worker *worker, const struct arrival *arrival, int fd);

/* Answers a slot; the output is sent at the end of the round. */
void
session_answer(struct session *session, uint32_t slot, const struct smtp_reply *reply);
/*
 * Asks the client for its part in AUTH; the slot is answered. STATUS_INVALID: it is no
 * challenge, and the slot is open still.
 */
MUST_CHECK enum status
session_challenge(struct session *session, uint32_t slot, struct span challenge);
/* Something that the pump waits for has happened. */
void session_resume(struct session *session);
/* The transaction has ended; it is freed at the end of the round. */
void session_transaction_over(struct session *session);
/* The worker stops: 421 at once, or when the transaction in flight is over. */
void session_stop(struct session *session);
/* At once, without a word; whatever is in flight is aborted or left to its server. */
void session_kill(struct session *session);
void session_free(struct session *session);

void session_print_id(const struct session *session, char text[SESSION_ID_MAX]);

/* What the client is called is not known yet, and soon will be. */
bool session_awaits_name(const struct session *session);

/* Where its mail goes as things are: by its address, its name in EHLO, its login. NULL:
   no route leads anywhere. */
const struct pool_snapshot *session_pool(const struct session *session);

/* Whom a server has taken it for; empty: nobody, or one without a name. */
struct span session_user(const struct session *session);
/* It has logged in, and no server is left that might take that again. */
bool session_login_is_spent(const struct session *session);

/*
 * Whether its connections to servers of the pool are for no other client, since they
 * tell of it or are logged in as it.
 */
bool session_has_own_upstreams(const struct session *session,
			       const struct pool_snapshot *pool);
/*
 * Where its login is good on one connection alone: that, which its server may be busy
 * with, or NULL: it is lost.
 */
struct upstream *session_bound_upstream(const struct session *session);

/*
 * Who the client is, as servers are told, but for the destination. The spans borrow
 * from the session and from id, which is filled.
 */
void session_origin(const struct session *session, struct smtp_origin *origin,
		    char id[SESSION_ID_MAX]);
/* Where the client connected to: the kernel is asked, unless a PROXY header said so. */
void session_destination(const struct session *session, struct endpoint *destination);

#endif
