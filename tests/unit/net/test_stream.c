/* Streams: what is read and written, what is spent on it, and how they end. */
#include "net/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

static struct loop loop;
static struct stream stream;
static int peer; /* the other end */
static int calls;

static void
ready(struct stream *told)
{
	assert_ptr_equal(told, &stream);
	calls++;
}

static int
setup(void **state)
{
	int pair[2];

	(void)state;
	calls = 0;
	if (loop_open(&loop) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) <
		    0)
		return -1;
	peer = pair[1];
	return stream_adopt(&stream, &loop, pair[0], ready);
}

static int
teardown(void **state)
{
	(void)state;
	stream_close(&stream);
	if (peer >= 0)
		close(peer);
	loop_close(&loop);
	return 0;
}

static void
peer_close(void)
{
	assert_int_equal(close(peer), 0);
	peer = -1;
}

static void
peer_says(const char *text)
{
	assert_int_equal(write(peer, text, strlen(text)), strlen(text));
}

static enum status
say(const char *text, size_t *count)
{
	const struct iovec vector = {(void *)text, strlen(text)};

	return stream_write(&stream, &vector, 1, count);
}

/* text NULL: the status is not OK. */
static void
assert_reads(size_t size, enum status expected, const char *text)
{
	char room[64];
	size_t count = 0;

	assert_true(size <= sizeof(room));
	assert_int_equal(stream_read(&stream, room, size, &count), expected);
	if (text) {
		assert_int_equal(count, strlen(text));
		assert_memory_equal(room, text, count);
	}
}

static void
a_new_stream_writes_at_once(void **state)
{
	char room[16];
	size_t count;

	(void)state;
	assert_true(stream_is_writable(&stream));
	assert_false(stream_is_readable(&stream));
	assert_int_equal(say("220 hello\r\n", &count), STATUS_OK);
	assert_int_equal(count, 11);
	assert_int_equal(read(peer, room, sizeof(room)), 11);
}

static void
a_short_read_is_the_last(void **state)
{
	(void)state;
	peer_says("abcdef");
	assert_reads(64, STATUS_AGAIN, NULL); /* the kernel has not told yet */
	loop_round(&loop, 0);
	assert_int_equal(calls, 1);
	assert_reads(4, STATUS_OK, "abcd");
	assert_true(stream_is_readable(&stream));
	assert_reads(4, STATUS_OK, "ef");
	assert_false(stream_is_readable(&stream));
	peer_says("gh");
	assert_reads(4, STATUS_AGAIN, NULL);
	loop_round(&loop, 0);
	assert_reads(4, STATUS_OK, "gh");
}

static void
a_full_read_is_followed_by_again(void **state)
{
	(void)state;
	peer_says("abcd");
	loop_round(&loop, 0);
	assert_reads(4, STATUS_OK, "abcd");
	assert_reads(4, STATUS_AGAIN, NULL);
	assert_false(stream_is_readable(&stream));
}

static void
the_end_comes_behind_the_bytes(void **state)
{
	(void)state;
	peer_says("abc");
	peer_close();
	loop_round(&loop, 0);
	assert_true(stream_is_hung_up(&stream));
	assert_reads(64, STATUS_OK, "abc");
	assert_true(stream_is_readable(&stream));
	assert_reads(64, STATUS_END, NULL);
	assert_false(stream_is_readable(&stream));
	assert_reads(64, STATUS_END, NULL);
}

static void
a_half_closed_peer_still_reads(void **state)
{
	char room[8];
	size_t count;

	(void)state;
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	loop_round(&loop, 0);
	assert_reads(64, STATUS_END, NULL);
	assert_int_equal(say("bye", &count), STATUS_OK);
	stream_shutdown(&stream);
	assert_int_equal(read(peer, room, sizeof(room)), 3);
	assert_int_equal(read(peer, room, sizeof(room)), 0);
}

static void
writing_to_nobody_is_lost_without_a_signal(void **state)
{
	size_t count;

	(void)state;
	peer_close();
	assert_int_equal(say("x", &count), STATUS_LOST);
}

/* Writes until the kernel takes no more. */
static size_t
fill(void)
{
	static char block[65536];
	const struct iovec vectors[] = {{block, 1}, {block, sizeof(block) - 1}};
	enum status status;
	size_t total = 0;
	size_t count;

	while (!(status = stream_write(&stream, vectors, 2, &count)))
		total += count;
	assert_int_equal(status, STATUS_AGAIN);
	return total;
}

static void
a_full_kernel_is_told_when_it_drains(void **state)
{
	static char room[65536];
	size_t total;
	ssize_t got;

	(void)state;
	loop_round(&loop, 0);
	total = fill();
	assert_true(total > 0);
	assert_false(stream_is_writable(&stream));
	calls = 0;
	loop_round(&loop, 0);
	assert_int_equal(calls, 0);
	while ((got = read(peer, room, sizeof(room))) > 0)
		total -= (size_t)got;
	assert_int_equal(total, 0);
	loop_round(&loop, 0);
	assert_true(stream_is_writable(&stream));
	assert_int_equal(calls, 1);
}

static void
a_closed_stream_is_not_called(void **state)
{
	(void)state;
	peer_says("x");
	stream_close(&stream);
	assert_false(stream_is_open(&stream));
	stream_close(&stream);
	stream_abort(&stream);
	loop_round(&loop, 0);
	assert_int_equal(calls, 0);
}

static void
an_idle_stream_is_closed(void **state)
{
	struct stream idle;

	(void)state;
	stream_init(&idle);
	assert_false(stream_is_open(&idle));
	stream_close(&idle);
}

/* Connecting: a listener of this test, or none. */

