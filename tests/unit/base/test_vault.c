/* What the vault gives, that it is clean and stays in memory, and how many mappings it
   takes. */
#include "base/vault.h"

#include "base/log.h"
#include "rows.h"

#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
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
#define THREADS 4

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

static char *pieces[MANY];

static size_t
take_many(void)
{
	size_t size = 100;

	for (size_t at = 0; at < MANY; at++) {
		pieces[at] = vault_take(&size);
		assert_non_null(pieces[at]);
		memset(pieces[at], (int)at, size);
	}
	return size;
}

/* Neighbours that are alike are one mapping to the kernel, until one of them goes: what
   shares no pages is seen by the gaps. */
static void
many_share_pages(void **state)
{
	size_t before = count_mappings();
	size_t size = take_many();

	(void)state;
	for (size_t at = 0; at < MANY; at += 2)
		vault_put(pieces[at], size);
	assert_true(count_mappings() < before + MANY / 50);
	for (size_t at = 1; at < MANY; at += 2) {
		assert_int_equal(pieces[at][0], (char)at);
		assert_int_equal(pieces[at][size - 1], (char)at);
		vault_put(pieces[at], size);
	}
}

static char *
page_of(char *at)
{
	return at - (uintptr_t)at % (uintptr_t)sysconf(_SC_PAGESIZE);
}

static bool
is_mapped(char *at)
{
	unsigned char resident;

	return mincore(page_of(at), 1, &resident) == 0;
}

static void
empty_pages_are_given_back(void **state)
{
	size_t size = take_many();
	size_t kept = 0;

	(void)state;
	for (size_t at = 0; at < MANY; at++)
		vault_put(pieces[at], size);
	for (size_t at = 0; at < MANY; at++)
		kept += is_mapped(pieces[at]);
	/* but for one chunk, so that the next login asks the system for nothing */
	assert_in_range(kept, 1, 65536 / size);
}

/* Each gives back a part of what the first thread has taken, as workers do with a
   smart host's password, and takes some of its own meanwhile. */
static void *
take_part(void *argument)
{
	size_t part = *(const size_t *)argument;
	size_t wrong = 0;

	for (size_t at = part; at < MANY; at += THREADS) {
		size_t size = 100;
		char *piece = vault_take(&size);

		wrong += !piece || !is_zero(piece, size) || pieces[at][0] != (char)at;
		vault_put(pieces[at], size);
		if (piece)
			memset(piece, 'x', size);
		pieces[at] = piece;
	}
	for (size_t at = part; at < MANY; at += THREADS)
		vault_put(pieces[at], 256);
	return wrong ? pieces : NULL;
}

static void
any_thread_gives_back(void **state)
{
	static size_t parts[THREADS] = {0, 1, 2, 3};
	pthread_t threads[THREADS];
	void *wrong;

	(void)state;
	take_many();
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, take_part, &parts[i]), 0);
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
}

/* Whether the kernel has the flag (proc(5), VmFlags) for the page. */
static bool
has_flag(char *at, const char *flag)
{
	FILE *maps = fopen("/proc/self/smaps", "re");
	uintptr_t start, end;
	bool is_it = false, has = false;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &start, &end) == 2)
			is_it = (uintptr_t)at >= start && (uintptr_t)at < end;
		else if (is_it && strncmp(line, "VmFlags:", 8) == 0)
			has = strstr(line, flag) != NULL;
	}
	fclose(maps);
	return has;
}

/* Some systems, and all sanitizers, lock nothing: not for us either. */
static bool
can_lock(void)
{
	const size_t size = 65536; /* as much as the vault at once */
	char *page = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool locked;

	assert_ptr_not_equal(page, MAP_FAILED);
	locked = mlock(page, size) == 0 && has_flag(page, " lo");
	munmap(page, size);
	return locked;
}

static void
stays_where_it_is(void **state)
{
	const struct row *row = *state;
	size_t size = row->wanted;
	char *piece = vault_take(&size);

	assert_non_null(piece);
	assert_true(has_flag(piece, " dd"));
	assert_true(has_flag(piece, " lo") || !can_lock());
	assert_true(has_flag(piece + size - 1, " dd"));
	vault_put(piece, size);
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
		cmocka_unit_test(empty_pages_are_given_back),
		cmocka_unit_test(any_thread_gives_back),
		cmocka_unit_test(nothing_is_put),
		cmocka_unit_test(a_refused_lock_is_said_once),
	};

	return ROWS_RUN(rows, gives) + ROWS_RUN(rows, stays_where_it_is) +
	       cmocka_run_group_tests_name("vault", tests, NULL, NULL);
}
