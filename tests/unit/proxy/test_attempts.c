/*
 * One server misbehaves once, a second one is well: what the client hears of it, and
 * who has the message in the end.
 */
#include "config/limits.h"
#include "proxy/session.h"
#include "proxy/upstream.h"
#include "rows.h"
#include "world.h"

#define NOBODY (-1)

static const struct row {
	const char *name;
	enum moment moment; /* at which the first server misbehaves */
	enum fault fault;
	bool octets;      /* by BDAT */
	const char *says; /* the final reply begins with it */
	int keeper;       /* the server that has the message */
} rows[] = {
	{"no greeting", MOMENT_CONNECT, FAULT_CLOSE, false, "250 ", 1},
	{"a refusing greeting", MOMENT_CONNECT, FAULT_REJECT, false, "250 ", 1},
	{"a greeting that is none", MOMENT_CONNECT, FAULT_GARBAGE, false, "250 ", 1},
	{"a greeting and more", MOMENT_CONNECT, FAULT_EXTRA, false, "250 ", 1},
	{"EHLO is deferred", MOMENT_HELLO, FAULT_DEFER, false, "250 ", 1},
	{"two replies to EHLO", MOMENT_HELLO, FAULT_EXTRA, true, "250 ", 1},
	{"MAIL is deferred", MOMENT_MAIL, FAULT_DEFER, false, "250 ", 1},
	{"MAIL is refused", MOMENT_MAIL, FAULT_REJECT, false, "554 5.", NOBODY},
	{"421 to MAIL", MOMENT_MAIL, FAULT_LEAVE, false, "250 ", 1},
	{"lost at RCPT", MOMENT_RCPT, FAULT_CLOSE, true, "250 ", 1},
	{"reset at RCPT", MOMENT_RCPT, FAULT_RESET, false, "250 ", 1},
	{"RCPT is refused", MOMENT_RCPT, FAULT_REJECT, false, "554 5.", NOBODY},
	{"DATA is deferred", MOMENT_DATA, FAULT_DEFER, false, "4", NOBODY},
	{"421 to DATA", MOMENT_DATA, FAULT_LEAVE, false, "250 ", 1},
	{"lost at DATA", MOMENT_DATA, FAULT_CLOSE, false, "250 ", 1},
	{"two replies to DATA", MOMENT_DATA, FAULT_EXTRA, false, "250 ", 1},
	{"lost in lines", MOMENT_CONTENT, FAULT_CLOSE, false, "250 ", 1},
	{"lost in octets", MOMENT_CONTENT, FAULT_CLOSE, true, "250 ", 1},
	{"the end is deferred", MOMENT_END, FAULT_DEFER, false, "45", NOBODY},
	{"the end is refused", MOMENT_END, FAULT_REJECT, true, "554 5.7.1", NOBODY},
	{"421 to the end", MOMENT_END, FAULT_LEAVE, false, "451 4.3.2", NOBODY},
	{"lost at the end", MOMENT_END, FAULT_CLOSE, false, "451 4.4.2", NOBODY},
	{"lost at the last octet", MOMENT_END, FAULT_RESET, true, "451 4.4.2", NOBODY},
	{"lost with the message", MOMENT_STORED, FAULT_CLOSE, false, "451 4.4.2", 0},
	{"garbage for a 250", MOMENT_STORED, FAULT_GARBAGE, true, "451 4.4.2", 0},
	{"421 behind the 250", MOMENT_IDLE, FAULT_LEAVE, false, "250 ", 0},
	{"garbage behind the 250", MOMENT_IDLE, FAULT_GARBAGE, true, "250 ", 0},
};

static const struct manner manners[] = {
	{.chunks = 5000, .splits = 50},
	{.pipelined = true, .chunks = 5000, .splits = 50}};

static void
check(const struct world *world, const struct row *row)
{
	const struct mail *mail = &world->mails[0];
	const char *said = mail->reply[0] ? mail->reply : mail->refusal;

	assert_null(world_fault(world));
	assert_null(mail_fault(mail));
	if (strncmp(said, row->says, strlen(row->says)) != 0)
		fail_msg("heard \"%s\"", said);
	for (int i = 0; i < 2; i++)
		assert_int_equal(world->backends[i].stored, i == row->keeper);
}

static void
run(const struct row *row, const struct manner *manner)
{
	struct world world;

	world_open(&world, &(struct world_plan){.backends = 2, .mails = 1});
	mail_fix(&world.mails[0], 1, 3000, row->octets);
	world.backends[0].forced[row->moment] = row->fault;
	world_send(&world, 0, 0, 1, (struct chance){1})->always = manner;
	assert_true(world_run(&world, world_is_quiet));
	check(&world, row);
	assert_true(world_stop(&world));
	assert_null(world_remains(&world));
	world_close(&world);
}

static void
test_row(void **state)
{
	run(*state, &manners[0]);
	run(*state, &manners[1]);
}

/* ---- what takes more than one fault ---- */

static void
test_all_refused_then_lost(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, &(struct world_plan){.backends = 2, .mails = 1});
	mail_fix(&world.mails[0], 3, 100, false);
	world.mails[0].unknown = 7;
	world.backends[0].forced[MOMENT_DATA] = FAULT_CLOSE;
	world_send(&world, 0, 0, 1, (struct chance){1})->always = &manners[1];
	assert_true(world_run(&world, world_is_quiet));
	assert_null(world_fault(&world));
	assert_string_equal(world.mails[0].reply, "554 5.5.1 No valid recipients");
	world_close(&world);
}

static bool
is_held_at_data(const struct world *world)
{
	return backend_held(&world->backends[0], MOMENT_DATA);
}

