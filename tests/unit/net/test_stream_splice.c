/* Streams and pipes: who is full and who is empty, and that no report of it is lost. */
#include "net/pipe.h"
#include "net/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

static struct loop loop;
static struct pipe_pool pool;
static struct pipe *pipe_held;
static struct stream from; /* what comes in */
static struct stream to;   /* where it goes */
static int client;         /* the other end of from */
static int server;         /* the other end of to */
static int calls;

static void
ready(struct stream *told)
{
	(void)told;
	calls++;
}

/* Both ends of a TCP connection: splicing differs between kinds of sockets. */
static void
pair_make(struct stream *stream, int *peer)
{
	const int on = 1;
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listening = socket(AF_INET, SOCK_STREAM, 0);
	int fd;

	assert_int_equal(bind(listening, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &length),
			 0);
	*peer = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(*peer, (struct sockaddr *)&address, length), 0);
	setsockopt(*peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(fd >= 0);
	close(listening);
	assert_int_equal(stream_adopt(stream, &loop, fd, ready), STATUS_OK);
}

static int
setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (loop_open(&loop))
		return -1;
	pipe_pool_init(&pool, 0);
	pipe_held = pipe_take(&pool);
	pair_make(&from, &client);
	pair_make(&to, &server);
	return pipe_held ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	stream_close(&from);
	stream_close(&to);
	if (client >= 0)
		close(client);
	if (server >= 0)
		close(server);
	pipe_put(&pool, pipe_held);
	pipe_pool_fini(&pool);
	loop_close(&loop);
	return 0;
}

static void
client_says(const char *text)
{
	assert_int_equal(write(client, text, strlen(text)), strlen(text));
}

static void
await_bytes(void)
{
	while (!stream_is_readable(&from))
		loop_round(&loop, 1000000);
}

static enum status
splice_in(void)
{
	size_t before = pipe_held->held;
	size_t count = 0;
	enum status status = stream_splice_in(&from, pipe_held, &count);

	assert_int_equal(pipe_held->held, before + count);
	return status;
}

static enum status
splice_out(void)
{
	size_t before = pipe_held->held;
	size_t count = 0;
	enum status status = stream_splice_out(&to, pipe_held, &count);

	assert_int_equal(pipe_held->held, before - count);
	return status;
}

static void
assert_server_reads(const char *text)
{
	char room[64];

	assert_int_equal(recv(server, room, strlen(text), MSG_WAITALL), strlen(text));
	assert_memory_equal(room, text, strlen(text));
}

static void
bytes_pass_through(void **state)
{
	(void)state;
	assert_int_equal(splice_in(), STATUS_AGAIN);
	client_says("DATA\r\n");
	await_bytes();
	assert_int_equal(splice_in(), STATUS_OK);
	assert_int_equal(pipe_held->held, 6);
	assert_int_equal(splice_out(), STATUS_OK);
	assert_int_equal(pipe_held->held, 0);
	assert_server_reads("DATA\r\n");
}

static void
an_empty_socket_is_told_by_an_empty_pipe(void **state)
{
	(void)state;
	client_says("x");
	await_bytes();
	assert_int_equal(splice_in(), STATUS_OK);
	/* it might be the pipe */
	assert_int_equal(splice_in(), STATUS_FULL);
	assert_true(stream_is_readable(&from));
	assert_int_equal(splice_out(), STATUS_OK);
	assert_int_equal(splice_in(), STATUS_AGAIN);
	assert_false(stream_is_readable(&from));
}

static void
an_emptied_socket_is_reported_again(void **state)
{
	(void)state;
	client_says("x");
	await_bytes();
	assert_int_equal(splice_in(), STATUS_OK);
	assert_int_equal(splice_out(), STATUS_OK);
	assert_int_equal(splice_in(), STATUS_AGAIN);
	loop_round(&loop, 0);
	calls = 0;
	client_says("y");
	await_bytes();
	assert_true(calls > 0);
	assert_int_equal(splice_in(), STATUS_OK);
}

/* Pieces of one byte take a place of the pipe each. */
static void
many_small_pieces(int count)
{
	for (int i = 0; i < count; i++)
		client_says("x");
	/* all have come in before the first is taken */
	for (int waiting = 0; waiting < count;)
		assert_int_equal(ioctl(from.source.fd, FIONREAD, &waiting), 0);
}

static void
small_pieces_are_not_lost_to_a_full_pipe(void **state)
{
	const int count = 500;
	int left = count;

	(void)state;
	many_small_pieces(count);
	await_bytes();
	while (left > 0) {
		assert_int_equal(splice_in(), STATUS_OK);
		left -= (int)pipe_held->held;
		assert_int_equal(splice_in(), STATUS_FULL);
		assert_int_equal(splice_out(), STATUS_OK);
		assert_int_equal(pipe_held->held, 0);
	}
	assert_int_equal(left, 0);
	assert_int_equal(splice_in(), STATUS_AGAIN);
}

