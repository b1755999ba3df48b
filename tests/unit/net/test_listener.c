/* Listeners: binding, accepting in batches, and the day there is no descriptor. */
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

#define FAREWELL "421 4.3.2 too many connections\r\n"
#define MANY 100

static struct loop loop;
static struct listener listener;
static int accepted[MANY];
static struct endpoint accepted_peer;
static int accepted_count;
static bool close_at_first;

static void
take(struct listener *from, int fd, const struct endpoint *peer)
{
	assert_ptr_equal(from, &listener);
	assert_true(accepted_count < MANY);
	accepted[accepted_count++] = fd;
	accepted_peer = *peer;
	if (close_at_first)
		listener_close(from);
}

static void
listen_on(const struct endpoint *address)
{
	int fd;

	assert_int_equal(listener_bind(address, &fd), STATUS_OK);
	assert_int_equal(listener_open(&listener, &loop, fd, SPAN(FAREWELL), take),
			 STATUS_OK);
}

static void
listen_at(const char *text)
{
	struct endpoint address;

	assert_true(endpoint_read(span_from_string(text), &address));
	listen_on(&address);
}

static int
client_connect(void)
{
	const struct endpoint *to = &listener.address;
	int fd = socket(endpoint_family(to), SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, &to->address.any, to->length), 0);
	return fd;
}

static int
setup(void **state)
{
	(void)state;
	accepted_count = 0;
	close_at_first = false;
	listener.fd = -1;
	return loop_open(&loop);
}

static int
teardown(void **state)
{
	(void)state;
	for (int i = 0; i < accepted_count; i++)
		close(accepted[i]);
	listener_close(&listener);
	loop_close(&loop);
	return 0;
}

/* The path of a test, in a directory of its own. */
static struct endpoint
unix_endpoint(char *directory)
{
	char text[64];
	struct endpoint endpoint;

	assert_non_null(mkdtemp(directory));
	snprintf(text, sizeof(text), "unix:%s/socket", directory);
	assert_true(endpoint_read(span_from_string(text), &endpoint));
	return endpoint;
}

static const char *
endpoint_path(const struct endpoint *endpoint)
{
	return ((const struct sockaddr_un *)(const void *)&endpoint->address)->sun_path;
}

static void
directory_remove(const struct endpoint *address, const char *directory)
{
	assert_int_equal(unlink(endpoint_path(address)), 0);
	assert_int_equal(rmdir(directory), 0);
}

struct row {
	const char *name;
	const char *address;
	bool is_tcp;
};

static const struct row rows[] = {
	{"IPv4", "127.0.0.1:0", true},
	{"IPv6", "[::1]:0", true},
	{"UNIX", NULL, false},
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static void
assert_socket_is_set_up(int fd, bool is_tcp)
{
	int on = 0;
	socklen_t length = sizeof(on);

	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	if (!is_tcp)
		return;
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &length), 0);
	assert_true(on);
}

static void
listen_in_directory(char *directory)
{
	struct endpoint address = unix_endpoint(directory);

	listen_on(&address);
}

static void
accepts(void **state)
{
	const struct row *row = *state;
	char directory[] = "/tmp/evenpost-listener-XXXXXX";
	struct sockaddr_storage address;
	struct endpoint local;
	socklen_t length = sizeof(address);
	int client;

	if (row->is_tcp)
		listen_at(row->address);
	else
		listen_in_directory(directory);
	client = client_connect();
	loop_round(&loop, 1000000);
	assert_int_equal(accepted_count, 1);
	assert_socket_is_set_up(accepted[0], row->is_tcp);
	assert_int_equal(getsockname(client, (struct sockaddr *)&address, &length), 0);
	endpoint_from_sockaddr(&local, (struct sockaddr *)&address, length);
	if (row->is_tcp)
		assert_true(endpoint_equals(&accepted_peer, &local));
	else
		directory_remove(&listener.address, directory);
	close(client);
}

static void
a_second_socket_takes_the_same_port(void **state)
{
	int fd;

	(void)state;
	listen_at("127.0.0.1:0");
	assert_true(endpoint_port(&listener.address) > 0);
	assert_int_equal(listener_join(&listener.address, &fd), STATUS_OK);
	close(fd);
}

/* Another program, though of the same user. */
static void
a_port_that_another_has_is_refused(void **state)
{
	int fd;

	(void)state;
	listen_at("127.0.0.1:0");
	assert_int_equal(listener_bind(&listener.address, &fd), STATUS_SYSTEM);
	assert_int_equal(errno, EADDRINUSE);
}

static void
a_flood_is_taken_in_batches(void **state)
{
	int clients[MANY];
	int round;

	(void)state;
	listen_at("127.0.0.1:0");
	for (int i = 0; i < MANY; i++)
		clients[i] = client_connect();
	loop_round(&loop, 1000000);
	assert_int_equal(accepted_count, 64);
	for (round = 0; accepted_count < MANY && round < MANY; round++)
		loop_round(&loop, 1000000);
	assert_int_equal(accepted_count, MANY);
	for (int i = 0; i < MANY; i++)
		close(clients[i]);
}

