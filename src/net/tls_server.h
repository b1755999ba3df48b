/*
 * tls_server: TLS towards clients, for one worker: which certificates are shown, what
 * is asked of clients, how sessions are resumed. TLS 1.2 with forward secrecy and
 * TLS 1.3; no renegotiation, no compression, no early data (what is sent early can be
 * sent twice, and a message with it). Sessions are resumed by tickets alone: no state
 * is kept. Owner: one worker. Thread: owner. Allocates when made and swapped.
 */
#ifndef EVENPOST_NET_TLS_SERVER_H
#define EVENPOST_NET_TLS_SERVER_H

#include "base/span.h"
#include "net/tls_authorities.h"
#include "net/tls_material.h"
#include "net/tls_tickets.h"

struct tls_context;
struct tls_server;

enum tls_oldest { TLS_OLDEST_1_2, TLS_OLDEST_1_3 };

enum tls_verify {
	TLS_VERIFY_OFF,
	TLS_VERIFY_OPTIONAL, /* asked for; without one, or with any, the client may go
				on */
	TLS_VERIFY_REQUIRED, /* without a good one there is no session */
};

struct tls_server_settings {
	enum tls_oldest oldest;
	enum tls_verify verify;
	struct tls_material *material;
	struct tls_authorities *authorities; /* from a file; unless verify is off */
	struct tls_tickets *tickets; /* borrowed for as long as the process runs */
	/*
	 * Protocols by their ALPN ids (RFC 7301), borrowed likewise. A client that
	 * offers others alone is refused: it believes to talk to something else.
	 * Without any, nobody looks at what is offered.
	 */
	const struct span *protocols;
	size_t protocol_count;
};

MUST_CHECK enum status
tls_server_new(struct tls_server **server, const struct tls_server_settings *settings,
	       struct tls_fault *fault);
/* Sessions that have begun go on. NULL is ignored. */
void tls_server_free(struct tls_server *server);

/*
 * Sessions that begin from now on have the new settings, the others keep theirs. On
 * failure nothing has changed.
 */
MUST_CHECK enum status
tls_server_swap(struct tls_server *server, const struct tls_server_settings *settings,
		struct tls_fault *fault);

/* For streams: what a session refers to that begins now. */
struct tls_context *tls_server_context(const struct tls_server *server);

#endif
