/*
 * tls_pair: a certificate, the chain behind it and its key, read and checked once and
 * shared by all that show it. Frozen.
 * Owner: reference-counted. Thread: any; loading reads files: the control thread's
 * work. Allocates when loaded.
 */
#ifndef EVENPOST_NET_TLS_PAIR_H
#define EVENPOST_NET_TLS_PAIR_H

#include "base/span.h"
#include "net/tls_fault.h"

#include <stdint.h>

struct ssl_ctx_st;
struct ssl_st;
struct tls_pair;

/* PEM files. They may be one and the same. NULL: there is none, and no pair then; what
   is wrong with the other is told all the same. */
struct tls_files {
	const char
		*certificate; /* and the chain behind it, each one signed by the next */
	const char *key;
};

/* What is wrong with each file; an empty text: nothing that is known. */
struct tls_pair_faults {
	struct tls_fault certificate;
	struct tls_fault key;
};

/*
 * Refuses what could never be served: a file that cannot be read, a key that is not the
 * certificate's, a chain out of order, a key that OpenSSL's security level finds too
 * weak. Not what has expired: most senders of mail do not mind, and none of them is
 * better off with a service that is down. See tls_pair_end().
 */
MUST_CHECK enum status
tls_pair_load(struct tls_pair **pair, const struct tls_files *files,
	      struct tls_pair_faults *faults);
struct tls_pair *tls_pair_ref(struct tls_pair *pair);
/* NULL is ignored. */
void tls_pair_unref(struct tls_pair *pair);

/* From when to when all certificates of the chain are valid: seconds since 1970. */
int64_t tls_pair_begin(const struct tls_pair *pair);
int64_t tls_pair_end(const struct tls_pair *pair);

/* The host names in the certificate, in lower case, sorted. They last as long as it. */
const struct span *tls_pair_names(const struct tls_pair *pair, size_t *count);
/* Where both are true of two pairs, no client can choose between them. */
bool tls_pair_has_names_of(const struct tls_pair *pair, const struct tls_pair *other);
bool tls_pair_has_key_like(const struct tls_pair *pair, const struct tls_pair *other);

/* False: OpenSSL has queued why. */
bool tls_pair_show(const struct tls_pair *pair, struct ssl_ctx_st *openssl);
bool tls_pair_show_in(const struct tls_pair *pair, struct ssl_st *session);

#endif
