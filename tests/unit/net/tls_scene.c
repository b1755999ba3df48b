#include "tls_scene.h"

#include "pki.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

#define INPUT_MAX (1u << 24)
#define VECTORS 16

/* ---- a side ---- */

static void
side_read(struct side *side)
{
	char room[65536];
	size_t count;

	while (!side->paused && stream_is_readable(&side->stream)) {
		enum status status =
			stream_read(&side->stream, room, side->room, &count);

		if (status != STATUS_OK) {
			side->reading = status;
			if (status == STATUS_AGAIN)
				assert_false(stream_is_readable(&side->stream));
			return;
		}
		assert_true(count > 0 && count <= side->room);
		assert_int_equal(buffer_append(&side->input, span_of(room, count)),
				 STATUS_OK);
	}
}

/* Bytes one by one, and empty vectors between them; what is left as a last one. */
static int
side_vectors(const struct side *side, struct iovec vectors[VECTORS])
{
	struct span bytes = buffer_span(&side->output);
	int used = 0;

	while (side->vectored && used < VECTORS - 2 && bytes.length > 1) {
		vectors[used++] = (struct iovec){(void *)bytes.at, 1};
		vectors[used++] = (struct iovec){NULL, 0};
		bytes = span_skip(bytes, 1);
	}
	vectors[used++] = (struct iovec){(void *)bytes.at, bytes.length};
	return used;
}

static void
side_write(struct side *side)
{
	struct iovec vectors[VECTORS];
	size_t count;

	while (!buffer_is_empty(&side->output)) {
		side->writing = stream_write(&side->stream, vectors,
					     side_vectors(side, vectors), &count);
		if (side->writing != STATUS_OK)
			return;
		assert_true(count > 0 && count <= buffer_length(&side->output));
		buffer_consume(&side->output, count);
	}
}

void
side_work(struct side *side)
{
	if (!stream_is_open(&side->stream))
		return;
	if (stream_is_tls(&side->stream) && side->shaken != STATUS_OK) {
		side->shaken = stream_handshake(&side->stream);
		if (side->shaken != STATUS_OK)
			return;
	}
	side_read(side);
	side_write(side);
}

static void
side_ready(struct stream *stream)
{
	side_work(CONTAINER_OF(stream, struct side, stream));
}

void
side_say(struct side *side, struct span bytes)
{
	assert_int_equal(buffer_append(&side->output, bytes), STATUS_OK);
	side_work(side);
}

struct span
side_heard(const struct side *side)
{
	return buffer_span(&side->input);
}

/* Returns the other end of the socket. */
static int
side_open(struct side *side, struct loop *loop)
{
	int pair[2];

	*side = (struct side){.room = 4096};
	buffer_init(&side->output, INPUT_MAX);
	buffer_init(&side->input, INPUT_MAX);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
				    0, pair),
			 0);
	assert_int_equal(stream_adopt(&side->stream, loop, pair[0], side_ready),
			 STATUS_OK);
	side->shaken = STATUS_AGAIN;
	return pair[1];
}

static void
side_close(struct side *side)
{
	stream_close(&side->stream);
	buffer_clear(&side->output);
	buffer_clear(&side->input);
}

/* ---- the scene ---- */

void
scene_open(struct scene *scene, size_t step)
{
	*scene = (struct scene){.step = step};
	assert_int_equal(loop_open(&scene->loop), STATUS_OK);
	scene->at_server = side_open(&scene->server, &scene->loop);
	scene->at_client = side_open(&scene->client, &scene->loop);
}

static void
end_close(int *end)
{
	if (*end >= 0)
		close(*end);
	*end = -1;
}

void
scene_close(struct scene *scene)
{
	side_close(&scene->server);
	side_close(&scene->client);
	end_close(&scene->at_server);
	end_close(&scene->at_client);
	loop_close(&scene->loop);
}

/* Never more than the other side takes. */
static bool
relay(int from, int to, size_t step)
{
	char room[65536];
	size_t size = step ? step : sizeof(room);
	ssize_t seen, sent;

	if (from < 0 || to < 0)
		return false;
	seen = recv(from, room, size, MSG_PEEK | MSG_DONTWAIT);
	if (seen <= 0) {
		if (seen == 0)
			shutdown(to, SHUT_WR);
		return false;
	}
	sent = send(to, room, (size_t)seen, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent <= 0)
		return false;
	assert_int_equal(recv(from, room, (size_t)sent, MSG_DONTWAIT), sent);
	return true;
}

void
scene_run(struct scene *scene)
{
	bool moved;

	do {
		loop_round(&scene->loop, 0);
		moved = relay(scene->at_client, scene->at_server, scene->step);
		if (!scene->held)
			moved |= relay(scene->at_server, scene->at_client, scene->step);
	} while (moved);
	loop_round(&scene->loop, 0);
}

void
scene_shake(struct scene *scene, const struct tls_server *server,
	    const struct tls_client *client, const char *name,
	    struct tls_session *session)
{
	assert_int_equal(stream_begin_tls_server(&scene->server.stream, server),
			 STATUS_OK);
	assert_int_equal(stream_begin_tls_client(&scene->client.stream, client,
						 span_from_string(name), session),
			 STATUS_OK);
	side_work(&scene->server);
	side_work(&scene->client);
	scene_run(scene);
}

void
scene_greet(struct scene *scene)
{
	side_say(&scene->server, SPAN("220 mx.test ESMTP\r\n"));
	scene_run(scene);
}

/* ---- what they show and trust ---- */

struct tls_authorities *
scene_authorities(const char *file)
{
	struct tls_authorities *authorities;
	struct tls_fault fault;

	if (tls_authorities_load(&authorities, pki_path(file), &fault) != STATUS_OK)
		fail_msg("%s", fault.text);
	return authorities;
}

struct tls_server *
scene_server(const struct tls_server_settings *settings)
{
	struct tls_server *server;
	struct tls_fault fault;

	if (tls_server_new(&server, settings, &fault) != STATUS_OK)
		fail_msg("%s", fault.text);
	return server;
}

struct tls_client *
scene_client(const struct tls_client_settings *settings)
{
	struct tls_client *client;
	struct tls_fault fault;

	if (tls_client_new(&client, settings, &fault) != STATUS_OK)
		fail_msg("%s", fault.text);
	return client;
}
