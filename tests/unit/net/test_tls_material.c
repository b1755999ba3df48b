/* Pairs side by side, and authorities: what they are, and what is refused. */
#include "../rows.h"
#include "net/tls_authorities.h"
#include "net/tls_material.h"
#include "pki.h"

#include <string.h>

static void
the_earliest_end_is_known(void **state)
{
	/* of the same names, but RSA and P-256 */
	static const char *const names[] = {"mx", "expired", NULL};
	struct tls_material *material = pki_material(names);

	(void)state;
	assert_int_equal(tls_material_count(material), 2);
	assert_int_equal(tls_material_expiry(material, 0), pki_end());
	assert_int_equal(tls_material_expiry(material, 1), pki_end_of_expired());
	tls_material_unref(material);
}

static void
a_clash_says_who_it_is(void **state)
{
	static const char *const names[] = {"mx", "wild", "mx-p256", "cut"};
	struct tls_pair *pairs[4];
	struct tls_material *material = NULL;
	struct tls_clash clash;

	(void)state;
	for (int i = 0; i < 4; i++) {
		const struct tls_files files = pki_files(names[i]);
		struct tls_pair_faults faults;

		assert_int_equal(tls_pair_load(&pairs[i], &files, &faults), STATUS_OK);
	}
	assert_int_equal(tls_material_make(&material, pairs, 4, &clash),
			 STATUS_INVALID);
	assert_int_equal(clash.pair, 3);
	assert_int_equal(clash.earlier, 2);
	assert_int_equal(tls_material_make(&material, pairs, 3, &clash), STATUS_OK);
	for (int i = 0; i < 4; i++)
		tls_pair_unref(pairs[i]);
	assert_int_equal(tls_material_count(material), 3);
	assert_int_equal(tls_material_expiry(material, 2), pki_end());
	tls_material_unref(material);
}

static void
references_keep_it(void **state)
{
	static const char *const names[] = {"mx-p256", NULL};
	struct tls_material *material = pki_material(names);

	(void)state;
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
		cmocka_unit_test(a_clash_says_who_it_is),
		cmocka_unit_test(references_keep_it),
		cmocka_unit_test(authorities_are_told_apart_by_digest),
		cmocka_unit_test(authorities_without_a_certificate_are_refused),
		cmocka_unit_test(the_system_has_authorities),
	};

	return cmocka_run_group_tests_name("tls material", tests, pki_open, pki_close);
}
