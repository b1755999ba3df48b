/*
 * tls_context: what the sessions of one worker's tls_server or tls_client have in
 * common: OpenSSL's context, set to what mail can live with, and what its callbacks
 * look at. Each session holds a reference, so that a context lives as long as the last
 * session that began with it. For net alone. Owner: reference-counted. Thread: the
 * worker's. Allocates.
 */
#ifndef EVENPOST_NET_TLS_CONTEXT_H
#define EVENPOST_NET_TLS_CONTEXT_H

#include "base/span.h"

#include <stdint.h>

struct ssl_ctx_st;
struct ssl_method_st;
struct tls_material;
struct tls_tickets;

/*
 * TLS 1.2 with keys that nobody can compute afterwards. The CBC suites stay, at the
 * end: servers of 2012 have no others for their RSA keys, and would send in clear
 * instead.
 */
#define TLS_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES"

struct tls_context {
	struct ssl_ctx_st *openssl;
	unsigned references;
	struct tls_material *material; /* ours; NULL: a client without a certificate */
	/* of servers */
	struct tls_tickets *tickets;
	const struct span *protocols;
	size_t protocol_count;
	/* of clients */
	bool verifies;
	uint64_t serial; /* no two clients of the process have the same */
};

/* One reference. NULL: OpenSSL has queued why, or memory is out. */
struct tls_context *tls_context_new(const struct ssl_method_st *method);
struct tls_context *tls_context_ref(struct tls_context *context);
/* NULL is ignored. */
void tls_context_unref(struct tls_context *context);

#endif
