#include "base/buffer.h"
#include "rows.h"

static void
append(struct buffer *buffer, const char *text)
{
	assert_int_equal(buffer_append(buffer, span_from_string(text)), STATUS_OK);
}

static void
assert_holds(const struct buffer *buffer, const char *text)
{
	assert_int_equal(buffer_length(buffer), strlen(text));
	assert_memory_equal(buffer_span(buffer).at, text, strlen(text));
}

static void
empty_holds_no_storage(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 4096);
	assert_null(buffer.storage);
	append(&buffer, "hello");
	assert_non_null(buffer.storage);
	buffer_consume(&buffer, 5);
	assert_null(buffer.storage);
	assert_true(buffer_is_empty(&buffer));
	assert_true(span_is_empty(buffer_span(&buffer)));
}

static void
zeroed_with_cap_is_valid(void **state)
{
	struct buffer buffer = {.cap = 64};

	(void)state;
	append(&buffer, "hello");
	assert_holds(&buffer, "hello");
	buffer_clear(&buffer);
}

static void
bytes_come_out_in_order(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 4096);
	append(&buffer, "one ");
	append(&buffer, "two ");
	buffer_consume(&buffer, 4);
	append(&buffer, "three");
	assert_holds(&buffer, "two three");
	buffer_clear(&buffer);
}

static void
storage_grows_in_powers_of_two(void **state)
{
	char kilobyte[1024] = {0};
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 3000);
	append(&buffer, "x");
	assert_int_equal(buffer.capacity, 512);
	assert_int_equal(buffer_append(&buffer, span_of(kilobyte, 1024)), STATUS_OK);
	assert_int_equal(buffer.capacity, 2048);
	assert_int_equal(buffer_append(&buffer, span_of(kilobyte, 1024)), STATUS_OK);
	assert_int_equal(buffer.capacity, 3000);
	buffer_clear(&buffer);
}

static void
compacts_before_it_grows(void **state)
{
	char bytes[400];
	struct buffer buffer;

	(void)state;
	memset(bytes, 'a', sizeof(bytes));
	buffer_init(&buffer, 4096);
	assert_int_equal(buffer_append(&buffer, span_of(bytes, 400)), STATUS_OK);
	buffer_consume(&buffer, 300);
	memset(bytes, 'b', sizeof(bytes));
	assert_int_equal(buffer_append(&buffer, span_of(bytes, 400)), STATUS_OK);
	assert_int_equal(buffer.capacity, 512);
	assert_int_equal(buffer_length(&buffer), 500);
	assert_int_equal(buffer_span(&buffer).at[99], 'a');
	assert_int_equal(buffer_span(&buffer).at[100], 'b');
	buffer_clear(&buffer);
}

static void
append_over_the_cap_changes_nothing(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 8);
	append(&buffer, "12345");
	assert_int_equal(buffer_append(&buffer, SPAN("6789")), STATUS_FULL);
	assert_holds(&buffer, "12345");
	append(&buffer, "678");
	assert_holds(&buffer, "12345678");
	assert_int_equal(buffer_append(&buffer, SPAN("9")), STATUS_FULL);
	assert_int_equal(buffer_append(&buffer, span_of("", SIZE_MAX)), STATUS_FULL);
	buffer_clear(&buffer);
}

static void
print_fills_up_to_the_cap(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 8);
	assert_int_equal(buffer_print(&buffer, "%s-%d", "abc", 1234), STATUS_OK);
	assert_holds(&buffer, "abc-1234");
	assert_int_equal(buffer_print(&buffer, "%d", 5), STATUS_FULL);
	assert_holds(&buffer, "abc-1234");
	assert_int_equal(buffer_print(&buffer, "%s", ""), STATUS_OK);
	buffer_clear(&buffer);
	assert_int_equal(buffer_print(&buffer, "%s", "123456789"), STATUS_FULL);
	assert_null(buffer.storage);
}

static void
reserve_and_commit(void **state)
{
	struct buffer buffer;
	char *room;

	(void)state;
	buffer_init(&buffer, 1024);
	assert_int_equal(buffer_reserve(&buffer, 600, &room), STATUS_OK);
	memcpy(room, "abc", 3);
	buffer_commit(&buffer, 3);
	assert_holds(&buffer, "abc");
	assert_int_equal(buffer_reserve(&buffer, 1022, &room), STATUS_FULL);
	assert_int_equal(buffer_reserve(&buffer, 1021, &room), STATUS_OK);
	buffer_clear(&buffer);
}

static void
commit_of_nothing_gives_storage_back(void **state)
{
	struct buffer buffer;
	char *room;

	(void)state;
	buffer_init(&buffer, 1024);
	assert_int_equal(buffer_reserve(&buffer, 100, &room), STATUS_OK);
	buffer_commit(&buffer, 0);
	assert_null(buffer.storage);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_holds_no_storage),
		cmocka_unit_test(zeroed_with_cap_is_valid),
		cmocka_unit_test(bytes_come_out_in_order),
		cmocka_unit_test(storage_grows_in_powers_of_two),
		cmocka_unit_test(compacts_before_it_grows),
		cmocka_unit_test(append_over_the_cap_changes_nothing),
		cmocka_unit_test(print_fills_up_to_the_cap),
		cmocka_unit_test(reserve_and_commit),
		cmocka_unit_test(commit_of_nothing_gives_storage_back),
	};

	return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}
