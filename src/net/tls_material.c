#include "net/tls_material.h"

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
#include <time.h>

/* A certificate, what stands behind it in its file, and its key. */
struct pair {
	X509 *certificate;
	STACK_OF(X509) * chain;
	EVP_PKEY *key;
	int64_t expiry;
	struct span *names; /* lower case, sorted */
	size_t name_count;
	struct pair *beside; /* the next of the same names, with another kind of key */
};

struct served_name {
	struct span name;
	struct pair *pair; /* the first of those that stand side by side */
};

struct tls_material {
	atomic_uint references;
	struct arena arena;
	struct pair *pairs;
	size_t count;
	struct served_name *names; /* sorted, each once */
	size_t name_count;
};

/* ---- names ---- */

static int
compare_spans(struct span a, struct span b)
{
	size_t shorter = a.length < b.length ? a.length : b.length;
	int order = shorter ? memcmp(a.at, b.at, shorter) : 0;

	if (order)
		return order;
	return (a.length > b.length) - (a.length < b.length);
}

static int
compare_names(const void *a, const void *b)
{
	const struct span *first = a;
	const struct span *second = b;

	return compare_spans(*first, *second);
}

/* Those of one name in the order of their pairs. */
static int
compare_served(const void *a, const void *b)
{
	const struct served_name *first = a;
	const struct served_name *second = b;
	int order = compare_spans(first->name, second->name);

	if (order)
		return order;
	return (first->pair > second->pair) - (first->pair < second->pair);
}

/* False: no memory. What cannot be a host name is left out. */
static bool
pair_add_name(struct tls_material *material, struct pair *pair, const ASN1_STRING *name)
{
	struct span bytes = span_of((const char *)ASN1_STRING_get0_data(name),
				    (size_t)ASN1_STRING_length(name));
	char *copy;

	if (span_is_empty(bytes) || span_find(bytes, 0) != SPAN_NOWHERE)
		return true;
	copy = arena_string(&material->arena, bytes);
	if (!copy)
		return false;
	for (size_t i = 0; i < bytes.length; i++)
		copy[i] = (char)tolower((unsigned char)copy[i]);
	pair->names[pair->name_count++] = span_of(copy, bytes.length);
	return true;
}

static bool
pair_take_alternatives(struct tls_material *material, struct pair *pair,
		       const GENERAL_NAMES *alternatives)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(alternatives, i);

		if (name->type == GEN_DNS &&
		    !pair_add_name(material, pair, name->d.dNSName))
			return false;
	}
	return true;
}

static bool
pair_take_common_name(struct tls_material *material, struct pair *pair)
{
	const X509_NAME *subject = X509_get_subject_name(pair->certificate);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	return at < 0 || pair_add_name(material, pair,
				       X509_NAME_ENTRY_get_data(
					       X509_NAME_get_entry(subject, at)));
}

/* RFC 6125 section 6.4.4: the common name counts where there is no other. */
static bool
pair_take_names(struct tls_material *material, struct pair *pair)
{
	GENERAL_NAMES *alternatives =
		X509_get_ext_d2i(pair->certificate, NID_subject_alt_name, NULL, NULL);
	int most = alternatives ? sk_GENERAL_NAME_num(alternatives) : 0;
	bool taken;

	pair->names =
		arena_take(&material->arena, ((size_t)most + 1) * sizeof(*pair->names));
	taken = pair->names && pair_take_alternatives(material, pair, alternatives);
	GENERAL_NAMES_free(alternatives);
	if (taken && pair->name_count == 0)
		taken = pair_take_common_name(material, pair);
	if (taken)
		qsort(pair->names, pair->name_count, sizeof(*pair->names),
		      compare_names);
	return taken;
}

static bool
pairs_have_same_names(const struct pair *a, const struct pair *b)
{
	if (a->name_count != b->name_count)
		return false;
	for (size_t i = 0; i < a->name_count; i++)
		if (!span_equals(a->names[i], b->names[i]))
			return false;
	return true;
}

/* ---- loading ---- */

static enum status
no_memory(struct tls_fault *fault)
{
	ERR_clear_error();
	return tls_fault_set(fault, STATUS_NO_MEMORY, "out of memory");
}

static void
pair_find_expiry(struct pair *pair)
{
	pair->expiry = tls_certificate_end(pair->certificate);
	for (int i = 0; i < sk_X509_num(pair->chain); i++) {
		int64_t expiry = tls_certificate_end(sk_X509_value(pair->chain, i));

		if (expiry < pair->expiry)
			pair->expiry = expiry;
	}
}

