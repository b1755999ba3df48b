/*
 * tls_client: TLS towards servers, for one pool and one worker: whether their
 * certificates are verified and against whom, and the certificate that is shown to
 * them. tls_session keeps the last session with one server, to resume it. Owner: one
 * worker. Thread: owner. Allocates when made.
 */
#ifndef EVENPOST_NET_TLS_CLIENT_H
#define EVENPOST_NET_TLS_CLIENT_H

#include "net/tls_authorities.h"
#include "net/tls_material.h"

struct ssl_session_st;
struct tls_client;
struct tls_context;

struct tls_client_settings {
	/* NULL: any certificate will do. Else a chain to one of them, and the name. */
	struct tls_authorities *authorities;
	struct tls_material
		*material; /* what is shown when a server asks; may be NULL */
};

MUST_CHECK enum status
tls_client_new(struct tls_client **client, const struct tls_client_settings *settings,
	       struct tls_fault *fault);
/* Sessions that have begun go on. NULL is ignored. */
void tls_client_free(struct tls_client *client);

/*
 * The last session with one server under one name. A zeroed struct is a valid empty
 * one. A session of another tls_client is not resumed: its server may have been
 * verified in another way. Nor is one whose certificate was shown more than
 * TLS_SESSION_LIFETIME ago: each that is resumed brings the next, and one that has
 * ended would never be noticed. Owner: whoever knows the server. Thread: the worker's.
 */
struct tls_session {
	struct ssl_session_st *openssl; /* ours, or NULL */
	uint64_t client;                /* who made it */
	uint64_t shown; /* loop_microseconds() of the handshake with the certificate */
};

/* Microseconds. */
#define TLS_SESSION_LIFETIME UINT64_C(7200000000)

void tls_session_clear(struct tls_session *session);

/* For streams: what a session refers to that begins now. */
struct tls_context *tls_client_context(const struct tls_client *client);

#endif
