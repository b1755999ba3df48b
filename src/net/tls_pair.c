#include "net/tls_pair.h"

#include "base/arena.h"
#include "net/tls_facts.h"
#include "net/tls_pem.h"

#include <assert.h>
#include <ctype.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdlib.h>

struct tls_pair {
	atomic_uint references;
	struct arena arena;
	X509 *certificate;
	STACK_OF(X509) * chain; /* what stands behind it in its file */
	EVP_PKEY *key;
	int64_t begin, end;
	struct span *names; /* lower case, sorted */
	size_t name_count;
};

/* ---- names ---- */

static int
compare_names(const void *a, const void *b)
{
	const struct span *first = a;
	const struct span *second = b;

	return span_compare(*first, *second);
}

/* False: no memory. What cannot be a host name is left out. */
static bool
pair_add_name(struct tls_pair *pair, const ASN1_STRING *name)
{
	struct span bytes = span_of((const char *)ASN1_STRING_get0_data(name),
				    (size_t)ASN1_STRING_length(name));
	char *copy;

	if (span_is_empty(bytes) || span_find(bytes, 0) != SPAN_NOWHERE)
		return true;
	copy = arena_string(&pair->arena, bytes);
	if (!copy)
		return false;
	for (size_t i = 0; i < bytes.length; i++)
		copy[i] = (char)tolower((unsigned char)copy[i]);
	pair->names[pair->name_count++] = span_of(copy, bytes.length);
	return true;
}

static bool
pair_take_alternatives(struct tls_pair *pair, const GENERAL_NAMES *alternatives)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(alternatives, i);

		if (name->type == GEN_DNS && !pair_add_name(pair, name->d.dNSName))
			return false;
	}
	return true;
}

static bool
pair_take_common_name(struct tls_pair *pair)
{
	const X509_NAME *subject = X509_get_subject_name(pair->certificate);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	return at < 0 || pair_add_name(pair, X509_NAME_ENTRY_get_data(
						     X509_NAME_get_entry(subject, at)));
}

/* RFC 6125 section 6.4.4: the common name counts where there is no other. */
static bool
pair_take_names(struct tls_pair *pair)
{
	GENERAL_NAMES *alternatives =
		X509_get_ext_d2i(pair->certificate, NID_subject_alt_name, NULL, NULL);
	int most = alternatives ? sk_GENERAL_NAME_num(alternatives) : 0;
	bool taken;

	pair->names =
		arena_take(&pair->arena, ((size_t)most + 1) * sizeof(*pair->names));
	taken = pair->names && pair_take_alternatives(pair, alternatives);
	GENERAL_NAMES_free(alternatives);
	if (taken && pair->name_count == 0)
		taken = pair_take_common_name(pair);
	if (taken)
		qsort(pair->names, pair->name_count, sizeof(*pair->names),
		      compare_names);
	return taken;
}

/* ---- loading ---- */

static void
pair_span_times(struct tls_pair *pair)
{
	pair->begin = tls_certificate_begin(pair->certificate);
	pair->end = tls_certificate_end(pair->certificate);
	for (int i = 0; i < sk_X509_num(pair->chain); i++) {
		const X509 *certificate = sk_X509_value(pair->chain, i);
		int64_t begin = tls_certificate_begin(certificate);
		int64_t end = tls_certificate_end(certificate);

		pair->begin = begin > pair->begin ? begin : pair->begin;
		pair->end = end < pair->end ? end : pair->end;
	}
}

/* RFC 5246 section 7.4.2: each certificate certifies the one before it. */
static enum status
pair_check_chain(const struct tls_pair *pair, const char *path, struct tls_fault *fault)
{
	X509 *below = pair->certificate;

	for (int i = 0; i < sk_X509_num(pair->chain); i++) {
		X509 *above = sk_X509_value(pair->chain, i);

		if (X509_check_issued(above, below) != X509_V_OK)
			return tls_fault_set(
				fault, STATUS_INVALID,
				"%s: certificate %d is not signed by certificate %d; "
				"the chain stands in order behind the certificate",
				path, i + 1, i + 2);
		below = above;
	}
	return STATUS_OK;
}

static enum status
pair_read_certificate(struct tls_pair *pair, const char *path, struct tls_fault *fault)
{
	enum status status = tls_pem_certificates(path, &pair->chain, fault);

	if (status != STATUS_OK)
		return status;
	pair->certificate = sk_X509_shift(pair->chain);
	pair_span_times(pair);
	return pair_check_chain(pair, path, fault);
}

static enum status
pair_match(const struct tls_pair *pair, const struct tls_files *files,
	   struct tls_fault *fault)
{
	ERR_clear_error();
	if (X509_check_private_key(pair->certificate, pair->key))
		return STATUS_OK;
	return tls_fault_set(fault, STATUS_INVALID,
			     "%s: not the key of the certificate in %s: %s", files->key,
			     files->certificate, tls_reason());
}

