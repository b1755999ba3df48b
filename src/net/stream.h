/*
 * stream: one connection behind few operations, so that its owner need not know whether
 * the bytes pass through TLS, once it has begun. Sockets are non-blocking, with
 * TCP_NODELAY.
 * The owner's on_ready is called when bytes may be read or written, when a connect has
 * ended, or when the peer has gone; the owner reads and writes until STATUS_AGAIN.
 * stream_close() may be called from anywhere, also inside on_ready.
 * Owner: the struct it is embedded in. Thread: owner. Allocates with TLS alone.
 */
#ifndef EVENPOST_NET_STREAM_H
#define EVENPOST_NET_STREAM_H

#include "base/endpoint.h"
#include "base/span.h"
#include "base/status.h"
#include "net/loop.h"

#include <sys/uio.h>

struct pipe;
struct stream;
struct stream_tls;
struct tls_client;
struct tls_facts;
struct tls_server;
struct tls_session;
typedef void stream_ready(struct stream *stream);

struct stream {
	struct loop_source source;
	stream_ready *on_ready;
	bool connecting;
	bool ended;             /* the peer's end was read */
	struct stream_tls *tls; /* NULL: the bytes pass as they are */
};

/* A stream that is not open: stream_is_open() is false, stream_close() does nothing. */
void stream_init(struct stream *stream);

/* Takes over an accepted socket (already non-blocking). On failure fd is closed. */
MUST_CHECK enum status
stream_adopt(struct stream *stream, struct loop *loop, int fd, stream_ready *on_ready);

/*
 * Starts to connect. source may be NULL, else the local address. STATUS_OK: under way
 * (or done); on_ready will be called. The caller keeps the time.
 */
MUST_CHECK enum status
stream_connect(struct stream *stream, struct loop *loop, const struct endpoint *to,
	       const struct endpoint *source, stream_ready *on_ready);

/*
 * The same, from an address that is not this machine's; its port does not count.
 * Replies reach us only where they are routed so: see net/transparent. STATUS_DENIED
 * without CAP_NET_RAW, STATUS_INVALID when the two are not both IPv4 or both IPv6.
 */
MUST_CHECK enum status
stream_connect_transparent(struct stream *stream, struct loop *loop,
			   const struct endpoint *to, const struct endpoint *source,
			   stream_ready *on_ready);

/*
 * After on_ready of a connecting stream: STATUS_OK connected, STATUS_AGAIN not yet,
 * STATUS_REFUSED, STATUS_TIMEOUT, STATUS_SYSTEM (unreachable, out of descriptors …).
 */
MUST_CHECK enum status stream_connected(struct stream *stream);

static inline bool
stream_is_open(const struct stream *stream)
{
	return stream->source.fd >= 0;
}

/* There may be bytes, or an end, to be read. */
bool stream_is_readable(const struct stream *stream);
bool stream_is_writable(const struct stream *stream);
/* The peer has ended its side or the connection broke: known without reading. */
bool stream_is_hung_up(const struct stream *stream);

/*
 * From here on everything goes through TLS, and the handshake comes first: call
 * stream_handshake() now and in on_ready until it is done. Whatever the owner has read
 * before is in clear and no part of the session; the owner throws it away. The server
 * or client may be freed or swapped while its sessions go on. STATUS_NO_MEMORY: the
 * stream is as it was.
 */
MUST_CHECK enum status
stream_begin_tls_server(struct stream *stream, const struct tls_server *server);
/*
 * name: of the server, at most 255 octets, or its address; said in the handshake, and
 * looked for in the certificate where the client verifies. It may be empty where not.
 * session: kept by the owner as long as the stream is open; resumed, and replaced by
 * what the server hands out. May be NULL.
 */
MUST_CHECK enum status
stream_begin_tls_client(struct stream *stream, const struct tls_client *client,
			struct span name, struct tls_session *session);

/*
 * STATUS_OK: done, and there may be bytes to read already; STATUS_AGAIN; STATUS_LOST.
 * The caller keeps the time. Nothing is read or written before it is done.
 */
