/*
 * What the files of session share: session.c (its life, its bytes and its time),
 * session_events.c (what each event of smtp/server asks for) and session_origin.c (who
 * the client is, as servers are told).
 */
#ifndef EVENPOST_PROXY_SESSION_INTERNAL_H
#define EVENPOST_PROXY_SESSION_INTERNAL_H

#include "proxy/session.h"

/* Any event but MORE and BLOCKED. */
void session_take_event(struct session *session, const struct smtp_event *event);

/* Closes when the output is sent. why: static, for the log. */
void session_close_later(struct session *session, const char *why);

/* Asks what the client is called, where servers or a Received line will say so. */
void session_ask_name(struct session *session);
void session_forget_name(struct session *session);

/* The client is gone, or another one by now: its connections serve it no more. */
void session_disown_upstreams(struct session *session);

#endif
