/*
 * What the files of session share: session.c (its life and its bytes), session_time.c
 * (how long it may take), session_events.c (what each event of smtp/server asks for),
 * session_origin.c (who the client is, as servers are told), session_route.c (where its
 * mail goes) and session_tls.c (the handshake).
 */
#ifndef EVENPOST_PROXY_SESSION_INTERNAL_H
#define EVENPOST_PROXY_SESSION_INTERNAL_H

#include "proxy/session.h"

enum session_wait {
	WAIT_NOTHING, /* a server has the word: its time-outs hold */
	WAIT_HANDSHAKE,
	WAIT_GREETING,
	WAIT_COMMAND,
	WAIT_CONTENT,
	WAIT_ANSWERS, /* of a server, for the client to be told all at once */
	WAIT_OUTPUT,  /* the client does not read */
};

/* The timer is set to what is waited for now, session->wait. */
void session_set_timer(struct session *session);
/* The client is about to send content. */
bool session_is_in_message(const struct session *session);
/* What is to be sent waits for the answers that are owed behind it. */
bool session_output_may_wait(const struct session *session);

/* Any event but MORE and BLOCKED. */
void session_take_event(struct session *session, const struct smtp_event *event);

/* What servers that the client may come to can all do, as learnt from them. */
struct smtp_extensions session_extensions(const struct session *session);

/* Closes when the output is sent. why: static, for the log. */
void session_close_later(struct session *session, const char *why);

/* Counted against handshake-rate; false: too often. */
bool session_may_handshake(struct session *session);
/* From here on session_shake_hands(). False: there is no TLS to be had now. */
bool session_begin_tls(struct session *session);
/* STATUS_OK: it is encrypted, and begins anew; STATUS_AGAIN; else it must end. */
MUST_CHECK enum status session_shake_hands(struct session *session);

/* Asks what the client is called, where servers or a Received line will say so. */
void session_ask_name(struct session *session);
void session_forget_name(struct session *session);

/* The client is gone, or another one by now: its connections serve it no more. */
void session_disown_upstreams(struct session *session);

#endif