/* RFC 5246 section 7.4.2: each certificate certifies the one before it. */
static enum status
pair_check_chain(const struct pair *pair, const struct tls_files *files,
		 struct tls_fault *fault)
{
	X509 *below = pair->certificate;

	for (int i = 0; i < sk_X509_num(pair->chain); i++) {
		X509 *above = sk_X509_value(pair->chain, i);

		if (X509_check_issued(above, below) != X509_V_OK)
			return tls_fault_set(
				fault, STATUS_INVALID,
				"%s: certificate %d is not signed by certificate %d; "
				"the chain stands in order behind the certificate",
				files->certificate, i + 1, i + 2);
		below = above;
	}
	return STATUS_OK;
}

static enum status
pair_read_key(struct pair *pair, const struct tls_files *files, struct tls_fault *fault)
{
	enum status status = tls_pem_key(files->key, &pair->key, fault);

	if (status)
		return status;
	ERR_clear_error();
	if (X509_check_private_key(pair->certificate, pair->key))
		return STATUS_OK;
	return tls_fault_set(fault, STATUS_INVALID,
			     "%s: not the key of the certificate in %s: %s", files->key,
			     files->certificate, tls_reason());
}

static enum status
pair_read(struct pair *pair, const struct tls_files *files, struct tls_fault *fault)
{
	enum status status =
		tls_pem_certificates(files->certificate, &pair->chain, fault);

	if (status)
		return status;
	pair->certificate = sk_X509_shift(pair->chain);
	status = pair_read_key(pair, files, fault);
	fault->in_key = status != STATUS_OK;
	if (status)
		return status;
	pair_find_expiry(pair);
	return pair_check_chain(pair, files, fault);
}

static bool
pair_show(const struct pair *pair, SSL_CTX *openssl)
{
	return SSL_CTX_use_cert_and_key(openssl, pair->certificate, pair->key,
					pair->chain, 1);
}

/* What OpenSSL thinks of it shall be known now, not in the first handshake. */
static enum status
pair_try(const struct pair *pair, const struct tls_files *files,
	 struct tls_fault *fault)
{
	SSL_CTX *openssl = SSL_CTX_new(TLS_method());
	enum status status = STATUS_OK;

	if (!openssl)
		return no_memory(fault);
	if (!pair_show(pair, openssl))
		status = tls_fault_set(fault, STATUS_INVALID, "%s: %s",
				       files->certificate, tls_reason());
	SSL_CTX_free(openssl);
	return status;
}

/* Joins the first pair before it that has the same names. */
static enum status
pair_join(struct tls_material *material, struct pair *pair,
	  const struct tls_files *files, struct tls_fault *fault)
{
	struct pair *other = material->pairs;

	while (other < pair && !pairs_have_same_names(other, pair))
		other++;
	if (other == pair)
		return STATUS_OK;
	for (;; other = other->beside) {
		if (EVP_PKEY_get_base_id(other->key) == EVP_PKEY_get_base_id(pair->key))
			return tls_fault_set(
				fault, STATUS_INVALID,
				"%s: %s has the same names and the same kind of key",
				files[pair - material->pairs].certificate,
				files[other - material->pairs].certificate);
		if (!other->beside)
			break;
	}
	other->beside = pair;
	return STATUS_OK;
}

static enum status
pair_load(struct tls_material *material, struct pair *pair,
	  const struct tls_files *files, struct tls_fault *fault)
{
	const struct tls_files *own = &files[pair - material->pairs];
	enum status status = pair_read(pair, own, fault);

	if (!status)
		status = pair_try(pair, own, fault);
	if (!status && !pair_take_names(material, pair))
		status = no_memory(fault);
	return status ? status : pair_join(material, pair, files, fault);
}

/* Of those that have the same name the first is found. */
static size_t
names_unify(struct served_name *names, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (kept == 0 || !span_equals(names[kept - 1].name, names[i].name))
			names[kept++] = names[i];
	return kept;
}

static bool
material_index(struct tls_material *material)
{
	size_t most = 0;
	size_t count = 0;

	for (size_t i = 0; i < material->count; i++)
		most += material->pairs[i].name_count;
	material->names = arena_take(&material->arena, most * sizeof(*material->names));
	if (!material->names)
		return false;
	for (size_t i = 0; i < material->count; i++) {
		struct pair *pair = &material->pairs[i];

		for (size_t at = 0; at < pair->name_count; at++)
			material->names[count++] =
				(struct served_name){pair->names[at], pair};
	}
	qsort(material->names, count, sizeof(*material->names), compare_served);
	material->name_count = names_unify(material->names, count);
	return true;
}

