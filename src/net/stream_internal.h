/*
 * stream_internal: what the parts of a stream know of each other: stream.c has the
 * socket, stream_tls.c the session that goes over it, stream_bio.c stands between
 * OpenSSL and the socket. For net alone.
 */
#ifndef EVENPOST_NET_STREAM_INTERNAL_H
#define EVENPOST_NET_STREAM_INTERNAL_H

#include "base/buffer.h"
#include "net/stream.h"

struct bio_st;
struct ssl_st;
struct tls_context;

/* Of what the peer says: enough to tell what it speaks. */
#define STREAM_TLS_FIRST_OCTETS 4

/* TLS on one stream. Owner: the stream. */
struct stream_tls {
	struct ssl_st *openssl;
	struct tls_context *context; /* a reference */
	struct tls_session *session; /* of a client's owner; NULL: none is kept */
	uint64_t shown;              /* of the session that is to be resumed */
	char *error;                 /* why it failed; NULL: it did not, or no memory */
	struct buffer unsent;        /* of records: what the kernel has not got */
	unsigned read_needs; /* LOOP_…: what must be ready for a read to go on */
	int send_flags;
	bool held; /* what is unsent waits for what is said next, not for the kernel */
	size_t allowance; /* bytes that the read under way may take from the socket */
	char first[STREAM_TLS_FIRST_OCTETS];
	unsigned char first_count;
	bool established;
	bool more; /* OpenSSL holds bytes, or the end or a failure is to be told */
	bool socket_ended; /* the socket's end was read, which is not the session's */
	bool read_failed;
	bool write_failed;
	bool owes;   /* a byte whose record is unsent: the owner was not told of it */
	bool ending; /* our side of the socket ends behind what is unsent */
};

/* stream.c: the socket itself, with the rules of stream_read() and stream_write(). */
enum status
stream_socket_read(struct stream *stream, void *room, size_t size, size_t *count);
enum status stream_socket_write(struct stream *stream, const struct iovec *vectors,
				size_t vector_count, size_t *count, int flags);

/* stream_bio.c. NULL: out of memory. */
struct bio_st *stream_bio_new(struct stream *stream);

/* stream_tls.c: what the operations of a stream do where it has TLS. */
bool stream_tls_is_readable(const struct stream *stream);
enum status
stream_tls_read(struct stream *stream, char *room, size_t size, size_t *count);
enum status stream_tls_write(struct stream *stream, const struct iovec *vectors,
			     size_t vector_count, size_t *count, int flags);
/* Sends what is unsent as far as the kernel takes it, where that is what it waits for.
 */
void stream_tls_flush(struct stream *stream);
/* The same for what is held until now. False: the connection is lost. */
bool stream_tls_send_held(struct stream *stream);
void stream_tls_shutdown(struct stream *stream);
/* Says good-bye if that is possible at once. */
void stream_tls_close(struct stream *stream);
/* Says nothing. */
void stream_tls_drop(struct stream *stream);

#endif
