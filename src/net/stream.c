#include "net/stream.h"

#include "net/stream_internal.h"
#include "net/transparent.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static void
source_ready(struct loop_source *source)
{
	struct stream *stream = CONTAINER_OF(source, struct stream, source);

	if (stream->tls)
		stream_tls_flush(stream);
	stream->on_ready(stream);
}

/* Closes the fd on failure; errno stays the cause's. */
static enum status
stream_take(struct stream *stream, struct loop *loop, int fd, stream_ready *on_ready)
{
	enum status status = loop_add(loop, &stream->source, fd, source_ready);

	stream->on_ready = on_ready;
	if (status) {
		int saved = errno;

		close(fd);
		errno = saved;
	}
	return status;
}

void
stream_init(struct stream *stream)
{
	*stream = (struct stream){.source.fd = -1};
}

enum status
stream_adopt(struct stream *stream, struct loop *loop, int fd, stream_ready *on_ready)
{
	enum status status;

	stream_init(stream);
	status = stream_take(stream, loop, fd, on_ready);
	/* a fresh connection takes bytes: its greeting need not wait for a round */
	if (!status)
		stream->source.ready = LOOP_WRITABLE;
	return status;
}

static enum status
connect_failure(int error)
{
	errno = error; /* for the log */
	switch (error) {
	case ECONNREFUSED:
	case ECONNRESET:
		return STATUS_REFUSED;
	case ETIMEDOUT:
		return STATUS_TIMEOUT;
	case EACCES:
	case EPERM:
		return STATUS_DENIED;
	case ENOMEM:
		return STATUS_NO_MEMORY;
	default:
		return STATUS_SYSTEM;
	}
}