static enum status
no_memory(struct tls_fault *fault)
{
	ERR_clear_error();
	return tls_fault_set(fault, STATUS_NO_MEMORY, "out of memory");
}

/* What OpenSSL thinks of it shall be known now, not in the first handshake. */
static enum status
pair_try(const struct tls_pair *pair, const char *path, struct tls_fault *fault)
{
	SSL_CTX *openssl = SSL_CTX_new(TLS_method());
	enum status status = STATUS_OK;

	if (!openssl)
		return no_memory(fault);
	if (!tls_pair_show(pair, openssl))
		status = tls_fault_set(fault, STATUS_INVALID, "%s: %s", path,
				       tls_reason());
	SSL_CTX_free(openssl);
	return status;
}

/* Each file by itself, so that all that is wrong comes to light. */
static enum status
pair_read(struct tls_pair *pair, const struct tls_files *files,
	  struct tls_pair_faults *faults)
{
	enum status of_certificate = STATUS_INVALID;
	enum status of_key = STATUS_INVALID;

	if (files->certificate)
		of_certificate = pair_read_certificate(pair, files->certificate,
						       &faults->certificate);
	if (files->key)
		of_key = tls_pem_key(files->key, &pair->key, &faults->key);
	/* one file that cannot be read, and not two */
	if (strcmp(faults->key.text, faults->certificate.text) == 0)
		faults->key.text[0] = 0;
	if (pair->certificate && pair->key)
		of_key = pair_match(pair, files, &faults->key);
	return of_certificate == STATUS_OK ? of_key : of_certificate;
}

static enum status
pair_load(struct tls_pair *pair, const struct tls_files *files,
	  struct tls_pair_faults *faults)
{
	enum status status = pair_read(pair, files, faults);

	if (status == STATUS_OK)
		status = pair_try(pair, files->certificate, &faults->certificate);
	if (status == STATUS_OK && !pair_take_names(pair))
		status = no_memory(&faults->certificate);
	return status;
}

enum status
tls_pair_load(struct tls_pair **pair, const struct tls_files *files,
	      struct tls_pair_faults *faults)
{
	struct tls_pair *made = calloc(1, sizeof(*made));
	enum status status;

	faults->certificate.text[0] = faults->key.text[0] = 0;
	if (!made)
		return no_memory(files->certificate ? &faults->certificate
						    : &faults->key);
	atomic_init(&made->references, 1);
	status = pair_load(made, files, faults);
	if (status == STATUS_OK)
		*pair = made;
	else
		tls_pair_unref(made);
	return status;
}

struct tls_pair *
tls_pair_ref(struct tls_pair *pair)
{
	atomic_fetch_add_explicit(&pair->references, 1, memory_order_relaxed);
	return pair;
}

void
tls_pair_unref(struct tls_pair *pair)
{
	unsigned references;

	if (!pair)
		return;
	references =
		atomic_fetch_sub_explicit(&pair->references, 1, memory_order_acq_rel);
	assert(references > 0);
	if (references > 1)
		return;
	X509_free(pair->certificate);
	sk_X509_pop_free(pair->chain, X509_free);
	EVP_PKEY_free(pair->key);
	arena_reset(&pair->arena);
	free(pair);
}

/* ---- what it is ---- */

int64_t
tls_pair_begin(const struct tls_pair *pair)
{
	return pair->begin;
}

int64_t
tls_pair_end(const struct tls_pair *pair)
{
	return pair->end;
}

const struct span *
tls_pair_names(const struct tls_pair *pair, size_t *count)
{
	*count = pair->name_count;
	return pair->names;
}

bool
tls_pair_has_names_of(const struct tls_pair *pair, const struct tls_pair *other)
{
	if (pair->name_count != other->name_count)
		return false;
	for (size_t i = 0; i < pair->name_count; i++)
		if (!span_equals(pair->names[i], other->names[i]))
			return false;
	return true;
}

bool
tls_pair_has_key_like(const struct tls_pair *pair, const struct tls_pair *other)
{
	return EVP_PKEY_get_base_id(pair->key) == EVP_PKEY_get_base_id(other->key);
}

/* ---- showing ---- */

bool
tls_pair_show(const struct tls_pair *pair, SSL_CTX *openssl)
{
	return SSL_CTX_use_cert_and_key(openssl, pair->certificate, pair->key,
					pair->chain, 1);
}

bool
tls_pair_show_in(const struct tls_pair *pair, SSL *session)
{
	return SSL_use_cert_and_key(session, pair->certificate, pair->key, pair->chain,
				    1);
}
