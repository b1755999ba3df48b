#include "net/tls_authorities.h"

#include "net/tls_pem.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdlib.h>

struct tls_authorities {
	atomic_uint references;
	X509_STORE *store;
	STACK_OF(X509_NAME) * names; /* NULL: the system's store */
	unsigned char digest[TLS_AUTHORITIES_DIGEST];
};

static bool
authority_name(struct tls_authorities *authorities, const X509 *certificate)
{
	X509_NAME *name = X509_NAME_dup(X509_get_subject_name(certificate));

	if (name && sk_X509_NAME_push(authorities->names, name))
		return true;
	X509_NAME_free(name);
	return false;
}

static bool
authority_add(struct tls_authorities *authorities, X509 *certificate,
	      EVP_MD_CTX *digest)
{
	unsigned char fingerprint[EVP_MAX_MD_SIZE];
	unsigned length;

	return X509_digest(certificate, EVP_sha256(), fingerprint, &length) &&
	       EVP_DigestUpdate(digest, fingerprint, length) &&
	       X509_STORE_add_cert(authorities->store, certificate) &&
	       authority_name(authorities, certificate);
}

static bool
authorities_add_all(struct tls_authorities *authorities, STACK_OF(X509) * certificates)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	bool added = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL);

	authorities->names = sk_X509_NAME_new_null();
	added = added && authorities->names;
	for (int i = 0; added && i < sk_X509_num(certificates); i++)
		added = authority_add(authorities, sk_X509_value(certificates, i),
				      digest);
	added = added && EVP_DigestFinal_ex(digest, authorities->digest, NULL);
	EVP_MD_CTX_free(digest);
	return added;
}

static enum status
authorities_read(struct tls_authorities *authorities, const char *path,
		 struct tls_fault *fault)
{
	STACK_OF(X509) * certificates;
	enum status status = tls_pem_certificates(path, &certificates, fault);

	if (status)
		return status;
	ERR_clear_error();
	if (!authorities_add_all(authorities, certificates))
		status = tls_fault_set(fault, STATUS_INVALID, "%s: %s", path,
				       tls_reason());
	sk_X509_pop_free(certificates, X509_free);
	return status;
}

static enum status
authorities_read_system(struct tls_authorities *authorities, struct tls_fault *fault)
{
	ERR_clear_error();
	if (X509_STORE_set_default_paths(authorities->store))
		return STATUS_OK;
	return tls_fault_set(fault, STATUS_SYSTEM,
			     "the system's store of certificates: %s", tls_reason());
}

enum status
tls_authorities_load(struct tls_authorities **authorities, const char *path,
		     struct tls_fault *fault)
{
	struct tls_authorities *made = calloc(1, sizeof(*made));
	enum status status;

	if (made)
		made->store = X509_STORE_new();
	if (!made || !made->store) {
		free(made);
		return tls_fault_set(fault, STATUS_NO_MEMORY, "out of memory");
	}
	atomic_init(&made->references, 1);
	status = path ? authorities_read(made, path, fault)
		      : authorities_read_system(made, fault);
	if (status)
		tls_authorities_unref(made);
	else
		*authorities = made;
	return status;
}

struct tls_authorities *
tls_authorities_ref(struct tls_authorities *authorities)
{
	atomic_fetch_add_explicit(&authorities->references, 1, memory_order_relaxed);
	return authorities;
}

void
tls_authorities_unref(struct tls_authorities *authorities)
{
	unsigned references;

	if (!authorities)
		return;
	references = atomic_fetch_sub_explicit(&authorities->references, 1,
					       memory_order_acq_rel);
	assert(references > 0);
	if (references > 1)
		return;
	X509_STORE_free(authorities->store);
	sk_X509_NAME_pop_free(authorities->names, X509_NAME_free);
	free(authorities);
}

bool
tls_authorities_trust(const struct tls_authorities *authorities, SSL_CTX *openssl)
{
	return SSL_CTX_set1_verify_cert_store(openssl, authorities->store);
}

bool
tls_authorities_announce(const struct tls_authorities *authorities, SSL_CTX *openssl)
{
	STACK_OF(X509_NAME) * names;

	assert(authorities->names);
	names = SSL_dup_CA_list(authorities->names);
	if (!names)
		return false;
	SSL_CTX_set_client_CA_list(openssl, names); /* takes it over */
	return true;
}

const unsigned char *
tls_authorities_digest(const struct tls_authorities *authorities)
{
	return authorities->digest;
}