/* Writes what both kernels' buffers take. */
static size_t
client_fills(void)
{
	static char block[65536];
	size_t total = 0;
	ssize_t sent;

	do {
		sent = send(client, block, sizeof(block), MSG_DONTWAIT);
		total += sent > 0 ? (size_t)sent : 0;
		while (splice_in() == STATUS_OK)
			;
		while (pipe_held->held && splice_out() == STATUS_OK)
			;
		loop_round(&loop, 0);
	} while (sent > 0 || stream_is_writable(&to));
	return total;
}

static size_t
server_drains(void)
{
	static char room[65536];
	ssize_t got = recv(server, room, sizeof(room), MSG_DONTWAIT);

	return got > 0 ? (size_t)got : 0;
}

static void
a_full_receiver_is_told_when_it_drains(void **state)
{
	size_t total;
	size_t drained = 0;

	(void)state;
	total = client_fills();
	assert_true(pipe_held->held > 0);
	assert_int_equal(splice_out(), STATUS_AGAIN);
	/* full: a further call asks the kernel nothing and waits for a report */
	assert_false(stream_is_writable(&to));
	assert_int_equal(splice_out(), STATUS_AGAIN);
	while (drained < total) {
		drained += server_drains();
		loop_round(&loop, 0);
		if (pipe_held->held && splice_out() == STATUS_LOST)
			fail();
		if (splice_in() == STATUS_LOST)
			fail();
	}
	assert_int_equal(drained, total);
	assert_int_equal(pipe_held->held, 0);
}

static void
a_pipe_full_of_bytes_costs_no_call(void **state)
{
	(void)state;
	client_says("x");
	await_bytes();
	pipe_held->held = pipe_held->capacity;
	assert_int_equal(splice_in(), STATUS_FULL);
	assert_true(stream_is_readable(&from));
	pipe_held->held = 0;
	assert_int_equal(splice_in(), STATUS_OK);
}

static void
the_end_comes_behind_the_bytes(void **state)
{
	(void)state;
	client_says("QUIT\r\n");
	assert_int_equal(shutdown(client, SHUT_WR), 0);
	while (!stream_is_hung_up(&from))
		loop_round(&loop, 1000000);
	assert_int_equal(splice_in(), STATUS_OK);
	assert_int_equal(pipe_held->held, 6);
	assert_int_equal(splice_out(), STATUS_OK);
	assert_int_equal(splice_in(), STATUS_END);
	assert_false(stream_is_readable(&from));
	assert_int_equal(splice_in(), STATUS_END);
	assert_server_reads("QUIT\r\n");
}

static void
a_peer_that_ended_still_receives(void **state)
{
	(void)state;
	assert_int_equal(shutdown(server, SHUT_WR), 0);
	client_says("QUIT\r\n");
	await_bytes();
	assert_int_equal(splice_in(), STATUS_OK);
	assert_int_equal(splice_out(), STATUS_OK);
	assert_server_reads("QUIT\r\n");
}

static void
reset(int *fd)
{
	const struct linger linger = {.l_onoff = 1};

	setsockopt(*fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(*fd);
	*fd = -1;
}

static void
a_reset_sender_is_lost(void **state)
{
	(void)state;
	reset(&client);
	while (!stream_is_hung_up(&from))
		loop_round(&loop, 1000000);
	assert_int_equal(splice_in(), STATUS_LOST);
}

static void
a_reset_receiver_is_lost_and_the_pipe_keeps_its_bytes(void **state)
{
	(void)state;
	client_says("x");
	await_bytes();
	assert_int_equal(splice_in(), STATUS_OK);
	reset(&server);
	while (!stream_is_hung_up(&to))
		loop_round(&loop, 1000000);
	assert_int_equal(splice_out(), STATUS_LOST);
	assert_int_equal(pipe_held->held, 1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(bytes_pass_through),
		TEST(an_empty_socket_is_told_by_an_empty_pipe),
		TEST(an_emptied_socket_is_reported_again),
		TEST(small_pieces_are_not_lost_to_a_full_pipe),
		TEST(a_full_receiver_is_told_when_it_drains),
		TEST(a_pipe_full_of_bytes_costs_no_call),
		TEST(the_end_comes_behind_the_bytes),
		TEST(a_peer_that_ended_still_receives),
		TEST(a_reset_sender_is_lost),
		TEST(a_reset_receiver_is_lost_and_the_pipe_keeps_its_bytes),
	};

	return cmocka_run_group_tests_name("stream splice", tests, NULL, NULL);
}
