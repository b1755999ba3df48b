/* Bytes through TLS: how they come across, what waits, and how a session ends. */
#include "../rows.h"
#include "pki.h"
#include "tls_scene.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct tls_tickets *tickets;
static struct tls_material *material;
static struct tls_server *server;
static struct tls_client *client;
static struct scene scene;

static int
set_up(void)
{
	static const char *const shown[] = {"mx-p256", NULL};
	static const struct tls_client_settings believes_all;
	struct tls_server_settings settings = {0};

	if (pki_open(NULL) != 0 || tls_tickets_new(&tickets) != STATUS_OK)
		return -1;
	material = pki_material(shown);
	settings.material = material;
	settings.tickets = tickets;
	server = scene_server(&settings);
	client = scene_client(&believes_all);
	return 0;
}

static void
tear_down(void)
{
	tls_server_free(server);
	tls_client_free(client);
	tls_material_unref(material);
	tls_tickets_free(tickets);
	pki_close(NULL);
}

static int
open_shaken(void **state)
{
	(void)state;
	scene_open(&scene, 0);
	scene_shake(&scene, server, client, "mx.test", NULL);
	return scene.client.shaken;
}

static int
close_scene(void **state)
{
	(void)state;
	scene_close(&scene);
	return 0;
}

static void
assert_heard(const struct side *side, const char *expected)
{
	struct span heard = side_heard(side);

	if (!span_equals(heard, span_from_string(expected)))
		fail_msg("heard \"%.*s\"", SPAN_ARGS(heard));
}

/* ---- both ways ---- */

struct row {
	const char *name;
	size_t size; /* bytes each way */
	size_t step; /* of the relay; 0: all there is */
	size_t room; /* of a read */
	bool vectored;
};

static const struct row rows[] = {
	{"a line", 30, 0, 4096, false},
	{"a line in bytes", 30, 1, 4096, false},
	{"a line into small rooms", 30, 0, 1, false},
	{"bytes into bytes", 30, 1, 1, false},
	{"a record", 16384, 0, 65536, false},
	{"a byte more", 16385, 0, 65536, false},
	{"many records", 300000, 0, 65536, false},
	{"many records in pieces", 300000, 1021, 65536, false},
	{"many records into small rooms", 100000, 0, 7, false},
	{"small vectors", 100, 0, 4096, true},
	{"small vectors before large ones", 300000, 0, 4096, true},
	{"small vectors in pieces", 40000, 333, 100, true},
};

static char *
pattern(size_t size)
{
	char *bytes = malloc(size);

	assert_non_null(bytes);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(i * 7 + i / 251);
	return bytes;
}

static void
assert_heard_all(const struct side *side, const char *bytes, size_t size)
{
	struct span heard = side_heard(side);

	assert_int_equal(heard.length, size);
	assert_memory_equal(heard.at, bytes, size);
}

static void
crosses(void **state)
{
	const struct row *row = *state;
	char *bytes = pattern(row->size);

	scene_open(&scene, row->step);
	scene.server.room = scene.client.room = row->room;
	scene.server.vectored = scene.client.vectored = row->vectored;
	scene_shake(&scene, server, client, "mx.test", NULL);
	side_say(&scene.server, span_of(bytes, row->size));
	side_say(&scene.client, span_of(bytes, row->size));
	scene_run(&scene);
	assert_heard_all(&scene.client, bytes, row->size);
	assert_heard_all(&scene.server, bytes, row->size);
	assert_int_not_equal(scene.client.reading, STATUS_LOST);
	assert_int_not_equal(scene.client.reading, STATUS_END);
	scene_close(&scene);
	free(bytes);
}

/* ---- what comes early ---- */

static void
what_comes_with_the_handshake_is_heard(void **state)
{
	(void)state;
	scene_open(&scene, 0);
	/* in one piece with the end of the handshake */
	assert_int_equal(buffer_append(&scene.client.output, SPAN("EHLO\r\n")),
			 STATUS_OK);
	scene_shake(&scene, server, client, "mx.test", NULL);
	assert_heard(&scene.server, "EHLO\r\n");
	scene_close(&scene);
}

