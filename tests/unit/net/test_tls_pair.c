/* A certificate and its key: what is loaded, and how a refusal of each file reads. */
#include "../rows.h"
#include "net/tls_pair.h"
#include "pki.h"

#include <string.h>

struct row {
	const char *name;
	const char *certificate; /* NULL: the configuration lacks it */
	const char *key;
	enum status expected;
	/* behind the folder; NULL: nothing is wrong with it */
	const char *of_certificate;
	const char *of_key;
};

static const struct row rows[] = {
	{"RSA with its chain", "mx.pem", "mx.key", STATUS_OK},
	{"P-256", "mx-p256.pem", "mx-p256.key", STATUS_OK},
	{"without its chain", "cut.pem", "cut.key", STATUS_OK},
	{"expired: the owner decides", "expired.pem", "expired.key", STATUS_OK},
	{"of the future: the owner decides", "future.pem", "future.key", STATUS_OK},
	{"no such certificate", "nowhere.pem", "mx.key", STATUS_NOT_FOUND,
	 "nowhere.pem: No such file or directory"},
	{"no such key", "mx.pem", "nowhere.key", STATUS_NOT_FOUND, NULL,
	 "nowhere.key: No such file or directory"},
	{"neither", "nowhere.pem", "nowhere.key", STATUS_NOT_FOUND,
	 "nowhere.pem: No such file or directory",
	 "nowhere.key: No such file or directory"},
	{"one file for both that is not there", "nowhere.pem", "nowhere.pem",
	 STATUS_NOT_FOUND, "nowhere.pem: No such file or directory"},
	{"one file for both that has neither", "empty.pem", "empty.pem", STATUS_INVALID,
	 "empty.pem: no certificate in PEM form in it",
	 "empty.pem: no private key in PEM form in it"},
	{"a folder", "", "mx.key", STATUS_SYSTEM, ": Is a directory"},
	{"an empty file", "empty.pem", "mx.key", STATUS_INVALID,
	 "empty.pem: no certificate in PEM form in it"},
	{"garbage", "garbage.pem", "mx.key", STATUS_INVALID,
	 "garbage.pem: certificate 1 cannot be read"},
	{"a key for a certificate", "mx.key", "mx.key", STATUS_INVALID,
	 "mx.key: no certificate in PEM form in it"},
	{"a certificate for a key", "mx.pem", "mx.pem", STATUS_INVALID, NULL,
	 "mx.pem: no private key in PEM form in it"},
	{"the key of another", "cut.pem", "mx-p256.key", STATUS_INVALID, NULL,
	 "mx-p256.key: not the key of the certificate in "},
	{"a key of another kind", "mx.pem", "mx-p256.key", STATUS_INVALID, NULL,
	 ": different key types"},
	{"a key behind a password", "mx-p256.pem", "encrypted.key", STATUS_INVALID,
	 NULL,
	 "encrypted.key: the key is protected by a password; store it without one"},
	{"a chain out of order", "disorder.pem", "disorder.key", STATUS_INVALID,
	 "disorder.pem: certificate 1 is not signed by certificate 2"},
	{"out of order, and the key of another", "disorder.pem", "mx-p256.key",
	 STATUS_INVALID, "disorder.pem: certificate 1 is not signed by certificate 2",
	 "mx-p256.key: not the key of the certificate in "},
	{"too weak a key", "weak.pem", "weak.key", STATUS_INVALID,
	 "weak.pem: ee key too small"},
	{"a good certificate alone", "mx.pem", NULL, STATUS_INVALID},
	{"a bad certificate alone", "empty.pem", NULL, STATUS_INVALID,
	 "empty.pem: no certificate in PEM form in it"},
	{"a bad key alone", NULL, "empty.pem", STATUS_INVALID, NULL,
	 "empty.pem: no private key in PEM form in it"},
};

static void
assert_says(const struct tls_fault *fault, const char *wanted)
{
	if (!wanted)
		assert_string_equal(fault->text, "");
	else if (!strstr(fault->text, wanted))
		fail_msg("said: %s", fault->text);
}

static const char *
path_of(const char *file)
{
	return file ? pki_path(file) : NULL;
}

static void
loads(void **state)
{
	const struct row *row = *state;
	const struct tls_files files = {path_of(row->certificate), path_of(row->key)};
	struct tls_pair *pair = NULL;
	struct tls_pair_faults faults;

	assert_int_equal(tls_pair_load(&pair, &files, &faults), row->expected);
	assert_says(&faults.certificate, row->of_certificate);
	assert_says(&faults.key, row->of_key);
	assert_true((row->expected == STATUS_OK) == (pair != NULL));
	tls_pair_unref(pair);
}

static struct tls_pair *
load(const char *name)
{
	const struct tls_files files = pki_files(name);
	struct tls_pair *pair = NULL;
	struct tls_pair_faults faults;

	assert_int_equal(tls_pair_load(&pair, &files, &faults), STATUS_OK);
	return pair;
}

/* Of the whole chain, as its shortest certificate has it. */
static void
its_times_are_known(void **state)
{
	struct tls_pair *mx = load("mx");
	struct tls_pair *expired = load("expired");
	struct tls_pair *future = load("future");

	(void)state;
	assert_int_equal(tls_pair_end(mx), pki_end());
	assert_true(tls_pair_begin(mx) < pki_begin_of_future());
	assert_int_equal(tls_pair_end(expired), pki_end_of_expired());
	assert_int_equal(tls_pair_begin(future), pki_begin_of_future());
	tls_pair_unref(mx);
	tls_pair_unref(expired);
	tls_pair_unref(future);
}

static void
names_are_in_lower_case_and_sorted(void **state)
{
	struct tls_pair *pair = load("second");
	size_t count;
	const struct span *names = tls_pair_names(pair, &count);

	(void)state;
	assert_int_equal(count, 2);
	assert_true(span_equals(names[0], SPAN("second.test")));
	assert_true(span_equals(names[1], SPAN("third.test")));
	tls_pair_unref(pair);
}

static void
two_are_compared(void **state)
{
	struct tls_pair *rsa = load("mx");
	struct tls_pair *p256 = load("mx-p256"); /* for MX.test */
	struct tls_pair *wild = load("wild");

	(void)state;
	assert_true(tls_pair_has_names_of(rsa, p256));
	assert_false(tls_pair_has_key_like(rsa, p256));
	assert_false(tls_pair_has_names_of(wild, p256));
	assert_true(tls_pair_has_key_like(wild, p256));
	tls_pair_unref(rsa);
	tls_pair_unref(p256);
	tls_pair_unref(wild);
}

static void
references_keep_it(void **state)
{
	struct tls_pair *pair = load("mx-p256");

	(void)state;
	assert_ptr_equal(tls_pair_ref(pair), pair);
	tls_pair_unref(pair);
	assert_int_equal(tls_pair_end(pair), pki_end());
	tls_pair_unref(pair);
	tls_pair_unref(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_times_are_known),
		cmocka_unit_test(names_are_in_lower_case_and_sorted),
		cmocka_unit_test(two_are_compared),
		cmocka_unit_test(references_keep_it),
	};
	int failed;

	if (pki_open(NULL) != 0)
		return 1;
	failed = ROWS_RUN(rows, loads) +
		 cmocka_run_group_tests_name("tls pair", tests, NULL, NULL);
	pki_close(NULL);
	return failed;
}
