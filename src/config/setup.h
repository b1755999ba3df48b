/*
 * setup: what a server must be set up to do for the way in which its pool sends mail. A
 * server that is not is not used so; what is wrong is noted at the server, with the
 * place where it is to be mended, and logged once.
 * Thread: any. Never allocates.
 */
#ifndef EVENPOST_CONFIG_SETUP_H
#define EVENPOST_CONFIG_SETUP_H

#include "balance/server_fault.h"
#include "smtp/reply.h"

struct endpoint;
struct pool_snapshot;
struct server;

enum setup_fault {
	SETUP_SPEAKS_CLEAR,      /* where TLS should begin */
	SETUP_SPEAKS_TLS,        /* where a greeting should be */
	SETUP_NOT_ANNOUNCED,     /* XCLIENT, XFORWARD: not in the reply to EHLO */
	SETUP_NO_ADDRESS,        /* announced, but without ADDR */
	SETUP_REFUSED,           /* announced, and answered with reply */
	SETUP_NOT_TAKEN,         /* PROXY: the header was taken for a command */
	SETUP_STARTTLS_NOWHERE,  /* not in the reply to EHLO */
	SETUP_STARTTLS_REFUSED,  /* offered, and answered with reply */
	SETUP_STARTTLS_ANSWERED, /* more than a reply to it came in clear */
	SETUP_LOGIN_NOWHERE,     /* AUTH: no mechanism of ours in the reply to EHLO */
	SETUP_FAULT_COUNT
};

/*
 * Of whom it is proven. A server that knows who the client is may do otherwise with
 * another one; and what it did once, it need not do again.
 */
enum setup_proof {
	SETUP_PROVEN_OF_ONE, /* the client, or the connection, that it was found with */
	SETUP_PROVEN_OF_ALL,
};

/* What is demanded of the server. */
struct setup_demand {
	enum server_fault_kind kind;
	const char *what; /* as a fault names it */
	const char *cure; /* where it is to be mended */
	bool optional;    /* mail goes there without it */
};

/* setup_login: for ours; setup_relayed_login: for those of clients. */
extern const struct setup_demand setup_starttls, setup_login, setup_relayed_login;

/*
 * Notes it at the server. own: our address towards it, of length 0 where there is none
 * yet. reply: what the server said, or NULL. Returns a few words for it: why another
 * server is tried. It bars mail where it keeps that of everybody from the server.
 */
const char *
setup_note_fault(enum setup_fault fault, enum setup_proof proof,
		 const struct setup_demand *demand, struct server *server,
		 const struct endpoint *own, const struct smtp_reply *reply);

/* Its certificate is not to be trusted for the name; verdict: why, in OpenSSL's words.
 */
void
setup_note_certificate(struct server *server, struct span name, const char *verdict);
/* It does not take our login. said: what it does instead, without any secret. */
void setup_note_login(struct server *server, enum server_fault_effect effect,
		      struct span username, struct span said);
/* It gets mail in clear, since TLS fails with it and the pool lets it be so. */
void setup_note_fallback(struct server *server, const char *why);

/*
 * What a server is called in TLS: tls-name, else the host of its address as configured;
 * empty where that is a UNIX socket. Borrowed from the two.
 */
struct span
setup_tls_name(const struct pool_snapshot *pool, const struct server *server);

#endif
