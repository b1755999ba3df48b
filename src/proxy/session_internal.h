/*
 * What the files of session share: session.c (its life, its bytes and its time) and
 * session_events.c (what each event of smtp/server asks for).
 */
#ifndef EVENPOST_PROXY_SESSION_INTERNAL_H
#define EVENPOST_PROXY_SESSION_INTERNAL_H

#include "proxy/session.h"

/* Any event but MORE and BLOCKED. */
void session_take_event(struct session *session, const struct smtp_event *event);

/* Closes when the output is sent. why: static, for the log. */
void session_close_later(struct session *session, const char *why);

#endif
