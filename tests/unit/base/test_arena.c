#include "base/arena.h"
#include "rows.h"

#include <stdio.h>

static void
copies_stay_until_reset(void **state)
{
	struct arena arena = {0};
	struct span copies[300];
	char text[16];

	(void)state;
	for (int i = 0; i < 300; i++) {
		int length = snprintf(text, sizeof(text), "text %d", i);

		copies[i] = arena_copy(&arena, span_of(text, (size_t)length));
	}
	for (int i = 0; i < 300; i++) {
		int length = snprintf(text, sizeof(text), "text %d", i);

		assert_true(span_equals(copies[i], span_of(text, (size_t)length)));
	}
	arena_reset(&arena);
	assert_null(arena.chunks);
	assert_int_equal(arena.total, 0);
}

static void
takes_are_aligned_and_zeroed(void **state)
{
	static const char zeros[100000];
	static const size_t sizes[] = {1, 3, 16, 17, 1000, 1025, 20000, 100000, 5};
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *taken = arena_take(&arena, sizes[i]);

		assert_non_null(taken);
		assert_int_equal((uintptr_t)taken % _Alignof(max_align_t), 0);
		assert_memory_equal(taken, zeros, sizes[i]);
		memset(taken, 'x', sizes[i]);
	}
	arena_reset(&arena);
}

static void
empty_copy_is_no_failure(void **state)
{
	struct arena arena = {0};
	struct span copy;

	(void)state;
	copy = arena_copy(&arena, span_of(NULL, 0));
	assert_non_null(copy.at);
	assert_int_equal(copy.length, 0);
	assert_string_equal(arena_string(&arena, span_of(NULL, 0)), "");
	arena_reset(&arena);
}

static void
string_ends_in_nul(void **state)
{
	struct arena arena = {0};

	(void)state;
	assert_string_equal(arena_string(&arena, span_of("hub1:25", 4)), "hub1");
	arena_reset(&arena);
}

static void
absurd_sizes_are_refused(void **state)
{
	struct arena arena = {0};

	(void)state;
	assert_null(arena_take(&arena, SIZE_MAX));
	assert_null(arena_take(&arena, SIZE_MAX / 2 + 1));
	assert_null(arena_string(&arena, span_of("", SIZE_MAX)));
	arena_reset(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_stay_until_reset),
		cmocka_unit_test(takes_are_aligned_and_zeroed),
		cmocka_unit_test(empty_copy_is_no_failure),
		cmocka_unit_test(string_ends_in_nul),
		cmocka_unit_test(absurd_sizes_are_refused),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
