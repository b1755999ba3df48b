/*
 * Places at servers: the cap on their connections, who stands in line for one, and warm
 * connections that go from one transaction, client or worker to another.
 */
#include "rows.h"
#include "world.h"

#include <stdio.h>

static const struct manner quick = {.pipelined = true, .chunks = 100000};
static const struct manner withdrawing = {.pipelined = true, .withdraws = true};

static struct sender *
send_quickly(struct world *world, unsigned worker, uint32_t first, uint32_t step)
{
	struct sender *sender =
		world_send(world, worker, first, step, (struct chance){first + 1});

	sender->steady = true;
	sender->always = &quick;
	return sender;
}

static void
fix_mails(struct world *world)
{
	for (uint32_t i = 0; i < world->mail_count; i++)
		mail_fix(&world->mails[i], 1, 200, i % 2);
}

static void
check_all_accepted(const struct world *world)
{
	assert_null(world_fault(world));
	for (uint32_t i = 0; i < world->mail_count; i++) {
		assert_null(mail_fault(&world->mails[i]));
		assert_int_equal(world->mails[i].copy_count, 1);
	}
}

/* ---- the cap ---- */

static const struct row {
	const char *name;
	unsigned workers;
	unsigned backends;
	unsigned cap;
	unsigned max_idle;
	const char *identity; /* NULL: none */
} rows[] = {
	{"one connection", 1, 1, 1, 16},
	{"two connections", 1, 1, 2, 16},
	{"three connections", 1, 1, 3, 16},
	{"one, none kept warm", 1, 1, 1, 0},
	{"one each of two servers", 1, 2, 1, 16},
	{"one, two workers", 2, 1, 1, 16},
	{"two, two workers", 2, 1, 2, 16},
	{"three, two workers", 2, 1, 3, 16},
	{"one each of two servers, two workers", 2, 2, 1, 16},
	{"one, for one client each", 1, 1, 1, 16, "proxy-v1"},
	{"two, for one client each", 1, 1, 2, 16, "proxy-v1"},
	{"one, two workers, for one client each", 2, 1, 1, 16, "proxy-v1"},
	{"two, two workers, for one client each", 2, 1, 2, 16, "proxy-v1"},
};

static void
test_cap(void **state)
{
	const struct row *row = *state;
	char servers[64], pool[96];
	struct world world;

	snprintf(servers, sizeof(servers), "max-connections: %u", row->cap);
	snprintf(pool, sizeof(pool),
		 "    reuse: {max-idle: %u}\n    queue: 1m\n    identity: %s\n",
		 row->max_idle, row->identity ? row->identity : "none");
	world_open(&world, &(struct world_plan){.workers = row->workers,
						.backends = row->backends,
						.mails = 60,
						.servers = servers,
						.pool = pool});
	fix_mails(&world);
	for (unsigned i = 0; i < row->backends && row->identity; i++)
		world.backends[i].character.identity = IDENTITY_PROXY_V1;
	for (unsigned i = 0; i < WORLD_SENDERS_MAX; i++)
		send_quickly(&world, i % row->workers, i, WORLD_SENDERS_MAX);
	assert_true(world_run(&world, world_is_quiet));
	check_all_accepted(&world);
	for (unsigned i = 0; i < row->backends; i++)
		assert_in_range(world.backends[i].most_at_once, 1, row->cap);
	assert_true(world_stop(&world));
	assert_null(world_remains(&world));
	world_close(&world);
}

/* ---- the line ---- */

static unsigned
count_waiting(const struct world *world)
{
	return atomic_load(&world->snapshot->pools[0].pool->waiting);
}

static bool
is_one_waiting(const struct world *world)
{
	return count_waiting(world) == 1;
}

static bool
are_two_waiting(const struct world *world)
{
	return count_waiting(world) == 2;
}

static bool
is_held_at_end(const struct world *world)
{
	return backend_held(&world->backends[0], MOMENT_END);
}

static bool
is_held_at_reset(const struct world *world)
{
	return backend_held(&world->backends[0], MOMENT_RSET);
}

static bool
is_second_done(const struct world *world)
{
	return sender_is_done(&world->senders[1]);
}

static void
open_full_world(struct world *world, unsigned workers, enum moment held)
{
	world_open(world, &(struct world_plan){.workers = workers,
					       .backends = 1,
					       .mails = 3,
					       .servers = "max-connections: 1",
					       .pool = "    queue: 1m\n"});
	fix_mails(world);
	backend_hold(&world->backends[0], held);
}

static void
check_calm(struct world *world)
{
	for (int i = 0; i < 50; i++)
		world_round(world);
	for (int i = 0; i < 50; i++) {
		world_round(world);
		assert_true(world_is_calm(world));
	}
}

/* Who waits costs nothing, and is served when the place is free. */
static void
run_line(unsigned workers)
{
	struct world world;

	open_full_world(&world, workers, MOMENT_END);
	send_quickly(&world, 0, 0, 3);
	assert_true(world_run(&world, is_held_at_end));
	send_quickly(&world, 0, 1, 3);
	send_quickly(&world, workers - 1, 2, 3);
	assert_true(world_run(&world, are_two_waiting));
	check_calm(&world);
	backend_release(&world.backends[0]);
	assert_true(world_run(&world, world_is_quiet));
	check_all_accepted(&world);
	assert_int_equal(world.backends[0].most_at_once, 1);
	world_close(&world);
}

