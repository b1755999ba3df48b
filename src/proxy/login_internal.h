/*
 * What the files of login share: login.c (its life, and what the client says) and
 * login_check.c (which server is asked, and what it says).
 */
#ifndef EVENPOST_PROXY_LOGIN_INTERNAL_H
#define EVENPOST_PROXY_LOGIN_INTERNAL_H

#include "proxy/login.h"
#include "proxy/session.h"

/* Servers that one login can have failed with. */
#define LOGIN_TRIED_MAX 16

#define LOGIN_LOST SMTP_REPLY("454 4.7.0 The server was lost, try again")
#define LOGIN_NO_MEMORY SMTP_REPLY("454 4.3.1 Out of memory, try again")

enum login_state {
	LOGIN_NONE,
	LOGIN_EXCHANGE, /* the client is asked by us */
	LOGIN_CHECK,    /* a server is sought, or asked, or asks the client */
	LOGIN_REFUSED,  /* the client hears it in a moment */
	LOGIN_DONE,
};

struct login {
	struct upstream_holder holder;
	enum login_state state;
	const struct pool_snapshot *pool; /* where it is, or was, checked */
	uint32_t mechanism;               /* enum sasl_mechanism */
	uint32_t slot; /* to be answered; not while the client is asked */
	struct sasl_credentials credentials; /* of a mechanism that can be replayed */
	struct secret initial; /* of another: until the server has heard it */
	bool begins;           /* there is an initial response, maybe an empty one */
	bool awaits_name;      /* the client's, before the first server is chosen */
	bool asked;            /* the server has asked: no other can go on from there */
	bool listening;        /* the client's turn */
	struct upstream *upstream; /* NULL: none yet, or it was lost */
	struct server *server;     /* reserved, or the last one that was */
	bool reserved;
	struct waiter waiter; /* for a place at a server */
	struct timer timer;   /* CHECK: of the wait; REFUSED: of the delay */
	char *refusal; /* what a server has said, if no other says more; or NULL */
	size_t refusal_length;
	uint32_t tried[LOGIN_TRIED_MAX];
	uint32_t tried_count;
	uint32_t walked_out; /* servers that went when they had heard it */
	const struct server *refusers[LOGIN_REFUSERS_MAX]; /* when it was DONE */
	uint32_t refuser_count;
};

static inline struct worker *
login_worker(const struct login *login)
{
	return login->holder.session->worker;
}

static inline bool
login_is_replayable(const struct login *login)
{
	return login->mechanism & SASL_REPLAYABLE;
}

/* It came to nothing: nothing of it is left but the struct. */
void login_end(struct login *login);
/* The same, and the client hears why. reason: enum reject_reason. */
void login_refuse(struct login *login, unsigned reason, const struct smtp_reply *reply);

/* What a server has said may hold what the client has. */
void login_forget_refusal(struct login *login);

/* ---- login_check.c ---- */

/* What the connection that it has is told by. */
extern const struct upstream_calls login_calls;
/* Of its waiter, and of its timer. */
bool login_place_freed(struct waiter *waiter);
timer_expired login_on_timeout;

/* What the client has to say is here, or is to be passed on line by line. */
void login_check(struct login *login);
/* The place at a server, and the line for one, are given back. */
void login_leave_server(struct login *login);

#endif
