/* What is held in a secret, and that nothing of it is left in sight. */
#include "smtp/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void
test_it_grows(void **state)
{
	struct secret secret = {0};
	char text[5000];

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(secret_append(&secret, SPAN("first")), STATUS_OK);
	assert_int_equal(secret_append(&secret, span_of(text, sizeof(text))),
			 STATUS_OK);
	assert_int_equal(secret.length, 5005);
	assert_true(span_starts(secret_span(&secret), SPAN("firstxx")));
	secret_clear(&secret);
	assert_true(span_is_empty(secret_span(&secret)));
}

static void
test_it_has_a_limit(void **state)
{
	struct secret secret = {0};
	char *text = calloc(1, SECRET_MAX);

	(void)state;
	assert_int_equal(secret_append(&secret, span_of(text, SECRET_MAX)), STATUS_OK);
	assert_int_equal(secret_append(&secret, SPAN("x")), STATUS_FULL);
	assert_int_equal(secret_append(&secret, SPAN("")), STATUS_OK);
	assert_int_equal(secret.length, SECRET_MAX);
	secret_clear(&secret);
	free(text);
}

static void
test_nothing_takes_no_memory(void **state)
{
	struct secret secret = {0};

	(void)state;
	secret_clear(&secret);
	assert_null(secret.bytes);
}

static void
test_it_may_be_used_again(void **state)
{
	struct secret secret = {0};
	char *room;

	(void)state;
	assert_int_equal(secret_append(&secret, SPAN("word")), STATUS_OK);
	secret_clear(&secret);
	assert_int_equal(secret_reserve(&secret, 4, &room), STATUS_OK);
	assert_memory_equal(room, "\0\0\0\0", 4);
	secret_clear(&secret);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_grows),
		cmocka_unit_test(test_it_has_a_limit),
		cmocka_unit_test(test_nothing_takes_no_memory),
		cmocka_unit_test(test_it_may_be_used_again),
	};

	return cmocka_run_group_tests_name("smtp secret", tests, NULL, NULL);
}