static enum status
material_read(struct tls_material *material, const struct tls_files *files,
	      size_t count, struct tls_fault *fault)
{
	material->pairs = arena_take(&material->arena, count * sizeof(struct pair));
	if (!material->pairs)
		return no_memory(fault);
	while (material->count < count) {
		struct pair *pair = &material->pairs[material->count++];
		enum status status = pair_load(material, pair, files, fault);

		fault->pair = material->count - 1;
		if (status)
			return status;
	}
	return material_index(material) ? STATUS_OK : no_memory(fault);
}

enum status
tls_material_load(struct tls_material **material, const struct tls_files *files,
		  size_t count, struct tls_fault *fault)
{
	struct tls_material *made = calloc(1, sizeof(*made));
	enum status status;

	assert(count > 0);
	if (!made)
		return no_memory(fault);
	atomic_init(&made->references, 1);
	status = material_read(made, files, count, fault);
	if (status)
		tls_material_unref(made);
	else
		*material = made;
	return status;
}

struct tls_material *
tls_material_ref(struct tls_material *material)
{
	atomic_fetch_add_explicit(&material->references, 1, memory_order_relaxed);
	return material;
}

static void
material_free(struct tls_material *material)
{
	for (size_t i = 0; i < material->count; i++) {
		X509_free(material->pairs[i].certificate);
		sk_X509_pop_free(material->pairs[i].chain, X509_free);
		EVP_PKEY_free(material->pairs[i].key);
	}
	arena_reset(&material->arena);
	free(material);
}

void
tls_material_unref(struct tls_material *material)
{
	unsigned references;

	if (!material)
		return;
	references = atomic_fetch_sub_explicit(&material->references, 1,
					       memory_order_acq_rel);
	assert(references > 0);
	if (references == 1)
		material_free(material);
}

size_t
tls_material_count(const struct tls_material *material)
{
	return material->count;
}

int64_t
tls_material_expiry(const struct tls_material *material, size_t index)
{
	assert(index < material->count);
	return material->pairs[index].expiry;
}

/* ---- showing ---- */

bool
tls_material_show(const struct tls_material *material, SSL_CTX *openssl)
{
	for (const struct pair *pair = material->pairs; pair; pair = pair->beside)
		if (!pair_show(pair, openssl))
			return false;
	return true;
}

static int
compare_wanted(const void *wanted, const void *served)
{
	const struct span *name = wanted;
	const struct served_name *other = served;

	return compare_spans(*name, other->name);
}

static const struct pair *
material_find_exactly(const struct tls_material *material, struct span name)
{
	const struct served_name *found =
		bsearch(&name, material->names, material->name_count,
			sizeof(*material->names), compare_wanted);

	return found ? found->pair : NULL;
}

/* name: in lower case; it is changed. */
static const struct pair *
material_find(const struct tls_material *material, char *name, size_t length)
{
	const struct pair *pair =
		material_find_exactly(material, span_of(name, length));
	size_t dot = span_find(span_of(name, length), '.');

	if (pair || dot == SPAN_NOWHERE || dot == 0)
		return pair;
	name[dot - 1] = '*'; /* the whole first label: "*.example.com" */
	return material_find_exactly(material,
				     span_of(name + dot - 1, length - (dot - 1)));
}

enum tls_choice
tls_material_choose(const struct tls_material *material, SSL *session, struct span name)
{
	char lower[TLSEXT_MAXLEN_host_name];
	const struct pair *pair;

	if (span_is_empty(name) || name.length > sizeof(lower))
		return TLS_CHOICE_DEFAULT;
	for (size_t i = 0; i < name.length; i++)
		lower[i] = (char)tolower((unsigned char)name.at[i]);
	pair = material_find(material, lower, name.length);
	if (!pair)
		return TLS_CHOICE_DEFAULT;
	if (pair == material->pairs)
		return TLS_CHOICE_NAMED; /* the context shows it already */
	SSL_certs_clear(session);
	for (; pair; pair = pair->beside)
		if (!SSL_use_cert_and_key(session, pair->certificate, pair->key,
					  pair->chain, 1))
			return TLS_CHOICE_FAILED;
	return TLS_CHOICE_NAMED;
}
