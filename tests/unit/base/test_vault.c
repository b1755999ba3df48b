/* What the vault gives, that it is clean, and how many mappings it takes. */
#include "base/vault.h"

#include "base/log.h"
#include "rows.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

#define MANY 5000

static bool
is_zero(const char *bytes, size_t size)
{
	for (size_t at = 0; at < size; at++) {
		if (bytes[at])
			return false;
	}
	return true;
}

struct row {
	const char *name;
	size_t wanted, size; /* bytes */
};

static const struct row rows[] = {
	{"a byte", 1, 256},
	{"a login", 256, 256},
	{"a byte more", 257, 4096},
	{"a token", 4096, 4096},
	{"more than a token", 4097, 8192},
	{"the largest", 65536, 65536},
};

static void
gives(void **state)
{
	const struct row *row = *state;
	size_t size = row->wanted, again = row->wanted;
	char *piece = vault_take(&size), *other;

	assert_non_null(piece);
	assert_int_equal(size, row->size);
	assert_true(is_zero(piece, size));
	memset(piece, 'x', size);
	other = vault_take(&again);
	assert_non_null(other);
	assert_true(is_zero(other, again));
	assert_true(other >= piece + size || other + again <= piece);
	vault_put(piece, size);
	vault_put(other, again);
}

static void
what_is_put_is_wiped(void **state)
{
	size_t size = 200;
	char *keeper = vault_take(&size), *piece = vault_take(&size);

	(void)state;
	memset(piece, 'x', size);
	vault_put(piece, size);
	/* a hole has a pointer in front */
	assert_true(is_zero(piece + sizeof(void *), size - sizeof(void *)));
	assert_ptr_equal(vault_take(&size), piece);
	assert_true(is_zero(piece, size));
	vault_put(piece, size);
	vault_put(keeper, size);
}

static size_t
count_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	size_t count = 0;

	assert_non_null(maps);
	for (int octet = getc(maps); octet != EOF; octet = getc(maps))
		count += octet == '\n';
	fclose(maps);
	return count;
}

static void
many_share_pages(void **state)
{
	static char *pieces[MANY];
	size_t before = count_mappings();
	size_t size = 100;

	(void)state;
	for (size_t at = 0; at < MANY; at++) {
		pieces[at] = vault_take(&size);
		assert_non_null(pieces[at]);
		memset(pieces[at], (int)at, size);
	}
	assert_true(count_mappings() < before + MANY / 10);
	for (size_t at = 0; at < MANY; at++) {
		assert_int_equal(pieces[at][0], (char)at);
		assert_int_equal(pieces[at][size - 1], (char)at);
		vault_put(pieces[at], size);
	}
	/* and are given back */
	assert_true(count_mappings() < before + MANY / 50);
}

static unsigned lines;

static void
count_lines(struct span line, enum log_level level)
{
	lines += level == LOG_WARNING &&
		 memmem(line.at, line.length, " event=memory ", 14) != NULL;
}

/* As a process that may lock nothing. Returns how many lines were logged; -1: it may,
   since root or a sanitizer does as it likes. */
static int
take_without_locks(void)
{
	const struct rlimit nothing = {0, 0};
	size_t size = 65536;
	void *first, *second;

	log_set_sink(count_lines);
	if (setrlimit(RLIMIT_MEMLOCK, &nothing) < 0 ||
	    (geteuid() == 0 && seteuid(65534) < 0))
		return -1;
	first = vault_take(&size);
	second = vault_take(&size);
	if (!first || !second)
		return 0;
	return mlock(first, size) == 0 ? -1 : (int)lines;
}

static void
a_refused_lock_is_said_once(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	assert_true(child >= 0);
	if (child == 0)
		_exit((unsigned char)take_without_locks());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == UCHAR_MAX)
		skip();
	assert_int_equal(WEXITSTATUS(status), 1);
}

static void
nothing_is_put(void **state)
{
	(void)state;
	vault_put(NULL, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_is_wiped),
		cmocka_unit_test(many_share_pages),
		cmocka_unit_test(nothing_is_put),
		cmocka_unit_test(a_refused_lock_is_said_once),
	};

	return ROWS_RUN(rows, gives) +
	       cmocka_run_group_tests_name("vault", tests, NULL, NULL);
}
