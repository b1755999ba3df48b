/*
 * rows: runs one test function once for every row of a table. A row begins with its
 * name, which cmocka prints when the row fails; the function finds its row in *state.
 */
#ifndef EVENPOST_TESTS_UNIT_ROWS_H
#define EVENPOST_TESTS_UNIT_ROWS_H

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* The rows of an array whose elements begin with const char *name. */
#define ROWS_RUN(rows, function)                                                       \
	rows_run(#rows, (const char *)(rows), sizeof((rows)[0]),                       \
		 sizeof(rows) / sizeof((rows)[0]), function)

/* Returns how many rows failed. */
static inline int
rows_run(const char *group, const char *rows, size_t size, size_t count,
	 CMUnitTestFunction function)
{
	struct CMUnitTest *tests = calloc(count, sizeof(*tests));
	int failed;

	assert(tests);
	for (size_t i = 0; i < count; i++) {
		const char *row = rows + i * size;

		tests[i].name = *(const char *const *)(const void *)row;
		tests[i].test_func = function;
		tests[i].initial_state = (void *)(uintptr_t)row;
	}
	failed = _cmocka_run_group_tests(group, tests, count, NULL, NULL);
	free(tests);
	return failed;
}

#endif
