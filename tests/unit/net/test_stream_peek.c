/* Streams: bytes looked at before they are taken, and connections that change owners.
 */
#include "net/stream.h"

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

static void
pair_make(int pair[2])
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listening = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(listening, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &length),
			 0);
	pair[1] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(pair[1], (struct sockaddr *)&address, length), 0);
	pair[0] = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(pair[0] >= 0);
	close(listening);
}

static int
setup(void **state)
{
	int pair[2];

	(void)state;
	calls = 0;
	if (loop_open(&loop))
		return -1;
	pair_make(pair);
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

/* Until on_ready has been called so many times in all. */
static void
await_calls(int count)
{
	while (calls < count)
		loop_round(&loop, 1000000);
}

static void
peer_says(const char *text)
{
	assert_int_equal(write(peer, text, strlen(text)), strlen(text));
}

/* The first report may be of writing alone. */
static void
hear(const char *text)
{
	peer_says(text);
	while (!stream_is_readable(&stream))
		loop_round(&loop, 1000000);
	calls = 0;
}

static void
peer_ends(void)
{
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	while (!stream_is_hung_up(&stream))
		loop_round(&loop, 1000000);
}

typedef enum status
taker(struct stream *stream, void *room, size_t size, size_t *count);

/* text NULL: the status is not OK. */
static void
assert_takes(taker *take, size_t size, enum status expected, const char *text)
{
	char room[64];
	size_t count = 0;

	assert_true(size <= sizeof(room));
	assert_int_equal(take(&stream, room, size, &count), expected);
	if (text) {
		assert_int_equal(count, strlen(text));
		assert_memory_equal(room, text, count);
	}
}

static void
what_is_peeked_stays(void **state)
{
	(void)state;
	hear("PROXY x");
	assert_takes(stream_peek, 64, STATUS_OK, "PROXY x");
	assert_takes(stream_peek, 5, STATUS_OK, "PROXY");
	assert_takes(stream_read, 64, STATUS_OK, "PROXY x");
	assert_takes(stream_peek, 64, STATUS_AGAIN, NULL);
}

static void
nothing_to_peek_costs_one_call(void **state)
{
	(void)state;
	assert_takes(stream_peek, 64, STATUS_AGAIN, NULL);
	hear("x");
	assert_takes(stream_read, 1, STATUS_OK, "x");
	assert_takes(stream_peek, 64, STATUS_AGAIN, NULL);
	assert_false(stream_is_readable(&stream));
}

static void
what_is_skipped_is_gone(void **state)
{
	(void)state;
	hear("PROXY\r\nEHLO");
	assert_takes(stream_peek, 64, STATUS_OK, "PROXY\r\nEHLO");
	assert_int_equal(stream_skip(&stream, 7), STATUS_OK);
	assert_takes(stream_read, 64, STATUS_OK, "EHLO");
}

static void
nothing_skipped_is_nothing_gone(void **state)
{
	(void)state;
	hear("EHLO");
	assert_int_equal(stream_skip(&stream, 0), STATUS_OK);
	assert_takes(stream_read, 64, STATUS_OK, "EHLO");
}

static void
more_than_a_block_is_skipped(void **state)
{
	static char text[2001];
	static char room[4096];
	size_t count = 0;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	hear(text);
	peer_says("EHLO");
	while (count < 2004)
		assert_int_equal(stream_peek(&stream, room, sizeof(room), &count),
				 STATUS_OK);
	assert_int_equal(stream_skip(&stream, 2000), STATUS_OK);
	assert_takes(stream_read, 64, STATUS_OK, "EHLO");
}

static void
too_few_bytes_do_not_spin(void **state)
{
	(void)state;
	hear("PRO");
	assert_takes(stream_peek, 64, STATUS_OK, "PRO");
	assert_int_equal(stream_await_more(&stream), STATUS_OK);
	assert_takes(stream_peek, 64, STATUS_AGAIN, NULL);
	loop_round(&loop, 0);
	loop_round(&loop, 0);
	assert_int_equal(calls, 0);
}

static void
more_bytes_are_reported_behind_unread_ones(void **state)
{
	(void)state;
	hear("PRO");
	assert_takes(stream_peek, 64, STATUS_OK, "PRO");
	assert_int_equal(stream_await_more(&stream), STATUS_OK);
	peer_says("XY");
	await_calls(1);
	assert_takes(stream_peek, 64, STATUS_OK, "PROXY");
}

static void
bytes_that_come_between_peek_and_wait_are_not_lost(void **state)
{
	(void)state;
	hear("PRO");
	assert_takes(stream_peek, 64, STATUS_OK, "PRO");
	peer_says("XY");
	assert_int_equal(stream_await_more(&stream), STATUS_OK);
	await_calls(1);
	assert_takes(stream_peek, 64, STATUS_OK, "PROXY");
}

static void
the_end_ends_the_wait(void **state)
{
	(void)state;
	hear("PRO");
	assert_takes(stream_peek, 64, STATUS_OK, "PRO");
	assert_int_equal(stream_await_more(&stream), STATUS_OK);
	peer_ends();
	assert_int_equal(calls, 1);
	assert_takes(stream_peek, 64, STATUS_OK, "PRO");
	assert_int_equal(stream_await_more(&stream), STATUS_END);
	assert_takes(stream_read, 64, STATUS_OK, "PRO");
	assert_takes(stream_read, 64, STATUS_END, NULL);
}

static void
the_end_alone_is_peeked(void **state)
{
	(void)state;
	peer_ends();
	assert_takes(stream_peek, 64, STATUS_END, NULL);
	assert_takes(stream_peek, 64, STATUS_END, NULL);
	assert_takes(stream_read, 64, STATUS_END, NULL);
}

static void
a_reset_is_peeked(void **state)
{
	const struct linger reset = {.l_onoff = 1};

	(void)state;
	setsockopt(peer, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(peer);
	peer = -1;
	while (!stream_is_hung_up(&stream))
		loop_round(&loop, 1000000);
	assert_takes(stream_peek, 64, STATUS_LOST, NULL);
}

/* Handing on. */

static void
adopt_again(struct loop *other)
{
	int fd = stream_release(&stream);

	assert_false(stream_is_open(&stream));
	assert_int_equal(stream_adopt(&stream, other, fd, ready), STATUS_OK);
	calls = 0;
}

static void
waiting_bytes_are_reported_to_the_next_owner(void **state)
{
	struct loop other;

	(void)state;
	assert_int_equal(loop_open(&other), STATUS_OK);
	hear("EHLO");
	assert_takes(stream_peek, 64, STATUS_OK, "EHLO");
	assert_int_equal(stream_await_more(&stream), STATUS_OK);
	adopt_again(&other);
	loop_round(&other, 1000000);
	assert_int_equal(calls, 1);
	assert_takes(stream_read, 64, STATUS_OK, "EHLO");
	stream_close(&stream);
	loop_close(&other);
}

static void
the_end_is_reported_to_the_next_owner(void **state)
{
	(void)state;
	peer_ends();
	assert_takes(stream_read, 64, STATUS_END, NULL);
	adopt_again(&loop);
	loop_round(&loop, 1000000);
	assert_true(stream_is_hung_up(&stream));
	assert_takes(stream_read, 64, STATUS_END, NULL);
}

static void
who_has_released_is_not_called(void **state)
{
	int fd;

	(void)state;
	hear("x");
	fd = stream_release(&stream);
	peer_says("y");
	loop_round(&loop, 0);
	assert_int_equal(calls, 0);
	stream_close(&stream);
	assert_int_equal(write(fd, "z", 1), 1);
	close(fd);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_peeked_stays),
		TEST(nothing_to_peek_costs_one_call),
		TEST(what_is_skipped_is_gone),
		TEST(nothing_skipped_is_nothing_gone),
		TEST(more_than_a_block_is_skipped),
		TEST(too_few_bytes_do_not_spin),
		TEST(more_bytes_are_reported_behind_unread_ones),
		TEST(bytes_that_come_between_peek_and_wait_are_not_lost),
		TEST(the_end_ends_the_wait),
		TEST(the_end_alone_is_peeked),
		TEST(a_reset_is_peeked),
		TEST(waiting_bytes_are_reported_to_the_next_owner),
		TEST(the_end_is_reported_to_the_next_owner),
		TEST(who_has_released_is_not_called),
	};

	return cmocka_run_group_tests_name("stream peek", tests, NULL, NULL);
}
