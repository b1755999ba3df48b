#include "base/seqlock.h"
#include "rows.h"

#include <string.h>

static const struct row {
	const char *name;
	const char *value;
	size_t size;
} rows[] = {
	{"one byte", "a", 1},
	{"less than a word", "abcdefg", 7},
	{"a word", "abcdefgh", 8},
	{"a word and a byte", "abcdefghi", 9},
	{"several words", "abcdefghijklmnopqrstuvwxyz", 26},
	{"zeroes in it", "a\0b\0\0c\0\0\0d", 10},
};

/* What was written is read, and no byte behind it is touched. */
static void
test_value(void **state)
{
	const struct row *row = *state;
	struct seqlock lock = {0};
	_Atomic uint64_t words[SEQLOCK_WORDS(32)] = {0};
	char found[33];

	memset(found, '#', sizeof(found));
	assert_true(seqlock_begin(&lock, seqlock_version(&lock)));
	seqlock_store(words, row->value, row->size);
	seqlock_end(&lock);
	seqlock_load(&lock, words, found, row->size);
	assert_memory_equal(found, row->value, row->size);
	assert_int_equal(found[row->size], '#');
}

static void
test_one_writer(void **state)
{
	struct seqlock lock = {0};

	(void)state;
	assert_true(seqlock_begin(&lock, seqlock_version(&lock)));
	assert_false(seqlock_begin(&lock, seqlock_version(&lock)));
	seqlock_end(&lock);
	assert_true(seqlock_begin(&lock, seqlock_version(&lock)));
	seqlock_end(&lock);
}

static void
test_no_read_during_a_write(void **state)
{
	struct seqlock lock = {0};
	_Atomic uint64_t words[1] = {0};
	uint64_t found;
	uint32_t version;

	(void)state;
	assert_true(seqlock_begin(&lock, seqlock_version(&lock)));
	assert_false(seqlock_try_load(&lock, words, &found, sizeof(found), &version));
	seqlock_end(&lock);
	assert_true(seqlock_try_load(&lock, words, &found, sizeof(found), &version));
}

static void
test_no_write_from_an_old_version(void **state)
{
	struct seqlock lock = {0};
	uint32_t version = seqlock_version(&lock);

	(void)state;
	assert_true(seqlock_begin(&lock, version));
	seqlock_end(&lock);
	assert_false(seqlock_begin(&lock, version));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_writer),
		cmocka_unit_test(test_no_read_during_a_write),
		cmocka_unit_test(test_no_write_from_an_old_version),
	};

	return ROWS_RUN(rows, test_value) + cmocka_run_group_tests(tests, NULL, NULL);
}
