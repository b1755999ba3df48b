#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>

#include "policy/client_table.h"

#define THREADS 4
#define ROUNDS 50000

static struct client_table *
new_table(uint32_t clients)
{
	static struct client_table table;

	assert_int_equal(client_table_init(&table, clients), STATUS_OK);
	return &table;
}

static void
test_limit_holds_for_each_client(void **state)
{
	struct client_table *table = new_table(100);

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(client_table_enter(table, 0x1234567890abcdef, 3));
	assert_false(client_table_enter(table, 0x1234567890abcdef, 3));
	assert_true(client_table_enter(table, 0xfedcba0987654321, 3));
	client_table_fini(table);
}

static void
test_leaving_makes_room(void **state)
{
	struct client_table *table = new_table(1);

	(void)state;
	assert_true(client_table_enter(table, 7u << 24, 1));
	assert_false(client_table_enter(table, 7u << 24, 1));
	client_table_leave(table, 7u << 24);
	assert_true(client_table_enter(table, 7u << 24, 1));
	client_table_fini(table);
}

static void
test_who_never_entered_leaves_nothing(void **state)
{
	struct client_table *table = new_table(1);

	(void)state;
	client_table_leave(table, 42);
	assert_true(client_table_enter(table, 42, 1));
	assert_false(client_table_enter(table, 42, 1));
	client_table_fini(table);
}

/* As many clients as it was made for, all at their limit, and nobody beyond. */
static void
test_holds_all_it_was_made_for(void **state)
{
	const uint32_t clients = 5000;
	struct client_table *table = new_table(clients);
	uint32_t uncounted = 0;

	(void)state;
	for (uint64_t i = 1; i <= clients; i++)
		assert_true(client_table_enter(table, i * 0x9e3779b97f4a7c15u, 1));
	for (uint64_t i = 1; i <= clients; i++)
		uncounted += client_table_enter(table, i * 0x9e3779b97f4a7c15u, 1);
	assert_int_equal(uncounted, 0);
	client_table_fini(table);
}

static void *
come_and_go(void *argument)
{
	struct client_table *table = argument;

	for (uint64_t i = 0; i < ROUNDS; i++) {
		uint64_t hash = (i % 16 + 1) << 32;

		if (client_table_enter(table, hash, UINT32_MAX >> 9))
			client_table_leave(table, hash);
	}
	return NULL;
}

/* After everybody has gone the table is as empty as a new one. */
static void
test_threads_leave_it_empty(void **state)
{
	struct client_table *table = new_table(16);
	pthread_t threads[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, come_and_go, table);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (uint64_t i = 0; i <= table->mask; i++)
		assert_int_equal(table->words[i] & 0xffffff, 0);
	client_table_fini(table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit_holds_for_each_client),
		cmocka_unit_test(test_leaving_makes_room),
		cmocka_unit_test(test_who_never_entered_leaves_nothing),
		cmocka_unit_test(test_holds_all_it_was_made_for),
		cmocka_unit_test(test_threads_leave_it_empty),
	};

	return cmocka_run_group_tests_name("policy/client_table", tests, NULL, NULL);
}
