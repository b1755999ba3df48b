#include "base/chain.h"
#include "rows.h"

#define BLOCKS_OF(bytes) ((bytes) / (CHAIN_BLOCK_SIZE - 40) + 1)

struct fixture {
	struct chain_pool pool;
	struct chain chain;
	char *pattern;
};

/* More than six blocks, each byte telling its offset. */
#define PATTERN_LENGTH 100000

static char
pattern_at(uint64_t offset)
{
	return (char)(offset * 31 % 251);
}

static int
setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	if (!fixture)
		return -1;
	chain_pool_init(&fixture->pool, 2);
	chain_init(&fixture->chain, &fixture->pool);
	fixture->pattern = malloc(PATTERN_LENGTH);
	if (!fixture->pattern)
		return -1;
	for (size_t i = 0; i < PATTERN_LENGTH; i++)
		fixture->pattern[i] = pattern_at(i);
	*state = fixture;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *fixture = *state;

	chain_clear(&fixture->chain);
	chain_pool_fini(&fixture->pool);
	free(fixture->pattern);
	free(fixture);
	return 0;
}

/* Appends the next bytes of the pattern. */
static void
append(struct fixture *fixture, size_t count)
{
	struct chain *chain = &fixture->chain;

	assert_int_equal(
		chain_append(chain, span_of(fixture->pattern + chain->end, count)),
		STATUS_OK);
}

/* How many bytes were gathered; each is checked against the pattern. */
static uint64_t
gathered(const struct chain *chain, uint64_t offset, uint64_t limit, int max)
{
	struct iovec vectors[16];
	uint64_t total = 0;

	int count = chain_gather(chain, offset, limit, vectors, max);

	for (int i = 0; i < count; i++) {
		const char *bytes = vectors[i].iov_base;

		for (size_t at = 0; at < vectors[i].iov_len; at++, total++)
			assert_int_equal(bytes[at], pattern_at(offset + total));
	}
	return total;
}

static void
bytes_are_read_where_they_were_put(void **state)
{
	struct fixture *fixture = *state;

	for (size_t step = 1; step < 6000; step += 997)
		append(fixture, step);
	append(fixture, 40000);
	for (uint64_t at = 0; at < chain_end(&fixture->chain); at += 1013)
		assert_int_equal(gathered(&fixture->chain, at, UINT64_MAX, 16),
				 chain_end(&fixture->chain) - at);
}

static void
gather_keeps_to_its_limits(void **state)
{
	struct fixture *fixture = *state;

	append(fixture, 50000);
	assert_int_equal(gathered(&fixture->chain, 100, 0, 16), 0);
	assert_int_equal(gathered(&fixture->chain, 100, 1, 16), 1);
	assert_int_equal(gathered(&fixture->chain, 0, 49999, 16), 49999);
	assert_int_equal(gathered(&fixture->chain, 50000, 10, 16), 0);
	assert_int_equal(gathered(&fixture->chain, 0, UINT64_MAX, 0), 0);
	assert_int_equal(gathered(&fixture->chain, 0, UINT64_MAX, 1),
			 CHAIN_BLOCK_SIZE - 40);
}

static void
discard_lets_go_of_whole_blocks(void **state)
{
	struct fixture *fixture = *state;

	append(fixture, 60000);
	assert_int_equal(fixture->pool.used, BLOCKS_OF(60000));
	chain_discard(&fixture->chain, 10);
	assert_int_equal(fixture->pool.used, BLOCKS_OF(60000));
	assert_int_equal(chain_start(&fixture->chain), 10);
	chain_discard(&fixture->chain, 40000);
	assert_int_equal(fixture->pool.used, 2);
	assert_int_equal(gathered(&fixture->chain, 40000, UINT64_MAX, 16), 20000);
}

static void
discard_of_all_holds_nothing(void **state)
{
	struct fixture *fixture = *state;

	append(fixture, 60000);
	chain_discard(&fixture->chain, 60000);
	assert_int_equal(fixture->pool.used, 0);
	append(fixture, 1000);
	assert_int_equal(gathered(&fixture->chain, 60000, UINT64_MAX, 16), 1000);
	chain_discard(&fixture->chain, 60500);
	assert_int_equal(gathered(&fixture->chain, 60500, UINT64_MAX, 16), 500);
}

/* The next bytes of the pattern, in a lump. */
static void
append_lump(struct fixture *fixture)
{
	char *lump = chain_lump_take(&fixture->pool);

	assert_non_null(lump);
	for (size_t i = 0; i < CHAIN_LUMP_SIZE; i++)
		lump[i] = pattern_at(fixture->chain.end + i);
	chain_append_lump(&fixture->chain, lump);
}

static void
lumps_stand_between_blocks(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t end = 100 + 2 * CHAIN_LUMP_SIZE + 50;

	append(fixture, 100);
	append_lump(fixture);
	append_lump(fixture);
	for (uint64_t at = 0; at < 50; at++) {
		char byte = pattern_at(chain_end(&fixture->chain));

		assert_int_equal(chain_append(&fixture->chain, span_of(&byte, 1)),
				 STATUS_OK);
	}
	assert_int_equal(chain_end(&fixture->chain), end);
	assert_int_equal(fixture->pool.used, 4);
	assert_int_equal(gathered(&fixture->chain, 0, UINT64_MAX, 16), end);
	assert_int_equal(gathered(&fixture->chain, 99, 2, 16), 2);
	assert_int_equal(gathered(&fixture->chain, 100 + CHAIN_LUMP_SIZE, 1, 16), 1);
	chain_discard(&fixture->chain, 100);
	assert_int_equal(fixture->pool.used, 3);
	chain_discard(&fixture->chain, 100 + 2 * CHAIN_LUMP_SIZE + 1);
	assert_int_equal(fixture->pool.used, 1);
	assert_int_equal(fixture->pool.lumps.count, 0);
	assert_int_equal(gathered(&fixture->chain, end - 49, UINT64_MAX, 16), 49);
}

static void
pool_keeps_few_spare_blocks(void **state)
{
	struct fixture *fixture = *state;

	append(fixture, 90000);
	chain_clear(&fixture->chain);
	assert_int_equal(fixture->pool.blocks.count, 2);
	assert_int_equal(chain_end(&fixture->chain), 0);
	append(fixture, 10);
	assert_int_equal(fixture->pool.blocks.count, 1);
}

static void
append_of_nothing(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(chain_append(&fixture->chain, SPAN("")), STATUS_OK);
	assert_int_equal(fixture->pool.used, 0);
	assert_int_equal(gathered(&fixture->chain, 0, UINT64_MAX, 16), 0);
	chain_discard(&fixture->chain, 0);
}

#define CHAIN_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CHAIN_TEST(bytes_are_read_where_they_were_put),
		CHAIN_TEST(gather_keeps_to_its_limits),
		CHAIN_TEST(discard_lets_go_of_whole_blocks),
		CHAIN_TEST(discard_of_all_holds_nothing),
		CHAIN_TEST(lumps_stand_between_blocks),
		CHAIN_TEST(pool_keeps_few_spare_blocks),
		CHAIN_TEST(append_of_nothing),
	};

	return cmocka_run_group_tests_name("chain", tests, NULL, NULL);
}