static void
accepted_may_close_the_listener(void **state)
{
	int clients[2];

	(void)state;
	close_at_first = true;
	listen_at("127.0.0.1:0");
	clients[0] = client_connect();
	clients[1] = client_connect();
	loop_round(&loop, 1000000);
	assert_int_equal(accepted_count, 1);
	assert_int_equal(loop.timers.running, 0);
	close(clients[0]);
	close(clients[1]);
}

/* Leaves no descriptor free. */
static struct rlimit
descriptors_use_up(void)
{
	struct rlimit before;
	struct rlimit none;
	int next = dup(0);

	assert_true(next >= 0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(dup(0), -1);
	return before;
}

static void
assert_farewell(int client)
{
	char text[64];

	assert_int_equal(recv(client, text, sizeof(text), MSG_DONTWAIT),
			 strlen(FAREWELL));
	assert_memory_equal(text, FAREWELL, strlen(FAREWELL));
	assert_int_equal(recv(client, text, sizeof(text), MSG_DONTWAIT), 0);
}

static void
without_descriptors_it_says_farewell_and_pauses(void **state)
{
	struct rlimit before;
	int clients[2];
	char byte;

	(void)state;
	listen_at("127.0.0.1:0");
	clients[0] = client_connect();
	clients[1] = client_connect();
	before = descriptors_use_up();
	loop_round(&loop, 1000000);
	assert_int_equal(accepted_count, 0);
	assert_farewell(clients[0]);
	/* the second waits in the kernel's queue, and the loop does not spin for it */
	assert_int_equal(recv(clients[1], &byte, 1, MSG_DONTWAIT), -1);
	assert_true(timer_is_running(&listener.pause));
	assert_null(listener.source.loop);
	assert_true(fcntl(listener.spare, F_GETFD) >= 0);

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	while (accepted_count == 0)
		loop_round(&loop, 1000000);
	assert_false(timer_is_running(&listener.pause));
	assert_int_equal(accepted_count, 1);
	close(clients[0]);
	close(clients[1]);
}

static void
closing_ends_a_pause(void **state)
{
	struct rlimit before;
	int client;

	(void)state;
	listen_at("127.0.0.1:0");
	client = client_connect();
	before = descriptors_use_up();
	loop_round(&loop, 1000000);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	listener_close(&listener);
	assert_int_equal(loop.timers.running, 0);
	close(client);
}

static void
a_stale_path_is_replaced_a_live_one_not(void **state)
{
	char directory[] = "/tmp/evenpost-listener-XXXXXX";
	struct endpoint address = unix_endpoint(directory);
	int live;
	int second;

	(void)state;
	assert_int_equal(listener_bind(&address, &live), STATUS_OK);
	assert_int_equal(listener_bind(&address, &second), STATUS_SYSTEM);
	assert_int_equal(errno, EADDRINUSE);
	close(live);
	assert_int_equal(listener_bind(&address, &second), STATUS_OK);
	close(second);
	directory_remove(&address, directory);
}

static void
a_file_is_never_replaced(void **state)
{
	char directory[] = "/tmp/evenpost-listener-XXXXXX";
	struct endpoint address = unix_endpoint(directory);
	int fd;

	(void)state;
	fd = open(endpoint_path(&address), O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(listener_bind(&address, &fd), STATUS_SYSTEM);
	assert_int_equal(access(endpoint_path(&address), F_OK), 0);
	directory_remove(&address, directory);
}

static void
who_waits_hears_the_farewell(void **state)
{
	int clients[3];
	char heard[64];

	(void)state;
	listen_at("127.0.0.1:0");
	for (int i = 0; i < 3; i++)
		clients[i] = client_connect();
	listener_turn_away(&listener);
	listener_close(&listener);
	listener_turn_away(&listener);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(recv(clients[i], heard, sizeof(heard), MSG_WAITALL),
				 strlen(FAREWELL));
		assert_memory_equal(heard, FAREWELL, strlen(FAREWELL));
		close(clients[i]);
	}
	assert_int_equal(accepted_count, 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	struct CMUnitTest each[ROW_COUNT];
	const struct CMUnitTest tests[] = {
		TEST(a_second_socket_takes_the_same_port),
		TEST(a_port_that_another_has_is_refused),
		TEST(a_flood_is_taken_in_batches),
		TEST(accepted_may_close_the_listener),
		TEST(without_descriptors_it_says_farewell_and_pauses),
		TEST(closing_ends_a_pause),
		TEST(who_waits_hears_the_farewell),
		TEST(a_stale_path_is_replaced_a_live_one_not),
		TEST(a_file_is_never_replaced),
	};

	for (size_t i = 0; i < ROW_COUNT; i++)
		each[i] = (struct CMUnitTest){.name = rows[i].name,
					      .test_func = accepts,
					      .setup_func = setup,
					      .teardown_func = teardown,
					      .initial_state = (void *)&rows[i]};
	return cmocka_run_group_tests_name("listener", tests, NULL, NULL) +
	       cmocka_run_group_tests_name("listener accepts", each, NULL, NULL);
}
