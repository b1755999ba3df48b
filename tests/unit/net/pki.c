#include "pki.h"

#include <assert.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Days from now. */
#define END 100
#define END_OF_EXPIRED (-1)
#define BEGIN (-10)
#define BEGIN_OF_FUTURE 20

enum kind { P256, RSA_2048, RSA_1024 };

struct order {
	const char *name;
	const char *issuer; /* NULL: itself */
	const char *common_name;
	const char *alternatives; /* as OpenSSL's configuration has them */
	enum kind kind;
	int end; /* days */
	bool authority;
	const char *chain[3]; /* what stands behind it in the file */
	int begin;            /* days; 0: BEGIN */
};

/* Names of "crowd": the certificate has more than 40 KB. */
#define CROWD 1200
static char crowd[CROWD * sizeof("DNS:host-number-0000.crowd.test,")];

static const struct order orders[] = {
	{"ca", NULL, "Test authority", NULL, P256, END, true},
	{"other-ca", NULL, "Other authority", NULL, P256, END, true},
	{"middle", "ca", "Authority between", NULL, P256, END, true},
	{"mx", "middle", "mx.test", "DNS:mx.test", RSA_2048, END, false, {"middle"}},
	{"mx-p256", "middle", "mx.test", "DNS:MX.test", P256, END, false, {"middle"}},
	{"second", "ca", "ignored.test", "DNS:second.test,DNS:third.test", P256, END},
	{"wild", "ca", "wild", "DNS:*.wild.test", P256, END},
	{"plain", "ca", "plain.test", NULL, P256, END},
	{"address", "ca", "address", "IP:127.0.0.1", P256, END},
	{"expired", "ca", "mx.test", "DNS:mx.test", P256, END_OF_EXPIRED},
	{"self", NULL, "mx.test", "DNS:mx.test", P256, END},
	{"cut", "middle", "mx.test", "DNS:mx.test", P256, END},
	{"disorder",
	 "middle",
	 "mx.test",
	 "DNS:mx.test",
	 P256,
	 END,
	 false,
	 {"ca", "middle"}},
	{"weak", "ca", "weak.test", "DNS:weak.test", RSA_1024, END},
	{"future",
	 "ca",
	 "future",
	 "DNS:future.test",
	 P256,
	 END,
	 false,
	 {NULL},
	 BEGIN_OF_FUTURE},
	{"client", "ca", "client", NULL, P256, END},
	{"stranger", "other-ca", "stranger", NULL, P256, END},
	{"crowd", "ca", "crowd", crowd, P256, END},
};
#define ORDERS (sizeof(orders) / sizeof(orders[0]))

static struct {
	char folder[64];
	time_t now;
	X509 *certificates[ORDERS];
	EVP_PKEY *keys[ORDERS];
} pki;

static size_t
find(const char *name)
{
	size_t at = 0;

	while (strcmp(orders[at].name, name) != 0)
		at++;
	return at;
}

const char *
pki_path(const char *file)
{
	static char paths[16][128];
	static unsigned next;
	char *path = paths[next++ % 16];

	snprintf(path, sizeof(paths[0]), "%s/%s", pki.folder, file);
	return path;
}

struct tls_files
pki_files(const char *name)
{
	char certificate[32], key[32];

	snprintf(certificate, sizeof(certificate), "%s.pem", name);
	snprintf(key, sizeof(key), "%s.key", name);
	return (struct tls_files){pki_path(certificate), pki_path(key)};
}

struct tls_material *
pki_material(const char *const *names)
{
	struct tls_pair *pairs[8] = {NULL};
	struct tls_material *material = NULL;
	struct tls_clash clash;
	enum status status;
	size_t count = 0;

	for (; names[count]; count++) {
		struct tls_files files = pki_files(names[count]);
		struct tls_pair_faults faults;

		assert(count < 8);
		status = tls_pair_load(&pairs[count], &files, &faults);
		assert(status == STATUS_OK);
	}
	status = tls_material_make(&material, pairs, count, &clash);
	assert(status == STATUS_OK);
	while (count-- > 0)
		tls_pair_unref(pairs[count]);
	return material;
}

int64_t
pki_end(void)
{
	return pki.now + END * 86400;
}

int64_t
pki_end_of_expired(void)
{
	return pki.now + END_OF_EXPIRED * 86400;
}

int64_t
pki_begin_of_future(void)
{
	return pki.now + BEGIN_OF_FUTURE * 86400;
}

