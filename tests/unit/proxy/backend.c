#include "visit.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define VISIT_INPUT_MAX (4u << 20)

void
visit_end(struct visit *visit, bool reset)
{
	if (!stream_is_open(&visit->stream))
		return;
	if (reset)
		stream_abort(&visit->stream);
	else
		stream_close(&visit->stream);
	loop_undefer(&visit->turn);
	buffer_clear(&visit->input);
	buffer_clear(&visit->output);
	buffer_clear(&visit->content);
	visit->backend->open_visits--;
}

/* ---- bytes ---- */

static void
read_some(struct visit *visit)
{
	static char room[65536];
	unsigned gulp = visit->backend->character.gulp;
	size_t count;

	if (!stream_is_readable(&visit->stream))
		return;
	switch (stream_read(&visit->stream, room, gulp ? gulp : sizeof(room), &count)) {
	case STATUS_OK:
		assert(buffer_append(&visit->input, span_of(room, count)) == STATUS_OK);
		break;
	case STATUS_AGAIN:
		break;
	default:
		visit_end(visit, false);
		break;
	}
}

static void
write_some(struct visit *visit)
{
	struct backend *backend = visit->backend;
	struct span output = buffer_span(&visit->output);
	struct iovec vector = {(void *)output.at, output.length};
	size_t count;

	if (span_is_empty(output))
		return;
	if (backend->character.pieces && !visit->whole)
		vector.iov_len =
			chance_below(&backend->chance, (uint32_t)output.length) + 1;
	switch (stream_write(&visit->stream, &vector, 1, &count)) {
	case STATUS_OK:
		buffer_consume(&visit->output, count);
		break;
	case STATUS_AGAIN:
		break;
	default:
		visit_end(visit, false);
		break;
	}
}

/* Reads a little, says a little, and has another turn as long as there is more. */
static void
take_turn(struct loop_task *task)
{
	struct visit *visit = CONTAINER_OF(task, struct visit, turn);

	read_some(visit);
	if (stream_is_open(&visit->stream))
		visit_hear(visit);
	if (stream_is_open(&visit->stream))
		write_some(visit);
	if (!stream_is_open(&visit->stream))
		return;
	if (buffer_is_empty(&visit->output))
		visit->whole = false;
	if (buffer_is_empty(&visit->output) && visit->closing)
		visit_end(visit, false);
	else if (stream_is_readable(&visit->stream) ||
		 (!buffer_is_empty(&visit->output) &&
		  stream_is_writable(&visit->stream)))
		loop_defer(visit->backend->loop, task);
}

static void
on_ready(struct stream *stream)
{
	struct visit *visit = CONTAINER_OF(stream, struct visit, stream);

	loop_defer(visit->backend->loop, &visit->turn);
}

static void
take_visitor(struct listener *listener, int fd, const struct endpoint *peer)
{
	struct backend *backend = CONTAINER_OF(listener, struct backend, listener);
	struct visit *visit = calloc(1, sizeof(*visit));
	int size = backend->character.receive_buffer;

	(void)peer;
	assert(visit);
	if (size)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	visit->backend = backend;
	visit->turn.run = take_turn;
	buffer_init(&visit->input, VISIT_INPUT_MAX);
	buffer_init(&visit->output, VISIT_INPUT_MAX);
	buffer_init(&visit->content, VISIT_INPUT_MAX);
	list_append(&backend->visits, &visit->link);
	assert(stream_adopt(&visit->stream, backend->loop, fd, on_ready) == STATUS_OK);
	backend->visit_count++;
	if (++backend->open_visits > backend->most_at_once)
		backend->most_at_once = backend->open_visits;
	visit_begin(visit);
	if (stream_is_open(&visit->stream))
		loop_defer(backend->loop, &visit->turn);
}

/* ---- the listener ---- */

static void
keep_port(struct backend *backend)
{
	const int on = 1;

	backend->port_keeper = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert(backend->port_keeper >= 0);
	setsockopt(backend->port_keeper, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(backend->port_keeper, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	assert(bind(backend->port_keeper, &backend->address.address.any,
		    backend->address.length) == 0);
}

void
backend_accept(struct backend *backend)
{
	int fd;

	assert(listener_bind(&backend->address, &fd) == STATUS_OK);
	assert(listener_open(&backend->listener, backend->loop, fd,
			     SPAN("421 full\r\n"), take_visitor) == STATUS_OK);
	backend->address = backend->listener.address;
	backend->refusing = false;
}

void
backend_refuse(struct backend *backend)
{
	listener_close(&backend->listener);
	backend->refusing = true;
}

void
backend_tick(struct backend *backend)
{
	if (!chance_once_in(&backend->chance, backend->character.restlessness))
		return;
	if (backend->refusing)
		backend_accept(backend);
	else
		backend_refuse(backend);
}

void
backend_open(struct backend *backend, struct loop *loop, unsigned number,
	     struct mail *mails, uint32_t mail_count)
{
	*backend = (struct backend){
		.loop = loop, .mails = mails, .mail_count = mail_count};
	snprintf(backend->name, sizeof(backend->name), "s%u", number);
	backend->character = (struct character){
		.pipelining = true, .chunking = true, .eightbit = true};
	list_init(&backend->visits);
	assert(endpoint_read(SPAN("127.0.0.1:0"), &backend->address));
	backend_accept(backend);
	keep_port(backend);
}

void
backend_close(struct backend *backend)
{
	if (!backend->refusing)
		listener_close(&backend->listener);
	close(backend->port_keeper);
	LIST_EACH (&backend->visits, at) {
		struct visit *visit = CONTAINER_OF(at, struct visit, link);

		visit_end(visit, false);
		list_remove(at);
		free(visit);
	}
}

/* ---- holding ---- */

void
backend_hold(struct backend *backend, enum moment moment)
{
	backend->held[moment] = true;
}

unsigned
backend_held(const struct backend *backend, enum moment moment)
{
	unsigned count = 0;

	LIST_EACH (&backend->visits, at) {
		const struct visit *visit = CONTAINER_OF(at, struct visit, link);

		count += stream_is_open(&visit->stream) && visit->silent &&
			 visit->moment == moment;
	}
	return count;
}

void
backend_release(struct backend *backend)
{
	for (unsigned i = 0; i < MOMENT_COUNT; i++)
		backend->held[i] = false;
	LIST_EACH (&backend->visits, at) {
		struct visit *visit = CONTAINER_OF(at, struct visit, link);

		if (!stream_is_open(&visit->stream) || !visit->silent || visit->mute)
			continue;
		visit->silent = false;
		visit_go_on(visit);
		if (stream_is_open(&visit->stream))
			loop_defer(backend->loop, &visit->turn);
	}
}
