/*
 * tls_material: certificates with their chains and keys, side by side, as contexts show
 * them. Frozen.
 * The first pair is what a client gets that names no host, or one that nobody has. The
 * others are found by the names in their certificates (subjectAltName; without any, the
 * common name; "*." stands for one label). Pairs of the same names with keys of another
 * kind stand side by side, and the client's abilities choose between them.
 * Owner: reference-counted. Thread: any. Allocates when made.
 */
#ifndef EVENPOST_NET_TLS_MATERIAL_H
#define EVENPOST_NET_TLS_MATERIAL_H

#include "net/tls_pair.h"

struct tls_material;

/* Which two cannot stand side by side: they have the same names and the same kind of
   key. */
struct tls_clash {
	size_t pair, earlier;
};
/* What is wrong, of the files of the two certificates. */
#define TLS_CLASH_FAULT "%s: %s has the same names and the same kind of key"

/* count: at least 1. References are taken. STATUS_INVALID: a clash; STATUS_NO_MEMORY.
 */
MUST_CHECK enum status
tls_material_make(struct tls_material **material, struct tls_pair *const *pairs,
		  size_t count, struct tls_clash *clash);
struct tls_material *tls_material_ref(struct tls_material *material);
/* NULL is ignored. */
void tls_material_unref(struct tls_material *material);

size_t tls_material_count(const struct tls_material *material);
/* When the first certificate of the pair's chain expires: seconds since 1970. */
int64_t tls_material_expiry(const struct tls_material *material, size_t index);

/* For contexts: what is shown unless a name says otherwise. False: OpenSSL has queued
 * why. */
bool tls_material_show(const struct tls_material *material, struct ssl_ctx_st *openssl);

enum tls_choice {
	TLS_CHOICE_DEFAULT, /* no certificate has the name */
	TLS_CHOICE_NAMED,
	TLS_CHOICE_FAILED, /* OpenSSL has queued why */
};

/* In the handshake of one session: what is shown under this name. */
enum tls_choice tls_material_choose(const struct tls_material *material,
				    struct ssl_st *session, struct span name);

#endif
