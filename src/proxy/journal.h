/*
 * journal: one line a session, one a message, one a rejection, one an attempt that came
 * to nothing. Nothing else writes such lines, so that names and order are in one place.
 * Thread: owner of the session.
 */
#ifndef EVENPOST_PROXY_JOURNAL_H
#define EVENPOST_PROXY_JOURNAL_H

#include "proxy/session.h"
#include "proxy/tunnel.h"

void journal_session(const struct session *session, const char *why);
/* The line of a session in connection mode. */
void journal_tunnel(const struct tunnel *tunnel);
/* reply may be NULL (aborted). Counts it in the tally too. */
void journal_message(const struct transaction *transaction, enum message_result result,
		     const struct smtp_reply *reply);
/* mailbox: of the recipient, empty where there is none. Counts it too. */
void journal_reject(const struct session *session, const char *phase, unsigned reason,
		    struct span mailbox, const struct smtp_reply *reply);
/*
 * A login that came to nothing, with the name that the client gave. Counts it too.
 * reply: ours, or of a server's the status alone, since its text may hold what the
 * client has said.
 */
void journal_login(const struct session *session, unsigned reason, struct span reply);
/* A handshake of TLS that came to nothing. why: for the log. Counts it too. */
void journal_handshake(const struct session *session, const char *why);
void journal_tunnel_handshake(const struct tunnel *tunnel, const char *why);
/*
 * What was begun at one server is begun anew at another, or given up. why: for the log,
 * where details are wanted. Counts it too.
 */
void
journal_retry(struct tally *tally, const struct pool_snapshot *pool,
	      const struct server *server, enum retry_phase phase, const char *why);
/* A client that never became a session. */
void
journal_refused_client(const struct listener_snapshot *listener, struct tally *tally,
		       const struct endpoint *client, unsigned reason);

#endif
