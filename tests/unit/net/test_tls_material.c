/* Certificates, keys and authorities: what is loaded, and how a refusal reads. */
#include "../rows.h"
#include "net/tls_authorities.h"
#include "net/tls_material.h"
#include "pki.h"

#include <string.h>

struct row {
	const char *name;
	const char *certificate;
	const char *key;
	enum status expected;
	const char *says; /* behind the folder; NULL: it is loaded */
	bool in_key;
};

static const struct row rows[] = {
	{"RSA with its chain", "mx.pem", "mx.key", STATUS_OK, NULL},
	{"P-256", "mx-p256.pem", "mx-p256.key", STATUS_OK, NULL},
	{"without its chain", "cut.pem", "cut.key", STATUS_OK, NULL},
	{"expired: the owner decides", "expired.pem", "expired.key", STATUS_OK, NULL},
	{"no such certificate", "nowhere.pem", "mx.key", STATUS_NOT_FOUND,
	 "nowhere.pem: No such file or directory"},
	{"no such key", "mx.pem", "nowhere.key", STATUS_NOT_FOUND,
	 "nowhere.key: No such file or directory", true},
	{"a folder", "", "mx.key", STATUS_SYSTEM, ": Is a directory"},
	{"an empty file", "empty.pem", "mx.key", STATUS_INVALID,
	 "empty.pem: no certificate in PEM form in it"},
	{"garbage", "garbage.pem", "mx.key", STATUS_INVALID,
	 "garbage.pem: certificate 1 cannot be read"},
	{"a key for a certificate", "mx.key", "mx.key", STATUS_INVALID,
	 "mx.key: no certificate in PEM form in it"},
	{"a certificate for a key", "mx.pem", "mx.pem", STATUS_INVALID,
	 "mx.pem: no private key in PEM form in it", true},
	{"the key of another", "cut.pem", "mx-p256.key", STATUS_INVALID,
	 "mx-p256.key: not the key of the certificate in ", true},
	{"a key of another kind", "mx.pem", "mx-p256.key", STATUS_INVALID,
	 ": different key types", true},
	{"a key behind a password", "mx-p256.pem", "encrypted.key", STATUS_INVALID,
	 "encrypted.key: the key is protected by a password; store it without one",
	 true},
	{"a chain out of order", "disorder.pem", "disorder.key", STATUS_INVALID,
	 "disorder.pem: certificate 1 is not signed by certificate 2"},
	{"too weak a key", "weak.pem", "weak.key", STATUS_INVALID,
	 "weak.pem: ee key too small"},
};

static void
loads(void **state)
{
	const struct row *row = *state;
	const struct tls_files files = {pki_path(row->certificate), pki_path(row->key)};
	struct tls_material *material = NULL;
	struct tls_fault fault = {""};

	assert_int_equal(tls_material_load(&material, &files, 1, &fault),
			 row->expected);
	if (row->says && !strstr(fault.text, row->says))
		fail_msg("said: %s", fault.text);
	assert_int_equal(fault.in_key, row->in_key);
	assert_true(row->says ? !material : material != NULL);
	tls_material_unref(material);
}

static void
the_earliest_end_is_known(void **state)
{
	const struct tls_files files[] = {pki_files("mx"), pki_files("expired")};
	struct tls_material *material;
	struct tls_fault fault;

	(void)state;
	/* of the same names, but RSA and P-256 */
	assert_int_equal(tls_material_load(&material, files, 2, &fault), STATUS_OK);
	assert_int_equal(tls_material_count(material), 2);
	assert_int_equal(tls_material_expiry(material, 0), pki_end());
	assert_int_equal(tls_material_expiry(material, 1), pki_end_of_expired());
	tls_material_unref(material);
}

static void
the_same_twice_is_refused(void **state)
{
	const struct tls_files files[] = {pki_files("mx"), pki_files("mx-p256"),
					  pki_files("cut")};
	struct tls_material *material;
	struct tls_fault fault;

	(void)state;
	assert_int_equal(tls_material_load(&material, files, 3, &fault),
			 STATUS_INVALID);
	assert_int_equal(fault.pair, 2);
	assert_non_null(strstr(fault.text, "cut.pem: "));
	assert_non_null(strstr(fault.text, "mx-p256.pem has the same names and the "
					   "same kind of key"));
}

static void
references_keep_it(void **state)
{
	const struct tls_files files = pki_files("mx-p256");
	struct tls_material *material;
	struct tls_fault fault;

	(void)state;
	assert_int_equal(tls_material_load(&material, &files, 1, &fault), STATUS_OK);
	assert_ptr_equal(tls_material_ref(material), material);
	tls_material_unref(material);
	assert_int_equal(tls_material_expiry(material, 0), pki_end());
	tls_material_unref(material);
	tls_material_unref(NULL);
}

static void
authorities_are_told_apart_by_digest(void **state)
{
	struct tls_authorities *first, *again, *other;
	struct tls_fault fault;

	(void)state;
	assert_int_equal(tls_authorities_load(&first, pki_path("ca.pem"), &fault),
			 STATUS_OK);
	assert_int_equal(tls_authorities_load(&again, pki_path("ca.pem"), &fault),
			 STATUS_OK);
	assert_int_equal(tls_authorities_load(&other, pki_path("other-ca.pem"), &fault),
			 STATUS_OK);
	assert_memory_equal(tls_authorities_digest(first),
			    tls_authorities_digest(again), TLS_AUTHORITIES_DIGEST);
	assert_memory_not_equal(tls_authorities_digest(first),
				tls_authorities_digest(other), TLS_AUTHORITIES_DIGEST);
	tls_authorities_unref(first);
	tls_authorities_unref(again);
	tls_authorities_unref(other);
}

static void
authorities_without_a_certificate_are_refused(void **state)
{
	struct tls_authorities *authorities;
	struct tls_fault fault;

	(void)state;
	assert_int_equal(
		tls_authorities_load(&authorities, pki_path("empty.pem"), &fault),
		STATUS_INVALID);
	assert_non_null(strstr(fault.text, "empty.pem: no certificate in PEM form"));
	assert_int_equal(
		tls_authorities_load(&authorities, pki_path("nowhere.pem"), &fault),
		STATUS_NOT_FOUND);
}

static void
the_system_has_authorities(void **state)
{
	struct tls_authorities *authorities;
	struct tls_fault fault;

	(void)state;
	assert_int_equal(tls_authorities_load(&authorities, NULL, &fault), STATUS_OK);
	assert_ptr_equal(tls_authorities_ref(authorities), authorities);
	tls_authorities_unref(authorities);
	tls_authorities_unref(authorities);
	tls_authorities_unref(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_earliest_end_is_known),
		cmocka_unit_test(the_same_twice_is_refused),
		cmocka_unit_test(references_keep_it),
		cmocka_unit_test(authorities_are_told_apart_by_digest),
		cmocka_unit_test(authorities_without_a_certificate_are_refused),
		cmocka_unit_test(the_system_has_authorities),
	};
	int failed;

	if (pki_open(NULL) != 0)
		return 1;
	failed = ROWS_RUN(rows, loads) +
		 cmocka_run_group_tests_name("tls material", tests, NULL, NULL);
	pki_close(NULL);
	return failed;
}