MUST_CHECK enum status stream_handshake(struct stream *stream);

static inline bool
stream_is_tls(const struct stream *stream)
{
	return stream->tls != NULL;
}

/* After the handshake "TLSv1.3", static; NULL: the bytes pass as they are. */
const char *stream_tls_version(const struct stream *stream);
/* Why the handshake, a read or a write was lost; valid until the next of them. */
const char *stream_tls_error(const struct stream *stream);
/* What is wrong with the certificate of a server that has to show a good one, as far as
   it was seen: in OpenSSL's words; NULL: nothing. */
const char *stream_tls_verdict(const struct stream *stream);
/*
 * The first octets that came from the peer since TLS began, a few, as they came on the
 * wire: what it is that a handshake failed with. Valid until the next read.
 */
struct span stream_tls_first_octets(const struct stream *stream);
/* After the handshake; the facts borrow from the stream until it is closed. */
void stream_tls_facts(const struct stream *stream, struct tls_facts *facts);

/*
 * Reads at most size bytes into room. STATUS_OK with *count > 0; STATUS_AGAIN;
 * STATUS_END; STATUS_LOST. A read that came short is the last one until on_ready is
 * called again (no system call is spent on EAGAIN). With TLS an end that the peer has
 * not announced (close_notify) is STATUS_LOST: anybody on the way could have made it.
 * So is a peer that talks of TLS alone, since others wait meanwhile.
 */
MUST_CHECK enum status
stream_read(struct stream *stream, void *room, size_t size, size_t *count);

/*
 * Like stream_read(), but takes nothing: the same bytes will be read again. Peek, then
 * either skip what is understood, or wait for more.
 */
MUST_CHECK enum status
stream_peek(struct stream *stream, void *room, size_t size, size_t *count);
/*
 * Straight after a peek that had less than its size, and too little: nothing is to be
 * read until on_ready is called with more. STATUS_OK; STATUS_END: no more will come.
 */
MUST_CHECK enum status stream_await_more(struct stream *stream);
/* Takes away so many of the bytes just peeked. STATUS_OK, STATUS_LOST. */
MUST_CHECK enum status stream_skip(struct stream *stream, size_t count);

/*
 * Writes what the kernel takes. STATUS_OK with *count > 0 (it may be short),
 * STATUS_AGAIN, STATUS_LOST. Never raises SIGPIPE. What follows a short write begins
 * with the first byte that was not written.
 */
MUST_CHECK enum status stream_write(struct stream *stream, const struct iovec *vectors,
				    int vector_count, size_t *count);

/*
 * The same, for bytes behind which the caller closes the stream at once, or shuts it
 * down: they and the end are one segment, and one wake-up of the peer. Not before a
 * close while there is input to read.
 */
MUST_CHECK enum status
stream_write_last(struct stream *stream, const struct iovec *vectors, int vector_count,
		  size_t *count);

/*
 * From the socket into the pipe, without a copy. STATUS_OK with *count > 0;
 * STATUS_AGAIN and the rest as stream_read(); STATUS_FULL: the pipe must be emptied
 * before it can be known whether there is more, and nothing reports it: come again
 * then.
 */
MUST_CHECK enum status
stream_splice_in(struct stream *stream, struct pipe *pipe, size_t *count);
/*
 * From the pipe, which holds something, into the socket; statuses as stream_write().
 * The kernel would raise SIGPIPE here: the program ignores it.
 */
MUST_CHECK enum status
stream_splice_out(struct stream *stream, struct pipe *pipe, size_t *count);

/* Our side has ended: the peer reads what was written, then an end. */
void stream_shutdown(struct stream *stream);

/*
 * Leaves the loop; the fd is the caller's, for another owner to adopt. What waits in it
 * is reported there.
 */
MUST_CHECK int stream_release(struct stream *stream);

void stream_close(struct stream *stream);
/* With a reset, so that nothing unsent is delivered and no port waits. */
void stream_abort(struct stream *stream);

void stream_local(const struct stream *stream, struct endpoint *endpoint);
void stream_peer(const struct stream *stream, struct endpoint *endpoint);

#endif