static void
test_line(void **state)
{
	(void)state;
	run_line(1);
}

static void
test_line_of_two_workers(void **state)
{
	(void)state;
	run_line(2);
}

/* The connection is cleaned up, so there is a place but nothing to use it with. */
static void
run_line_behind_reset(unsigned workers)
{
	struct world world;
	uint64_t picks;

	open_full_world(&world, workers, MOMENT_RSET);
	send_quickly(&world, 0, 0, 3)->always = &withdrawing;
	assert_true(world_run(&world, is_held_at_reset));
	send_quickly(&world, 0, 1, 3);
	send_quickly(&world, workers - 1, 2, 3);
	assert_true(world_run(&world, are_two_waiting));
	check_calm(&world);
	picks = atomic_load(&world_server(&world, 0)->counters.picks);
	for (int i = 0; i < 20; i++)
		world_round(&world);
	assert_int_equal(atomic_load(&world_server(&world, 0)->counters.picks), picks);
	backend_release(&world.backends[0]);
	assert_true(world_run(&world, world_is_quiet));
	assert_null(world_fault(&world));
	assert_int_equal(world.backends[0].stored, 2);
	world_close(&world);
}

static void
test_line_behind_reset(void **state)
{
	(void)state;
	run_line_behind_reset(1);
	run_line_behind_reset(2);
}

static void
test_waited_too_long(void **state)
{
	static const enum moment held[] = {MOMENT_END, MOMENT_RSET};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct world world;

		open_full_world(&world, 1, held[i]);
		world.snapshot->pools[0].queue = 20;
		send_quickly(&world, 0, 0, 3)->always =
			held[i] == MOMENT_RSET ? &withdrawing : &quick;
		assert_true(world_run(&world, i ? is_held_at_reset : is_held_at_end));
		send_quickly(&world, 0, 1, 3);
		assert_true(world_run(&world, is_second_done));
		assert_string_equal(world.mails[1].refusal,
				    "451 4.3.2 All servers are busy, try again");
		assert_int_equal(count_waiting(&world), 0);
		backend_release(&world.backends[0]);
		assert_true(world_run(&world, world_is_quiet));
		world_close(&world);
	}
}

/* A server that has been tried has room, the other one has not. */
static void
test_waits_for_the_other(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, &(struct world_plan){.backends = 2,
						.mails = 2,
						.servers = "max-connections: 1",
						.pool = "    queue: 1m\n"});
	fix_mails(&world);
	world.backends[1].forced[MOMENT_MAIL] = FAULT_DEFER;
	backend_hold(&world.backends[0], MOMENT_END);
	send_quickly(&world, 0, 0, 2);
	assert_true(world_run(&world, is_held_at_end));
	send_quickly(&world, 0, 1, 2);
	assert_true(world_run(&world, is_one_waiting));
	check_calm(&world);
	backend_release(&world.backends[0]);
	assert_true(world_run(&world, world_is_quiet));
	check_all_accepted(&world);
	world_close(&world);
}

/* ---- warm connections ---- */

static bool
is_first_done(const struct world *world)
{
	return sender_is_done(&world->senders[0]);
}

static void
test_warm_connection_is_used_again(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, &(struct world_plan){.backends = 1, .mails = 20});
	fix_mails(&world);
	send_quickly(&world, 0, 0, 2);
	assert_true(world_run(&world, is_first_done));
	send_quickly(&world, 0, 1, 2);
	assert_true(world_run(&world, world_is_quiet));
	check_all_accepted(&world);
	assert_int_equal(world.backends[0].visit_count, 1);
	world_close(&world);
}

static void
test_warm_connection_ends_after_max_messages(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, &(struct world_plan){.backends = 1,
						.mails = 9,
						.pool = "    reuse: {max-messages: "
							"3}\n"});
	fix_mails(&world);
	send_quickly(&world, 0, 0, 1);
	assert_true(world_run(&world, world_is_quiet));
	check_all_accepted(&world);
	assert_int_equal(world.backends[0].visit_count, 3);
	world_close(&world);
}

/* One worker's warm connection fills the server; another worker's client needs it. */
static void
test_warm_connection_is_given_up(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, &(struct world_plan){.workers = 2,
						.backends = 1,
						.mails = 2,
						.servers = "max-connections: 1",
						.pool = "    queue: 1m\n"});
	fix_mails(&world);
	send_quickly(&world, 0, 0, 2);
	assert_true(world_run(&world, world_is_quiet));
	assert_int_equal(world.workers[0].reuse.idle_count, 1);
	send_quickly(&world, 1, 1, 2);
	assert_true(world_run(&world, world_is_quiet));
	check_all_accepted(&world);
	assert_int_equal(world.backends[0].most_at_once, 1);
	world_close(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_line_of_two_workers),
		cmocka_unit_test(test_line_behind_reset),
		cmocka_unit_test(test_waited_too_long),
		cmocka_unit_test(test_waits_for_the_other),
		cmocka_unit_test(test_warm_connection_is_used_again),
		cmocka_unit_test(test_warm_connection_ends_after_max_messages),
		cmocka_unit_test(test_warm_connection_is_given_up),
	};
	int failed = ROWS_RUN(rows, test_cap);

	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
