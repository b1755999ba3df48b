/*
 * What the files of tunnel share: tunnel.c (its life and its bytes) and
 * tunnel_attempt.c (which server, and when another).
 */
#ifndef EVENPOST_PROXY_TUNNEL_INTERNAL_H
#define EVENPOST_PROXY_TUNNEL_INTERNAL_H

#include "proxy/tunnel.h"

/* tunnel_attempt.c */

/* Reserves a server that was not tried yet and connects to it; or waits; or fails. */
void tunnel_seek_server(struct tunnel *tunnel);
/* In CONNECTING or GREETING the server's stream is ready. */
void tunnel_attempt_ready(struct tunnel *tunnel);
/* In WAITING, CONNECTING or GREETING the client has spoken, or ended, or is lost. */
void tunnel_attempt_heard_client(struct tunnel *tunnel);
/* In the same states the time is over. */
void tunnel_attempt_timed_out(struct tunnel *tunnel);
/* Closes the server's stream and gives back what was reserved; stops waiting. */
void tunnel_leave_server(struct tunnel *tunnel);

/* tunnel.c */

/* From here on bytes pass. */
void tunnel_connect_through(struct tunnel *tunnel);
void tunnel_server_ready(struct tunnel *tunnel);
/* The client was lost before a server had it. */
void tunnel_forsaken(struct tunnel *tunnel);
/* No server takes the client: it hears the reply, where servers speak first. */
void
tunnel_fail(struct tunnel *tunnel, const struct smtp_reply *reply, const char *why);
void tunnel_linger(struct tunnel *tunnel);

#endif
