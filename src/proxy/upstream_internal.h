/*
 * What the files of upstream share: upstream.c (its life, its bytes, who has it),
 * upstream_opening.c (all that is said before it may be used), upstream_tls.c (how TLS
 * comes about) and upstream_auth.c (how the server hears a login).
 */
#ifndef EVENPOST_PROXY_UPSTREAM_INTERNAL_H
#define EVENPOST_PROXY_UPSTREAM_INTERNAL_H

#include "proxy/upstream.h"

/* Ends it; the holder hears why, and what the server said about the client, or NULL. */
void upstream_lose(struct upstream *upstream, enum server_failure failure,
		   const char *why, const struct smtp_reply *reply);
/* The same, and it is counted, but not held against the server. */
void upstream_leave(struct upstream *upstream, enum server_failure failure,
		    const char *why, const struct smtp_reply *reply);
/* The same, and the server is to blame. */
void
upstream_fail(struct upstream *upstream, enum server_failure failure, const char *why);

/* There is no memory for what is to be said or heard: the server is not to blame, and
   what it was told has not been refused. */
void upstream_run_out(struct upstream *upstream);

/* The server's set-up does not do what is demanded of it: noted, and returned in a few
   words. reply: what it said, or NULL. */
const char *
upstream_note_fault(const struct upstream *upstream, enum setup_fault fault,
		    enum setup_proof proof, const struct setup_demand *demand,
		    const struct smtp_reply *reply);
/* What the server does now proves of others, too: it does not know the client yet. */
enum setup_proof upstream_proof(const struct upstream *upstream);
/* Ends it for such a fault. The server is to blame for what is proven of all. */
void upstream_fail_setup(struct upstream *upstream, enum server_failure failure,
			 enum setup_proof proof, const char *why);

/* Makes it anew, to the same server for the same holder, and from now on in clear. */
void upstream_start_over_in_clear(struct upstream *upstream);

/* ---- upstream_opening.c ---- */

/* "greeting: 554 no service": on the caller's stack. */
#define UPSTREAM_WHY_MAX 256
void upstream_print_why(char why[UPSTREAM_WHY_MAX], const char *what,
			const struct smtp_reply *reply);
/* The connection is made: what comes before anything else is sent. False: it ended. */
bool upstream_begin_opening(struct upstream *upstream);
/* A reply, and something behind it that nobody asked for: it ends. */
void upstream_take_surplus(struct upstream *upstream, const struct smtp_reply *reply,
			   struct span rest);
/* A reply in GREETING, HELLO, STARTTLS, IDENTITY or AUTH. */
void upstream_take_opening(struct upstream *upstream, const struct smtp_reply *reply);
/* EHLO, or what is said in its place. */
void upstream_say_hello(struct upstream *upstream);
/* EHLO is answered, and there is TLS, or is to be none. */
void upstream_opening_go_on(struct upstream *upstream);
/* The server will not have us: see upstream_opening.c for who is to blame. */
void upstream_take_refusal(struct upstream *upstream, const char *what,
			   const struct smtp_reply *reply);

/* All is said: the holder may have it. */
void upstream_be_ready(struct upstream *upstream);

/* ---- upstream_auth.c ---- */

/* The pool has a login, or the session, and the server has to hear it. */
bool upstream_must_log_in(const struct upstream *upstream);
/* Says AUTH, or gives up a server that has no mechanism for it. */
void upstream_log_in(struct upstream *upstream);
/* The server takes what another one has taken not: it is not used for this client. */
void upstream_refuse_server(struct upstream *upstream, const char *why);
void upstream_take_auth(struct upstream *upstream, const struct smtp_reply *reply);
/* In AUTH: it is lost. */
void upstream_lost_at_login(struct upstream *upstream, const char *why);

/* ---- upstream_tls.c ---- */

/* EHLO is answered in clear: is STARTTLS to follow? */
bool upstream_wants_starttls(const struct upstream *upstream);
/* Says STARTTLS, or decides about a server that does not offer it. */
void upstream_say_starttls(struct upstream *upstream);
void upstream_take_starttls(struct upstream *upstream, const struct smtp_reply *reply);
/* Something came in clear behind the reply to STARTTLS. */
void upstream_spoke_before_tls(struct upstream *upstream);
/* In GREETING: what it said is no greeting. True: it is TLS where there should be none,
   and it ended. */
bool upstream_fails_for_tls(struct upstream *upstream, struct span said);
/* In HANDSHAKE: gets on with it. True: it is done. */
bool upstream_shake_hands(struct upstream *upstream);
/* There will be no TLS: another server, or this one in clear where the pool says so. */
void upstream_give_up_tls(struct upstream *upstream, enum server_failure failure,
			  const char *why);

#endif
