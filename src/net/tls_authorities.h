/*
 * tls_authorities: certificates of authorities that are trusted, read once and shared
 * by all contexts that verify against them. Frozen.
 * Owner: reference-counted. Thread: any; loading reads files: the control thread's
 * work. Allocates when loaded. OpenSSL keeps a lock of its own around the store: a
 * verifying handshake takes it.
 */
#ifndef EVENPOST_NET_TLS_AUTHORITIES_H
#define EVENPOST_NET_TLS_AUTHORITIES_H

#include "net/tls_fault.h"

#include <stdbool.h>

struct ssl_ctx_st;
struct tls_authorities;

#define TLS_AUTHORITIES_DIGEST 32

/*
 * path: a PEM file; NULL: the system's store, of which OpenSSL reads further files by
 * itself when a handshake needs them.
 */
MUST_CHECK enum status tls_authorities_load(struct tls_authorities **authorities,
					    const char *path, struct tls_fault *fault);
struct tls_authorities *tls_authorities_ref(struct tls_authorities *authorities);
/* NULL is ignored. */
void tls_authorities_unref(struct tls_authorities *authorities);

/* What is verified is verified against these. False: OpenSSL has queued why. */
bool tls_authorities_trust(const struct tls_authorities *authorities,
			   struct ssl_ctx_st *openssl);
/* Clients are told whose certificates will do. Not for the system's store. */
bool tls_authorities_announce(const struct tls_authorities *authorities,
			      struct ssl_ctx_st *openssl);
/* The same for the same certificates in the same order; zeros for the system's store.
 */
const unsigned char *tls_authorities_digest(const struct tls_authorities *authorities);

#endif