static void
a_hello_that_waits_is_read(void **state)
{
	(void)state;
	scene_open(&scene, 0);
	assert_int_equal(
		stream_begin_tls_client(&scene.client.stream, client, SPAN(""), NULL),
		STATUS_OK);
	side_work(&scene.client);
	scene.server.paused = true; /* in clear it would be read */
	scene_run(&scene);
	scene.server.paused = false;
	assert_int_equal(stream_begin_tls_server(&scene.server.stream, server),
			 STATUS_OK);
	side_work(&scene.server);
	scene_run(&scene);
	assert_int_equal(scene.server.shaken, STATUS_OK);
	assert_int_equal(scene.client.shaken, STATUS_OK);
	scene_close(&scene);
}

/* ---- what goes with other words ---- */

/* Of what the server has said: how much is on its way. */
static size_t
octets_under_way(void)
{
	char room[4096];
	ssize_t size =
		recv(scene.at_server, room, sizeof(room), MSG_PEEK | MSG_DONTWAIT);

	return size > 0 ? (size_t)size : 0;
}

static void
a_ticket_goes_with_the_next_words(void **state)
{
	struct tls_session session = {0};

	(void)state;
	scene_open(&scene, 0);
	scene_shake(&scene, server, client, "mx.test", &session);
	assert_int_equal(scene.client.shaken, STATUS_OK);
	assert_int_equal(octets_under_way(), 0);
	assert_null(session.openssl);
	/* nor is it sent because the client speaks */
	side_say(&scene.client, SPAN("EHLO\r\n"));
	scene_run(&scene);
	assert_null(session.openssl);
	side_say(&scene.server, SPAN("250\r\n"));
	assert_true(octets_under_way() > 100);
	scene_run(&scene);
	assert_non_null(session.openssl);
	assert_heard(&scene.client, "250\r\n");
	tls_session_clear(&session);
	scene_close(&scene);
}

static void
a_ticket_goes_with_the_end(void **state)
{
	struct tls_session session = {0};

	(void)state;
	scene_open(&scene, 0);
	scene_shake(&scene, server, client, "mx.test", &session);
	stream_shutdown(&scene.server.stream);
	scene_run(&scene);
	assert_non_null(session.openssl);
	assert_int_equal(scene.client.reading, STATUS_END);
	tls_session_clear(&session);
	scene_close(&scene);
}

/* ---- who does not read ---- */

static void
what_waits_is_read_after_a_pause(void **state)
{
	(void)state;
	scene.server.paused = true;
	side_say(&scene.client, SPAN("abc"));
	scene_run(&scene);
	assert_true(stream_is_readable(&scene.server.stream));
	assert_heard(&scene.server, "");
	scene.server.paused = false;
	side_work(&scene.server);
	assert_heard(&scene.server, "abc");
	assert_false(stream_is_readable(&scene.server.stream));
}

static void
the_rest_of_a_record_is_readable(void **state)
{
	char room[2];
	size_t count;

	(void)state;
	scene.server.paused = true;
	side_say(&scene.client, SPAN("abc"));
	scene_run(&scene);
	assert_int_equal(stream_read(&scene.server.stream, room, 2, &count), STATUS_OK);
	assert_int_equal(count, 2);
	/* the kernel has nothing, and will not call */
	assert_true(stream_is_readable(&scene.server.stream));
	assert_int_equal(stream_read(&scene.server.stream, room, 2, &count), STATUS_OK);
	assert_int_equal(count, 1);
	assert_int_equal(stream_read(&scene.server.stream, room, 2, &count),
			 STATUS_AGAIN);
	assert_false(stream_is_readable(&scene.server.stream));
}

#define MUCH ((size_t)4 << 20)