static void
socket_no_delay(int fd, int family)
{
	const int on = 1;

	if (family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static int
socket_bind(int fd, const struct endpoint *source)
{
	const int on = 1;

	/* the port is chosen at connect: one port may then serve for many servers */
	if (endpoint_family(source) != AF_UNIX && endpoint_port(source) == 0)
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	return bind(fd, &source->address.any, source->length);
}

/* 0: under way, or done. Else the cause. */
static int
socket_connect(int fd, const struct endpoint *to, const struct endpoint *source)
{
	if (source && source->length && socket_bind(fd, source) < 0)
		return errno;
	if (connect(fd, &to->address.any, to->length) == 0)
		return 0;
	/* EINTR: the connect goes on all the same */
	if (errno == EINPROGRESS || errno == EINTR)
		return 0;
	/* a UNIX listener whose queue is full; the kernel has no wait for that */
	if (errno == EAGAIN && endpoint_family(to) == AF_UNIX)
		return ECONNREFUSED;
	return errno;
}

static enum status
connect_from(struct stream *stream, struct loop *loop, const struct endpoint *to,
	     const struct endpoint *source, bool transparent, stream_ready *on_ready)
{
	int family = endpoint_family(to);
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int failure;

	stream_init(stream);
	if (fd < 0)
		return connect_failure(errno);
	socket_no_delay(fd, family);
	if (transparent && !transparent_enable(fd, family))
		failure = errno;
	else
		failure = socket_connect(fd, to, source);
	if (failure) {
		close(fd);
		return connect_failure(failure);
	}
	/* only now: a socket that does not connect yet is reported as hung up */
	stream->connecting = true;
	return stream_take(stream, loop, fd, on_ready);
}

enum status
stream_connect(struct stream *stream, struct loop *loop, const struct endpoint *to,
	       const struct endpoint *source, stream_ready *on_ready)
{
	return connect_from(stream, loop, to, source, false, on_ready);
}

enum status
stream_connect_transparent(struct stream *stream, struct loop *loop,
			   const struct endpoint *to, const struct endpoint *source,
			   stream_ready *on_ready)
{
	struct endpoint from = *source;
	int family = endpoint_family(&from);

	if (family != endpoint_family(to) ||
	    (family != AF_INET && family != AF_INET6)) {
		stream_init(stream);
		errno = EAFNOSUPPORT;
		return STATUS_INVALID;
	}
	endpoint_set_port(&from, 0);
	return connect_from(stream, loop, to, &from, true, on_ready);
}

enum status
stream_connected(struct stream *stream)
{
	int error = 0;
	socklen_t length = sizeof(error);

	assert(stream_is_open(stream));
	if (!stream->connecting)
		return STATUS_OK;
	if (!(stream->source.ready & (LOOP_WRITABLE | LOOP_HUNG_UP)))
		return STATUS_AGAIN;
	/* a failure comes as a hang-up; without one there is nothing to ask for */
	if (stream_is_hung_up(stream) &&
	    getsockopt(stream->source.fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		error = errno;
	if (error)
		return connect_failure(error);
	stream->connecting = false;
	return STATUS_OK;
}

bool
stream_is_readable(const struct stream *stream)
{
	if (stream->ended)
		return false;
	return stream->tls ? stream_tls_is_readable(stream)
			   : (stream->source.ready & LOOP_READABLE);
}

bool
stream_is_writable(const struct stream *stream)
{
	return stream->source.ready & LOOP_WRITABLE;
}

bool
stream_is_hung_up(const struct stream *stream)
{
	return stream->source.ready & LOOP_HUNG_UP;
}

static enum status
read_failure(struct stream *stream, int error)
{
	if (error != EAGAIN)
		return STATUS_LOST;
	stream->source.ready &= ~LOOP_READABLE;
	return STATUS_AGAIN;
}

enum status
stream_socket_read(struct stream *stream, void *room, size_t size, size_t *count)
{
	ssize_t got;

	if (!(stream->source.ready & LOOP_READABLE))
		return STATUS_AGAIN;
	got = recv(stream->source.fd, room, size, MSG_DONTWAIT);
	if (got < 0)
		return read_failure(stream, errno);
	if (got == 0)
		return STATUS_END;
	/* the kernel has no more; but behind a hang-up the end is still to be read */
	if ((size_t)got < size && !stream_is_hung_up(stream))
		stream->source.ready &= ~LOOP_READABLE;
	*count = (size_t)got;
	return STATUS_OK;
}

enum status
stream_read(struct stream *stream, void *room, size_t size, size_t *count)
{
	enum status status;

	assert(stream_is_open(stream) && size > 0);
	if (stream->ended)
		return STATUS_END;
	status = stream->tls ? stream_tls_read(stream, room, size, count)
			     : stream_socket_read(stream, room, size, count);
	stream->ended = status == STATUS_END;
	return status;
}

enum status
stream_peek(struct stream *stream, void *room, size_t size, size_t *count)
{
	ssize_t got;

	assert(stream_is_open(stream) && !stream->tls && size > 0);
	if (stream->ended)
		return STATUS_END;
	if (!stream_is_readable(stream))
		return STATUS_AGAIN;
	got = recv(stream->source.fd, room, size, MSG_PEEK | MSG_DONTWAIT);
	if (got < 0)
		return read_failure(stream, errno);
	if (got == 0) {
		stream->ended = true;
		return STATUS_END;
	}
	/* they wait in the kernel still: it stays readable */
	*count = (size_t)got;
	return STATUS_OK;
}

enum status
stream_await_more(struct stream *stream)
{
	assert(stream_is_open(stream));
	/* the end has come behind what was peeked: the kernel has nothing to report */
	if (stream_is_hung_up(stream))
		return STATUS_END;
	/* edge-triggered: more is reported even while the first bytes are unread */
	stream->source.ready &= ~LOOP_READABLE;
	return STATUS_OK;
}

enum status
stream_skip(struct stream *stream, size_t count)
{
	char away[512];

	assert(stream_is_open(stream) && !stream->tls);
	while (count > 0) {
		size_t size = count < sizeof(away) ? count : sizeof(away);
		ssize_t got = recv(stream->source.fd, away, size, MSG_DONTWAIT);

		if (got <= 0)
			return STATUS_LOST;
		count -= (size_t)got;
	}
	return STATUS_OK;
}

static size_t
vectors_length(const struct iovec *vectors, size_t count)
{
	size_t length = 0;

	for (size_t at = 0; at < count; at++)
		length += vectors[at].iov_len;
	return length;
}

static enum status
write_failure(struct stream *stream, int error)
{
	if (error != EAGAIN)
		return STATUS_LOST;
	stream->source.ready &= ~LOOP_WRITABLE;
	return STATUS_AGAIN;
}

/* send() where it will do: the kernel has no header and no vectors to fetch. */
static ssize_t
socket_send(int fd, const struct iovec *vectors, size_t count, int flags)
{
	struct msghdr message = {
		.msg_iov = (struct iovec *)vectors, /* sendmsg() does not change them */
		.msg_iovlen = count,
	};

	if (count == 1)
		return send(fd, vectors->iov_base, vectors->iov_len, flags);
	return sendmsg(fd, &message, flags);
}

enum status
stream_socket_write(struct stream *stream, const struct iovec *vectors,
		    size_t vector_count, size_t *count, int flags)
{
	size_t length = vectors_length(vectors, vector_count);
	ssize_t sent;

	assert(length > 0);
	if (!stream_is_writable(stream))
		return STATUS_AGAIN;
	sent = socket_send(stream->source.fd, vectors, vector_count,
			   flags | MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0)
		return write_failure(stream, errno);
	if ((size_t)sent < length)
		stream->source.ready &= ~LOOP_WRITABLE;
	*count = (size_t)sent;
	return STATUS_OK;
}

static enum status
write_with(struct stream *stream, const struct iovec *vectors, int vector_count,
	   size_t *count, int flags)
{
	size_t used = (size_t)(vector_count < IOV_MAX ? vector_count : IOV_MAX);

	assert(stream_is_open(stream));
	return stream->tls ? stream_tls_write(stream, vectors, used, count, flags)
			   : stream_socket_write(stream, vectors, used, count, flags);
}

enum status
stream_write(struct stream *stream, const struct iovec *vectors, int vector_count,
	     size_t *count)
{
	return write_with(stream, vectors, vector_count, count, 0);
}

enum status
stream_write_last(struct stream *stream, const struct iovec *vectors, int vector_count,
		  size_t *count)
{
	return write_with(stream, vectors, vector_count, count, MSG_MORE);
}

void
stream_shutdown(struct stream *stream)
{
	assert(stream_is_open(stream));
	/* ENOTCONN: the peer was faster; the owner hears of it by reading */
	if (stream->tls)
		stream_tls_shutdown(stream);
	else
		shutdown(stream->source.fd, SHUT_WR);
}

int
stream_release(struct stream *stream)
{
	int fd = stream->source.fd;

	assert(stream_is_open(stream) && !stream->connecting && !stream->tls);
	loop_remove(&stream->source);
	return fd;
}

void
stream_close(struct stream *stream)
{
	int fd = stream->source.fd;

	if (!stream_is_open(stream))
		return;
	if (stream->tls)
		stream_tls_close(stream);
	loop_remove(&stream->source);
	close(fd);
	stream->connecting = false;
}

void
stream_abort(struct stream *stream)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};

	if (!stream_is_open(stream))
		return;
	if (stream->tls)
		stream_tls_drop(stream);
	setsockopt(stream->source.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	stream_close(stream);
}

typedef int socket_name(int fd, struct sockaddr *address, socklen_t *length);

static void
stream_name(const struct stream *stream, socket_name *name, struct endpoint *endpoint)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	*endpoint = (struct endpoint){0};
	if (name(stream->source.fd, (struct sockaddr *)&address, &length) == 0)
		endpoint_from_sockaddr(endpoint, (struct sockaddr *)&address, length);
}

void
stream_local(const struct stream *stream, struct endpoint *endpoint)
{
	stream_name(stream, getsockname, endpoint);
}

void
stream_peer(const struct stream *stream, struct endpoint *endpoint)
{
	stream_name(stream, getpeername, endpoint);
}