/* RSET would come where the server may be waiting for content. */
static void
test_client_goes_behind_data(void **state)
{
	static const struct manner rude = {.pipelined = true, .vanish_rudely = true};
	struct world world;
	struct sender *sender;

	(void)state;
	world_open(&world, &(struct world_plan){.backends = 1, .mails = 1});
	mail_fix(&world.mails[0], 1, 100, false);
	backend_hold(&world.backends[0], MOMENT_DATA);
	sender = world_send(&world, 0, 0, 1, (struct chance){1});
	sender->always = &rude;
	assert_true(world_run(&world, is_held_at_data));
	sender_vanish(sender);
	assert_true(world_run(&world, world_is_quiet));
	assert_true(list_is_empty(&world.workers[0].live_upstreams));
	world_close(&world);
}

static bool
is_held_at_end(const struct world *world)
{
	return backend_held(&world->backends[0], MOMENT_END);
}

/* The server has all of it: its answer is waited for, to log the truth. */
static void
test_client_goes_behind_end(void **state)
{
	static const struct manner rude = {.vanish_rudely = true};
	struct server_tally *tally;
	struct world world;
	struct sender *sender;

	(void)state;
	world_open(&world, &(struct world_plan){.backends = 1, .mails = 1});
	mail_fix(&world.mails[0], 1, 100, false);
	backend_hold(&world.backends[0], MOMENT_END);
	sender = world_send(&world, 0, 0, 1, (struct chance){1});
	sender->always = &rude;
	assert_true(world_run(&world, is_held_at_end));
	sender_vanish(sender);
	for (int i = 0; i < 20; i++)
		world_round(&world);
	assert_true(is_held_at_end(&world));
	backend_release(&world.backends[0]);
	assert_true(world_run(&world, world_is_quiet));
	tally = world_tally(&world, 0);
	assert_int_equal(atomic_load(&tally->messages[MESSAGE_ACCEPTED]), 1);
	assert_int_equal(atomic_load(&tally->messages[MESSAGE_ABORTED]), 0);
	world_close(&world);
}

/* ---- memory ---- */

static uint32_t most_blocks;

static bool
is_quiet_and_counted(const struct world *world)
{
	if (world->workers[0].blocks.used > most_blocks)
		most_blocks = world->workers[0].blocks.used;
	return world_is_quiet(world);
}

static const struct large_row {
	const char *name;
	bool octets;   /* by BDAT */
	bool chunking; /* the server's */
} large_rows[] = {
	{"lines", false, true},
	{"octets", true, true},
	{"octets made into lines", true, false},
};

/* A large message to a slow server takes no more memory than it may. */
static void
test_large_mail(void **state)
{
	const struct large_row *row = *state;
	const uint64_t limit = 65536 + LIMIT_TRANSACTION_WINDOW +
			       LIMIT_TRANSACTION_CODED + 2 * LIMIT_READ;
	struct world world;

	world_open(&world, &(struct world_plan){.backends = 1,
						.mails = 1,
						.pool = "    retry: {buffer: 64k}\n"});
	mail_fix(&world.mails[0], 1, 3 << 20, row->octets);
	world.backends[0].character.chunking = row->chunking;
	world.backends[0].character.gulp = 30000;
	world.backends[0].character.receive_buffer = 65536;
	most_blocks = 0;
	world_send(&world, 0, 0, 1, (struct chance){1})->always =
		&(struct manner){.chunks = 8 << 20};
	assert_true(world_run(&world, is_quiet_and_counted));
	assert_null(world_fault(&world));
	assert_null(mail_fault(&world.mails[0]));
	assert_int_equal(world.backends[0].stored, 1);
	assert_in_range((uint64_t)most_blocks * CHAIN_BLOCK_SIZE, 1, limit);
	world_close(&world);
}

/* ---- time ---- */

static struct upstream *
upstream_in_use(const struct world *world)
{
	struct list *first = list_first(&world->workers[0].live_sessions);
	struct session *session = CONTAINER_OF(first, struct session, link);

	return session->transaction ? session->transaction->leg.upstream : NULL;
}

static bool
is_client_s_turn(const struct world *world)
{
	const struct sender *sender = &world->senders[0];

	return sender->stage ==
		       (sender->mails[0].octets ? SENDER_CHUNKS : SENDER_DATA) &&
	       (sender->go_on || sender->content_sent) && sender->owed_count == 0 &&
	       buffer_is_empty(&sender->output) &&
	       smtp_client_owed(&upstream_in_use(world)->smtp) == 0;
}

static bool
is_no_time_running(const struct world *world)
{
	return !timer_is_running(&upstream_in_use(world)->timer);
}

/* While the word is the client's, its server can not be late. */
static void
test_silent_client(void **state)
{
	static const struct manner in_chunks = {.chunks = 500};

	(void)state;
	for (int octets = 0; octets < 2; octets++) {
		struct world world;
		struct sender *sender;

		world_open(&world, &(struct world_plan){.backends = 1, .mails = 1});
		mail_fix(&world.mails[0], 1, 3000, octets);
		sender = world_send(&world, 0, 0, 1, (struct chance){1});
		sender->always = &in_chunks;
		sender->stalls = true;
		assert_true(world_run(&world, is_client_s_turn));
		world_round(&world);
		assert_true(is_no_time_running(&world));
		sender->stalls = false;
		sender_start(sender);
		assert_true(world_run(&world, world_is_quiet));
		assert_int_equal(world.backends[0].stored, 1);
		world_close(&world);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_refused_then_lost),
		cmocka_unit_test(test_client_goes_behind_data),
		cmocka_unit_test(test_client_goes_behind_end),
		cmocka_unit_test(test_silent_client),
	};
	int failed = ROWS_RUN(rows, test_row) + ROWS_RUN(large_rows, test_large_mail);

	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