static struct endpoint
endpoint_of(const char *text)
{
	struct endpoint endpoint;

	assert_true(endpoint_read(span_from_string(text), &endpoint));
	return endpoint;
}

static int
listen_at(struct endpoint *at)
{
	int fd = socket(endpoint_family(at), SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t length = sizeof(at->address);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &at->address.any, at->length), 0);
	assert_int_equal(getsockname(fd, &at->address.any, &length), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

struct row {
	const char *name;
	const char *to;
	const char *source;
	bool listening;
	enum status expected;
	int error;
};

static const struct row rows[] = {
	{"IPv4", "127.0.0.1:0", NULL, true, STATUS_OK, 0},
	{"IPv6", "[::1]:0", NULL, true, STATUS_OK, 0},
	{"from a source address", "127.0.0.1:0", "127.0.0.2:0", true, STATUS_OK, 0},
	{"from an IPv6 source", "[::1]:0", "[::1]:0", true, STATUS_OK, 0},
	{"nobody listens", "127.0.0.1:0", NULL, false, STATUS_REFUSED, ECONNREFUSED},
	{"a source that is not ours", "127.0.0.1:0", "192.0.2.1:0", true, STATUS_SYSTEM,
	 EADDRNOTAVAIL},
	{"a source of another family", "127.0.0.1:0", "[::1]:0", true, STATUS_SYSTEM,
	 EAFNOSUPPORT},
	{"no such path", "unix:/nowhere/at/all", NULL, false, STATUS_SYSTEM, ENOENT},
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static enum status
connect_and_wait(const struct endpoint *to, const struct endpoint *source)
{
	enum status status;

	stream_close(&stream);
	status = stream_connect(&stream, &loop, to, source, ready);
	if (status)
		return status;
	assert_int_equal(stream_connected(&stream), STATUS_AGAIN);
	while ((status = stream_connected(&stream)) == STATUS_AGAIN)
		loop_round(&loop, 1000000);
	return status;
}

static void
assert_names(const struct endpoint *to, const struct endpoint *source)
{
	struct endpoint local;
	struct endpoint remote;

	stream_local(&stream, &local);
	stream_peer(&stream, &remote);
	assert_true(endpoint_equals(&remote, to));
	assert_true(endpoint_port(&local) > 0);
	if (source)
		assert_true(endpoint_equals_address(&local, source));
}

static void
connects(void **state)
{
	const struct row *row = *state;
	struct endpoint to = endpoint_of(row->to);
	struct endpoint source = endpoint_of(row->source ? row->source : "127.0.0.1:0");
	const struct endpoint *from = row->source ? &source : NULL;
	int listening = -1;

	if (endpoint_family(&to) != AF_UNIX)
		listening = listen_at(&to);
	if (!row->listening && listening >= 0)
		close(listening);
	errno = 0;
	assert_int_equal(connect_and_wait(&to, from), row->expected);
	if (row->expected == STATUS_OK)
		assert_names(&to, from);
	else
		assert_int_equal(errno, row->error);
	if (row->listening)
		close(listening);
}

static void
a_failed_connect_is_closed_like_any(void **state)
{
	struct endpoint to = endpoint_of("127.0.0.1:0");

	(void)state;
	close(listen_at(&to));
	assert_int_equal(connect_and_wait(&to, NULL), STATUS_REFUSED);
	stream_close(&stream);
	assert_false(stream_is_open(&stream));
}

static void
an_abort_is_a_reset(void **state)
{
	struct endpoint to = endpoint_of("127.0.0.1:0");
	int listening = listen_at(&to);
	size_t count;
	char room[8];
	int fd;

	(void)state;
	assert_int_equal(connect_and_wait(&to, NULL), STATUS_OK);
	fd = accept(listening, NULL, NULL);
	assert_int_equal(say("x", &count), STATUS_OK);
	assert_int_equal(read(fd, room, sizeof(room)), 1);
	stream_abort(&stream);
	assert_int_equal(read(fd, room, sizeof(room)), -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd);
	close(listening);
}

static void
a_reset_by_the_peer_is_lost(void **state)
{
	const struct linger reset = {.l_onoff = 1};
	struct endpoint to = endpoint_of("127.0.0.1:0");
	int listening = listen_at(&to);
	int fd;

	(void)state;
	assert_int_equal(connect_and_wait(&to, NULL), STATUS_OK);
	fd = accept(listening, NULL, NULL);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
	while (!stream_is_hung_up(&stream))
		loop_round(&loop, 1000000);
	assert_true(stream_is_readable(&stream));
	assert_reads(64, STATUS_LOST, NULL);
	close(listening);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	struct CMUnitTest each[ROW_COUNT];
	const struct CMUnitTest tests[] = {
		TEST(a_new_stream_writes_at_once),
		TEST(a_short_read_is_the_last),
		TEST(a_full_read_is_followed_by_again),
		TEST(the_end_comes_behind_the_bytes),
		TEST(a_half_closed_peer_still_reads),
		TEST(writing_to_nobody_is_lost_without_a_signal),
		TEST(a_full_kernel_is_told_when_it_drains),
		TEST(a_closed_stream_is_not_called),
		TEST(an_idle_stream_is_closed),
		TEST(a_failed_connect_is_closed_like_any),
		TEST(an_abort_is_a_reset),
		TEST(a_reset_by_the_peer_is_lost),
	};

	for (size_t i = 0; i < ROW_COUNT; i++)
		each[i] = (struct CMUnitTest){.name = rows[i].name,
					      .test_func = connects,
					      .setup_func = setup,
					      .teardown_func = teardown,
					      .initial_state = (void *)&rows[i]};
	return cmocka_run_group_tests_name("stream", tests, NULL, NULL) +
	       cmocka_run_group_tests_name("stream connects", each, NULL, NULL);
}
