/*
 * tls_facts: what there is to say about an established session, for logs and PROXY
 * headers. Owner: the caller's storage. Thread: the session's. Never keeps memory.
 */
#ifndef EVENPOST_NET_TLS_FACTS_H
#define EVENPOST_NET_TLS_FACTS_H

#include "base/span.h"

#include <stdint.h>

struct ssl_st;
struct x509_st;

/* Octets of a name, at most. */
#define TLS_FACTS_ROOM 256

/*
 * The spans borrow from the session and from this struct: it is not copied. The name
 * and what is in the certificate are the peer's words: nobody has checked their octets.
 */
struct tls_facts {
	struct span version; /* "TLSv1.3" */
	struct span cipher;  /* "TLS_AES_256_GCM_SHA384" */
	struct span name;    /* by SNI; empty: none was said */
	bool resumed;
	/* the peer's certificate, shown now or in the session that was resumed */
	bool has_certificate;
	bool verified;       /* against the authorities; false without one */
	struct span subject; /* RFC 2253, cut where it is longer; UTF-8, escaped */
	struct span issuer;  /* likewise */
	int64_t begins;      /* seconds since 1970 */
	int64_t ends;        /* likewise */
	struct span
		common_name; /* UTF-8; empty: none, or more than there is room for */
	char subject_room[TLS_FACTS_ROOM];
	char issuer_room[TLS_FACTS_ROOM];
	char common_name_room[TLS_FACTS_ROOM];
};

void tls_facts_read(struct tls_facts *facts, struct ssl_st *session);

/* For net alone. When a certificate begins and ends to be valid, in seconds since 1970;
   INT64_MAX and 0: that cannot be read, and nobody can trust it. */
int64_t tls_certificate_begin(const struct x509_st *certificate);
int64_t tls_certificate_end(const struct x509_st *certificate);

/* "2026-11-23", in UTC. when: seconds since 1970. Returns day. */
#define TLS_DAY_MAX 32
const char *tls_day_print(int64_t when, char day[TLS_DAY_MAX]);

#endif