static void
a_full_kernel_is_waited_for(void **state)
{
	char *bytes = pattern(MUCH);

	(void)state;
	scene.held = true;
	side_say(&scene.server, span_of(bytes, MUCH));
	scene_run(&scene);
	assert_int_equal(scene.server.writing, STATUS_AGAIN);
	assert_false(stream_is_writable(&scene.server.stream));
	/* the other way is open all the while */
	side_say(&scene.client, SPAN("I do not listen"));
	scene_run(&scene);
	assert_heard(&scene.server, "I do not listen");
	scene.held = false;
	scene_run(&scene);
	assert_heard_all(&scene.client, bytes, MUCH);
	assert_true(buffer_is_empty(&scene.server.output));
	free(bytes);
}

/* The owner is not told that all is sent before it is: it would close. */
static void
a_byte_is_owed_while_its_record_waits(void **state)
{
	static char block[1000];
	const struct iovec vector = {block, sizeof(block)};
	size_t count;

	(void)state;
	scene.held = true;
	do {
		assert_int_equal(stream_write(&scene.server.stream, &vector, 1, &count),
				 STATUS_OK);
	} while (count == sizeof(block));
	assert_int_equal(count, sizeof(block) - 1);
	assert_int_equal(stream_write(&scene.server.stream, &vector, 1, &count),
			 STATUS_AGAIN);
	scene.held = false;
	scene_run(&scene);
	assert_true(stream_is_writable(&scene.server.stream));
	assert_int_equal(stream_write(&scene.server.stream, &(struct iovec){block, 1},
				      1, &count),
			 STATUS_OK);
	assert_int_equal(count, 1);
	scene_run(&scene);
	assert_int_equal(side_heard(&scene.client).length % sizeof(block), 0);
}

/* ---- ends ---- */

static void
an_end_is_announced(void **state)
{
	(void)state;
	side_say(&scene.client, SPAN("QUIT\r\n"));
	stream_shutdown(&scene.client.stream);
	scene_run(&scene);
	assert_heard(&scene.server, "QUIT\r\n");
	assert_int_equal(scene.server.reading, STATUS_END);
	assert_false(stream_is_readable(&scene.server.stream));
	/* the other half is open */
	side_say(&scene.server, SPAN("221 bye\r\n"));
	scene_run(&scene);
	assert_heard(&scene.client, "221 bye\r\n");
	stream_close(&scene.server.stream);
	scene_run(&scene);
	assert_int_equal(scene.client.reading, STATUS_END);
}

static void
a_close_is_announced(void **state)
{
	(void)state;
	side_say(&scene.server, SPAN("421 bye\r\n"));
	stream_close(&scene.server.stream);
	scene_run(&scene);
	assert_heard(&scene.client, "421 bye\r\n");
	assert_int_equal(scene.client.reading, STATUS_END);
}

static void
last_words_and_the_end(void **state)
{
	const struct iovec vector = {(char[]){"221 bye\r\n"}, 9};
	size_t count;

	(void)state;
	assert_int_equal(stream_write_last(&scene.server.stream, &vector, 1, &count),
			 STATUS_OK);
	assert_int_equal(count, 9);
	stream_close(&scene.server.stream);
	scene_run(&scene);
	assert_heard(&scene.client, "221 bye\r\n");
	assert_int_equal(scene.client.reading, STATUS_END);
}

/* The end is behind the bytes, however full the kernel was. */
static void
an_end_behind_a_full_kernel(void **state)
{
	char *bytes = pattern(MUCH);

	(void)state;
	scene.held = true;
	side_say(&scene.server, span_of(bytes, MUCH));
	assert_int_equal(scene.server.writing, STATUS_AGAIN);
	buffer_clear(&scene.server.output); /* the rest is never said */
	stream_shutdown(&scene.server.stream);
	scene.held = false;
	scene_run(&scene);
	scene_run(&scene);
	assert_memory_equal(side_heard(&scene.client).at, bytes,
			    side_heard(&scene.client).length);
	assert_int_equal(scene.client.reading, STATUS_END);
	/* and the socket's own end behind it */
	assert_int_equal(recv(scene.at_server, bytes, 1, MSG_DONTWAIT), 0);
	free(bytes);
}

