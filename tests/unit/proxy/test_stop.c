/*
 * Stops: a graceful one waits for what a server may have, and for nothing else; a cut
 * leaves nothing behind, wherever a server has got to.
 */
#include "rows.h"
#include "world.h"

static const struct row {
	const char *name;
	enum moment moment; /* at which the server is silent */
	bool octets;
	bool chunking;  /* the server's */
	bool withdraws; /* the client does not send the message */
	bool waits;     /* a graceful stop waits for the server */
} rows[] = {
	{"at the greeting", MOMENT_CONNECT, false, true, false, true},
	{"at EHLO", MOMENT_HELLO, false, true, false, true},
	{"at MAIL", MOMENT_MAIL, false, true, false, true},
	{"at RCPT", MOMENT_RCPT, true, true, false, true},
	{"at DATA", MOMENT_DATA, false, true, false, true},
	{"behind the end of data", MOMENT_END, false, true, false, true},
	{"behind the last octet", MOMENT_END, true, true, false, true},
	{"behind octets made into lines", MOMENT_END, true, false, false, true},
	{"with the message", MOMENT_STORED, false, true, false, true},
	{"at RSET", MOMENT_RSET, false, true, true, false},
};

static const struct row *current;

static bool
is_held(const struct world *world)
{
	return backend_held(&world->backends[0], current->moment);
}

static void
open_world(struct world *world, const struct row *row)
{
	static const struct manner manners[] = {
		{.pipelined = true, .chunks = 100000},
		{.pipelined = true, .withdraws = true},
	};

	current = row;
	world_open(world, &(struct world_plan){.backends = 1, .mails = 1});
	mail_fix(&world->mails[0], 1, 40000, row->octets);
	world->backends[0].character.chunking = row->chunking;
	backend_hold(&world->backends[0], row->moment);
	world_send(world, 0, 0, 1, (struct chance){1})->always =
		&manners[row->withdraws];
	assert_true(world_run(world, is_held));
}

/* As after shutdown-timeout. */
static void
test_cut(void **state)
{
	struct world world;
	struct server *server;

	open_world(&world, *state);
	server = server_ref(world_server(&world, 0));
	world_close(&world);
	assert_int_equal(atomic_load(&server->active), 0);
	assert_int_equal(atomic_load(&server->connections), 0);
	server_unref(server);
}

static bool
is_stopping(const struct world *world)
{
	return world->workers[0].stopping;
}

static void
test_graceful(void **state)
{
	const struct row *row = *state;
	struct world world;

	open_world(&world, row);
	world_ask_stop(&world);
	assert_true(world_run(&world, is_stopping));
	for (int i = 0; i < 20; i++)
		world_round(&world);
	assert_int_equal(world.workers[0].sessions.used, row->waits);
	backend_release(&world.backends[0]);
	assert_true(world_stop(&world));
	assert_null(world_fault(&world));
	assert_null(world_remains(&world));
	assert_null(mail_fault(&world.mails[0]));
	assert_int_equal(world.backends[0].stored, row->waits);
	world_close(&world);
}

int
main(void)
{
	int failed = ROWS_RUN(rows, test_cut);

	return failed + ROWS_RUN(rows, test_graceful);
}
