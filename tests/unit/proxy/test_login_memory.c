/* A login that memory runs out for: neither the server nor the client has done wrong.
 */
#include "balance/server_fault.h"
#include "proxy/login_internal.h"
#include "proxy/smarthost.h"
#include "proxy/upstream_internal.h"
#include "rows.h"
#include "world.h"

#include <unistd.h>

static bool memory_is_out;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *
__wrap_malloc(size_t size)
{
	return memory_is_out ? NULL : __real_malloc(size);
}

/* A client that has logged in, or is about to, and a connection to the server. */
static struct {
	struct world world;
	struct session session;
	struct upstream_holder holder;
	struct upstream *upstream;
	unsigned losses;
} scene;

static void
note_loss(struct upstream_holder *holder, enum server_failure failure, const char *why,
	  const struct smtp_reply *reply)
{
	assert_ptr_equal(holder, &scene.holder);
	assert_int_equal(failure, SERVER_FAILURE_LOST);
	assert_string_equal(why, "out of memory");
	assert_null(reply);
	scene.losses++;
}

static void
connect_for(struct upstream_holder *holder)
{
	struct server *server = world_server(&scene.world, 0);
	const char *why;

	assert_true(server_connection_take(server));
	scene.upstream =
		upstream_open(holder, &scene.world.snapshot->pools[0], server, &why);
	assert_non_null(scene.upstream);
	scene.upstream->extensions.auth = SASL_LOGIN;
	scene.upstream->state = UPSTREAM_HELLO;
}

static int
open_scene(void **state)
{
	static const struct upstream_calls calls = {.lost = note_loss};
	struct session *session = &scene.session;

	(void)state;
	world_open(&scene.world, &(struct world_plan){.backends = 1, .mails = 1});
	*session = (struct session){.worker = &scene.world.workers[0],
				    .snapshot = scene.world.snapshot,
				    .listener = scene.world.snapshot->listeners,
				    .tally = scene.world.tallies,
				    .gone = true};
	list_init(&session->upstreams);
	session->login = login_new(session);
	assert_non_null(session->login);
	session->login->mechanism = SASL_LOGIN;
	assert_int_equal(sasl_credentials_make(&session->login->credentials, SASL_LOGIN,
					       SPAN("ann"), SPAN("secret")),
			 STATUS_OK);
	scene.holder = (struct upstream_holder){&calls, session};
	scene.losses = 0;
	return 0;
}

static int
close_scene(void **state)
{
	(void)state;
	assert_int_equal(scene.upstream->state, UPSTREAM_CLOSED);
	world_round(&scene.world);
	login_free(scene.session.login);
	world_close(&scene.world);
	return 0;
}

static void
assert_server_is_well(void)
{
	const struct server *server = world_server(&scene.world, 0);
	char fault[SERVER_FAULT_MAX];

	for (int i = 0; i < SERVER_FAILURE_COUNT; i++)
		assert_int_equal(server->counters.failures[i], 0);
	assert_false(server_fault(server, fault));
}

/* The server's 334 finds no memory for what is to be said to it. */
static void
ask_without_memory(const struct upstream_calls *calls, struct upstream_holder *holder)
{
	const struct smtp_reply asks = SMTP_REPLY("334 UGFzc3dvcmQ6");

	buffer_clear(&scene.upstream->output); /* as if it were sent */
	memory_is_out = true;
	if (calls)
		calls->replied(holder, SMTP_STEP_AUTH, &asks);
	else
		upstream_take_auth(scene.upstream, &asks);
	memory_is_out = false;
}

static void
said_again(void **state)
{
	uint32_t places[LOGIN_REFUSERS_MAX];

	(void)state;
	scene.session.login->state = LOGIN_DONE;
	connect_for(&scene.holder);
	upstream_log_in(scene.upstream);
	assert_int_equal(scene.upstream->state, UPSTREAM_AUTH);
	ask_without_memory(NULL, NULL);
	assert_int_equal(scene.losses, 1);
	assert_int_equal(login_refusers(scene.session.login,
					scene.world.snapshot->pools[0].pool, places),
			 0);
	assert_server_is_well();
}

static void
of_the_pool(void **state)
{
	char path[] = "/tmp/evenpost-login.XXXXXX";
	char fault[SMARTHOST_FAULT_MAX];
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, "secret", 6), 6);
	close(fd);
	connect_for(&scene.holder);
	assert_int_equal(
		smarthost_load(&scene.upstream->smarthost, SPAN("u"), path, fault),
		STATUS_OK);
	unlink(path);
	assert_int_equal(
		upstream_replay(
			scene.upstream,
			smarthost_credentials(scene.upstream->smarthost, SASL_LOGIN)),
		STATUS_OK);
	scene.upstream->state = UPSTREAM_AUTH;
	ask_without_memory(NULL, NULL);
	assert_int_equal(scene.losses, 1);
	assert_server_is_well();
}

static void
checked(void **state)
{
	struct login *login = scene.session.login;

	(void)state;
	login->state = LOGIN_CHECK;
	connect_for(&login->holder);
	login->upstream = scene.upstream;
	login->server = scene.upstream->server;
	scene.upstream->state = UPSTREAM_LEASED;
	login_calls.ready(&login->holder);
	ask_without_memory(&login_calls, &login->holder);
	assert_int_equal(login->walked_out, 0);
	assert_int_equal(login->state, LOGIN_NONE); /* not REFUSED, after a while */
	assert_server_is_well();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(said_again),
		TEST(of_the_pool),
		TEST(checked),
	};

	return cmocka_run_group_tests_name("login, memory out", tests, NULL, NULL);
}
