#include "net/stream.h"

#include "net/pipe.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>

static ssize_t
move(int from, int to, size_t size)
{
	ssize_t moved;

	/* unlike recv() and send(), it minds a signal even when it need not wait */
	do
		moved = splice(from, NULL, to, NULL, size,
			       SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	while (moved < 0 && errno == EINTR);
	return moved;
}

/*
 * Only EAGAIN says that the socket has no more, or takes no more, and that the kernel
 * will report it again. A short count says nothing: a pipe has places for pieces, and
 * many small ones fill it; and the kernel leaves off when a signal comes.
 */
static enum status
splice_failure(struct stream *stream, unsigned ready, int error)
{
	if (error != EAGAIN)
		return STATUS_LOST;
	stream->source.ready &= ~ready;
	return STATUS_AGAIN;
}

enum status
stream_splice_in(struct stream *stream, struct pipe *pipe, size_t *count)
{
	size_t room = pipe->capacity - pipe->held;
	ssize_t moved;

	assert(stream_is_open(stream) && !stream->tls);
	if (stream->ended)
		return STATUS_END;
	if (!stream_is_readable(stream))
		return STATUS_AGAIN;
	if (room == 0)
		return STATUS_FULL;
	moved = move(stream->source.fd, pipe->write_end, room);
	/* the pipe's EAGAIN or the socket's: an empty pipe will tell */
	if (moved < 0 && errno == EAGAIN && pipe->held > 0)
		return STATUS_FULL;
	if (moved < 0)
		return splice_failure(stream, LOOP_READABLE, errno);
	if (moved == 0) {
		stream->ended = true;
		return STATUS_END;
	}
	pipe->held += (size_t)moved;
	*count = (size_t)moved;
	return STATUS_OK;
}

enum status
stream_splice_out(struct stream *stream, struct pipe *pipe, size_t *count)
{
	ssize_t moved;

	assert(stream_is_open(stream) && !stream->tls && pipe->held > 0);
	if (!stream_is_writable(stream))
		return STATUS_AGAIN;
	moved = move(pipe->read_end, stream->source.fd, pipe->held);
	if (moved < 0)
		return splice_failure(stream, LOOP_WRITABLE, errno);
	assert(moved > 0); /* the pipe has bytes and its other end is open */
	pipe->held -= (size_t)moved;
	*count = (size_t)moved;
	return STATUS_OK;
}
