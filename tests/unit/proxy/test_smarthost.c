/* A password file becomes a smarthost, or the reason why not. */
#include "proxy/smarthost.h"

#include "rows.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LONG_64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LONG_256 LONG_64 LONG_64 LONG_64 LONG_64
#define LONG_1024 LONG_256 LONG_256 LONG_256 LONG_256

static char path[] = "/tmp/evenpost-login.XXXXXX";

static int
open_path(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 || close(fd);
}

static int
close_path(void **state)
{
	(void)state;
	return unlink(path);
}

static void
write_path(struct span text, mode_t mode)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(text.at, 1, text.length, out), text.length);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static enum status
load(struct smarthost **smarthost, const char *file, char fault[SMARTHOST_FAULT_MAX])
{
	return smarthost_load(smarthost, SPAN("u"), file, fault);
}

/* The responses of a login to a server that offers this. */
static void
assert_says(const struct smarthost *smarthost, uint32_t offered, const char *first,
	    const char *second)
{
	struct sasl_replay replay;
	struct span line =
		sasl_replay_begin(&replay, smarthost_credentials(smarthost, offered));

	if (!line.at)
		assert_true(sasl_replay_next(&replay, &line));
	assert_true(span_equals(line, span_from_string(first)));
	if (!second)
		return;
	assert_true(sasl_replay_next(&replay, &line));
	assert_true(span_equals(line, span_from_string(second)));
}

#define TEXT(literal) SPAN_INITIALIZER(literal)

static const struct row {
	const char *name;
	struct span text;
	const char *fault; /* behind the path; NULL: none, the password is "secret" */
} rows[] = {
	{"without an end of line", TEXT("secret"), NULL},
	{"with LF", TEXT("secret\n"), NULL},
	{"with CRLF", TEXT("secret\r\n"), NULL},
	{"with more lines", TEXT("secret\n# a note\n"), NULL},
	{"nothing", TEXT(""), "there is no password in its first line"},
	{"an empty line", TEXT("\nsecret\n"), "there is no password in its first line"},
	{"a NUL", TEXT("sec\0ret\n"), "no password has a NUL in it"},
	{"1025 octets", TEXT(LONG_1024 "x\n"),
	 "its first line is longer than a password may be"},
	{"1026 octets and no end", TEXT(LONG_1024 "xy"),
	 "its first line is longer than a password may be"},
	{"far too many", TEXT(LONG_1024 LONG_1024),
	 "its first line is longer than a password may be"},
};

static void
test_row(void **state)
{
	const struct row *row = *state;
	char fault[SMARTHOST_FAULT_MAX];
	char wanted[SMARTHOST_FAULT_MAX];
	struct smarthost *smarthost = NULL;

	write_path(row->text, 0600);
	if (row->fault) {
		assert_int_equal(load(&smarthost, path, fault), STATUS_INVALID);
		snprintf(wanted, sizeof(wanted), "%s: %s", path, row->fault);
		assert_string_equal(fault, wanted);
		return;
	}
	assert_int_equal(load(&smarthost, path, fault), STATUS_OK);
	assert_says(smarthost, SASL_PLAIN, "AHUAc2VjcmV0", NULL);
	smarthost_unref(smarthost);
}

static void
test_longest(void **state)
{
	static const struct span texts[] = {TEXT(LONG_1024), TEXT(LONG_1024 "\r\n")};
	char fault[SMARTHOST_FAULT_MAX];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct smarthost *smarthost = NULL;

		write_path(texts[i], 0600);
		assert_int_equal(load(&smarthost, path, fault), STATUS_OK);
		smarthost_unref(smarthost);
	}
}

static void
test_mechanisms(void **state)
{
	char fault[SMARTHOST_FAULT_MAX];
	struct smarthost *smarthost = NULL;

	(void)state;
	write_path(SPAN("secret"), 0600);
	assert_int_equal(load(&smarthost, path, fault), STATUS_OK);
	assert_says(smarthost, SASL_PLAIN | SASL_LOGIN, "AHUAc2VjcmV0", NULL);
	assert_says(smarthost, SASL_LOGIN | SASL_CRAM_MD5, "dQ==", "c2VjcmV0");
	assert_null(smarthost_credentials(smarthost, SASL_CRAM_MD5));
	assert_null(smarthost_credentials(smarthost, 0));
	smarthost_unref(smarthost);
}

static void
test_no_file(void **state)
{
	static const char *const paths[] = {"/nonexistent/file", "/dev"};
	static const char *const faults[] = {
		"/nonexistent/file: No such file or directory", "/dev: not a file"};
	char fault[SMARTHOST_FAULT_MAX];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct smarthost *smarthost = NULL;

		assert_int_not_equal(load(&smarthost, paths[i], fault), STATUS_OK);
		assert_string_equal(fault, faults[i]);
	}
}

static void
test_equals(void **state)
{
	char fault[SMARTHOST_FAULT_MAX];
	struct smarthost *one = NULL, *same = NULL, *other = NULL;

	(void)state;
	write_path(SPAN("secret"), 0600);
	assert_int_equal(load(&one, path, fault), STATUS_OK);
	assert_int_equal(load(&same, path, fault), STATUS_OK);
	write_path(SPAN("secret2"), 0600);
	assert_int_equal(load(&other, path, fault), STATUS_OK);
	assert_true(smarthost_equals(one, one));
	assert_true(smarthost_equals(one, same));
	assert_false(smarthost_equals(one, other));
	assert_false(smarthost_equals(one, NULL));
	assert_false(smarthost_equals(NULL, one));
	assert_true(smarthost_equals(NULL, NULL));
	smarthost_unref(one);
	smarthost_unref(same);
	smarthost_unref(other);
}

static void
test_references(void **state)
{
	char fault[SMARTHOST_FAULT_MAX];
	struct smarthost *smarthost = NULL;

	(void)state;
	write_path(SPAN("secret"), 0600);
	assert_int_equal(load(&smarthost, path, fault), STATUS_OK);
	assert_ptr_equal(smarthost_ref(smarthost), smarthost);
	smarthost_unref(smarthost);
	assert_says(smarthost, SASL_PLAIN, "AHUAc2VjcmV0", NULL);
	smarthost_unref(smarthost);
	smarthost_unref(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_longest),    cmocka_unit_test(test_mechanisms),
		cmocka_unit_test(test_no_file),    cmocka_unit_test(test_equals),
		cmocka_unit_test(test_references),
	};
	int failed;

	if (open_path(NULL))
		return 1;
	failed = ROWS_RUN(rows, test_row) + cmocka_run_group_tests(tests, NULL, NULL);
	return close_path(NULL) ? 1 : failed;
}