static FILE *
create(const char *file)
{
	FILE *opened = fopen(pki_path(file), "we");

	assert(opened);
	return opened;
}

void
pki_write(const char *file, const void *bytes, size_t size)
{
	FILE *opened = create(file);
	size_t written = fwrite(bytes, 1, size, opened);

	assert(written == size);
	fclose(opened);
}

void
pki_link(const char *name, const char *file)
{
	const char *path = pki_path(name);
	int failed;

	unlink(path);
	failed = symlink(pki_path(file), path);
	assert(!failed);
}

static EVP_PKEY *
key_new(enum kind kind)
{
	switch (kind) {
	case RSA_2048:
		return EVP_RSA_gen(2048);
	case RSA_1024:
		return EVP_RSA_gen(1024);
	default:
		return EVP_EC_gen("P-256");
	}
}

static void
extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	assert(extension);
	X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
}

static void
make(size_t at)
{
	const struct order *order = &orders[at];
	size_t issuer = order->issuer ? find(order->issuer) : at;
	X509 *certificate = X509_new();
	EVP_PKEY *key = key_new(order->kind);
	X509_NAME *name = X509_get_subject_name(certificate);

	assert(certificate && key);
	pki.certificates[at] = certificate;
	pki.keys[at] = key;
	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), (long)at + 1);
	ASN1_TIME_adj(X509_getm_notBefore(certificate), pki.now,
		      order->begin ? order->begin : BEGIN, 0);
	ASN1_TIME_adj(X509_getm_notAfter(certificate), pki.now, order->end, 0);
	X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
				   (const unsigned char *)"Test", -1, -1, 0);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
				   (const unsigned char *)order->common_name, -1, -1,
				   0);
	X509_set_issuer_name(certificate,
			     X509_get_subject_name(pki.certificates[issuer]));
	X509_set_pubkey(certificate, key);
	extend(certificate, pki.certificates[issuer], NID_basic_constraints,
	       order->authority ? "critical,CA:TRUE" : "CA:FALSE");
	if (order->alternatives)
		extend(certificate, pki.certificates[issuer], NID_subject_alt_name,
		       order->alternatives);
	assert(X509_sign(certificate, pki.keys[issuer], EVP_sha256()) > 0);
}

static void
save(size_t at)
{
	struct tls_files files = pki_files(orders[at].name);
	FILE *certificate = fopen(files.certificate, "we");
	FILE *key = fopen(files.key, "we");

	assert(certificate && key);
	PEM_write_X509(certificate, pki.certificates[at]);
	for (int i = 0; i < 3 && orders[at].chain[i]; i++)
		PEM_write_X509(certificate,
			       pki.certificates[find(orders[at].chain[i])]);
	PEM_write_PrivateKey(key, pki.keys[at], NULL, NULL, 0, NULL, NULL);
	fclose(certificate);
	assert(fchmod(fileno(key), 0600) == 0);
	fclose(key);
}

static void
save_what_is_wrong(void)
{
	FILE *encrypted = create("encrypted.key");

	PEM_write_PKCS8PrivateKey(encrypted, pki.keys[find("mx-p256")],
				  EVP_aes_256_cbc(), "secret", 6, NULL, NULL);
	fclose(encrypted);
	pki_write("empty.pem", "", 0);
	pki_write("garbage.pem",
		  "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 60);
}

static void
name_crowd(void)
{
	size_t length = 0;

	for (unsigned i = 0; i < CROWD; i++)
		length += (size_t)snprintf(crowd + length, sizeof(crowd) - length,
					   "%sDNS:host-number-%04u.crowd.test",
					   i ? "," : "", i);
}

int
pki_open(void **state)
{
	(void)state;
	pki.now = time(NULL);
	strcpy(pki.folder, "/tmp/evenpost-pki-XXXXXX");
	if (!mkdtemp(pki.folder))
		return -1;
	name_crowd();
	for (size_t at = 0; at < ORDERS; at++) {
		make(at);
		save(at);
	}
	save_what_is_wrong();
	return 0;
}

int
pki_close(void **state)
{
	char command[128];

	(void)state;
	for (size_t at = 0; at < ORDERS; at++) {
		X509_free(pki.certificates[at]);
		EVP_PKEY_free(pki.keys[at]);
	}
	snprintf(command, sizeof(command), "rm -r %s", pki.folder);
	return system(command);
}