static void
a_bare_end_is_a_loss(void **state)
{
	(void)state;
	side_say(&scene.client, SPAN("DATA\r\nhalf a mess"));
	assert_int_equal(shutdown(scene.client.stream.source.fd, SHUT_WR), 0);
	scene_run(&scene);
	scene_run(&scene);
	assert_heard(&scene.server, "DATA\r\nhalf a mess");
	assert_int_equal(scene.server.reading, STATUS_LOST);
	assert_string_equal(stream_tls_error(&scene.server.stream),
			    "unexpected eof while reading");
}

static void
an_abort_is_a_loss(void **state)
{
	(void)state;
	stream_abort(&scene.client.stream);
	scene_run(&scene);
	scene_run(&scene);
	assert_int_equal(scene.server.reading, STATUS_LOST);
}

/* In one piece with the records before it. */
static void
clear_text_behind_the_end_is_left(void **state)
{
	char records[256];
	ssize_t size;

	(void)state;
	side_say(&scene.client, SPAN("secret"));
	stream_shutdown(&scene.client.stream);
	size = recv(scene.at_client, records, sizeof(records) - 7, MSG_DONTWAIT);
	assert_true(size > 0);
	memcpy(records + size, "clear\r\n", 7);
	assert_int_equal(send(scene.at_server, records, (size_t)size + 7, MSG_NOSIGNAL),
			 size + 7);
	scene_run(&scene);
	assert_heard(&scene.server, "secret");
	assert_int_equal(scene.server.reading, STATUS_END);
	assert_false(stream_is_readable(&scene.server.stream));
}

static void
what_was_changed_on_the_way_is_a_loss(void **state)
{
	char records[256];
	ssize_t size;

	(void)state;
	side_say(&scene.client, SPAN("first"));
	scene_run(&scene);
	side_say(&scene.client, SPAN("second"));
	size = recv(scene.at_client, records, sizeof(records), MSG_DONTWAIT);
	assert_true(size > 0);
	records[size - 1] ^= 1;
	assert_int_equal(send(scene.at_server, records, (size_t)size, 0), size);
	scene_run(&scene);
	assert_heard(&scene.server, "first");
	assert_int_equal(scene.server.reading, STATUS_LOST);
	assert_string_equal(stream_tls_error(&scene.server.stream),
			    "decryption failed or bad record mac");
	assert_int_equal(scene.client.reading, STATUS_LOST);
	assert_non_null(
		strstr(stream_tls_error(&scene.client.stream), "bad record mac"));
}

static void
writing_to_nobody_is_lost_without_a_signal(void **state)
{
	(void)state;
	close(scene.at_server);
	scene.at_server = -1;
	side_say(&scene.server, SPAN("x"));
	assert_int_equal(scene.server.writing, STATUS_LOST);
	assert_string_equal(stream_tls_error(&scene.server.stream), "Broken pipe");
	/* what was said before can still be heard, and how it ended */
	scene_run(&scene);
	assert_int_equal(scene.server.reading, STATUS_LOST);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_shaken, close_scene)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_with_the_handshake_is_heard),
		cmocka_unit_test(a_hello_that_waits_is_read),
		TEST(what_waits_is_read_after_a_pause),
		TEST(the_rest_of_a_record_is_readable),
		TEST(a_full_kernel_is_waited_for),
		TEST(a_byte_is_owed_while_its_record_waits),
		TEST(an_end_is_announced),
		TEST(a_close_is_announced),
		cmocka_unit_test(a_ticket_goes_with_the_next_words),
		cmocka_unit_test(a_ticket_goes_with_the_end),
		TEST(last_words_and_the_end),
		TEST(an_end_behind_a_full_kernel),
		TEST(a_bare_end_is_a_loss),
		TEST(an_abort_is_a_loss),
		TEST(clear_text_behind_the_end_is_left),
		TEST(what_was_changed_on_the_way_is_a_loss),
		TEST(writing_to_nobody_is_lost_without_a_signal),
	};
	int failed;

	if (set_up() != 0)
		return 1;
	failed = ROWS_RUN(rows, crosses) +
		 cmocka_run_group_tests_name("tls stream", tests, NULL, NULL);
	tear_down();
	return failed;
}
