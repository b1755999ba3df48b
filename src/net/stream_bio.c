/*
 * OpenSSL's way to the socket. Its own would call read() and write(): with SIGPIPE, and
 * with a system call for each question that the loop has answered already. This one
 * goes by what the loop has said, and takes records whole: what the kernel does not
 * take of a record waits in stream->tls->unsent, so that OpenSSL need not be told the
 * same bytes twice, and its buffer is free again. A ticket stays there, too, and goes
 * with what is said next.
 */
#include "net/stream_internal.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>

/* OpenSSL's return values. */
enum { BIO_FAILED = 0, BIO_OK = 1 };

static void
take_allowance(struct stream_tls *tls, size_t count)
{
	tls->allowance -= count < tls->allowance ? count : tls->allowance;
}

static void
keep_first(struct stream_tls *tls, const char *octets, size_t count)
{
	while (count-- > 0 && tls->first_count < STREAM_TLS_FIRST_OCTETS)
		tls->first[tls->first_count++] = *octets++;
}

static int
bio_read(BIO *bio, char *room, size_t size, size_t *count)
{
	struct stream *stream = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (stream->tls->established && stream->tls->allowance == 0) {
		BIO_set_retry_read(bio);
		return BIO_FAILED;
	}
	switch (stream_socket_read(stream, room, size, count)) {
	case STATUS_OK:
		take_allowance(stream->tls, *count);
		keep_first(stream->tls, room, *count);
		return BIO_OK;
	case STATUS_AGAIN:
		BIO_set_retry_read(bio);
		return BIO_FAILED;
	case STATUS_END:
		stream->tls->socket_ended = true;
		return BIO_FAILED;
	default:
		return BIO_FAILED;
	}
}

/* Bytes of a ticket that is held. It has the client's certificate, which may be larger
   than all that may be unsent. */
#define HELD_MAX 4096

/*
 * A ticket behind a handshake: nobody waits for it, and the next word is its owner's or
 * the one that answers the client. They can be one segment.
 */
static bool
may_hold(const struct stream_tls *tls, size_t size)
{
	return buffer_length(&tls->unsent) + size <= HELD_MAX &&
	       SSL_get_state(tls->openssl) == TLS_ST_SW_SESSION_TICKET &&
	       (tls->held || buffer_is_empty(&tls->unsent));
}

/* What the kernel takes, which is nothing while earlier bytes wait. */
static enum status
send_first(struct stream *stream, struct span bytes, size_t *sent)
{
	const struct iovec vector = {(void *)bytes.at, bytes.length};
	enum status status;

	*sent = 0;
	if (!buffer_is_empty(&stream->tls->unsent))
		return STATUS_OK;
	status = stream_socket_write(stream, &vector, 1, sent, stream->tls->send_flags);
	return status == STATUS_AGAIN ? STATUS_OK : status;
}

static int
keep_unsent(BIO *bio, struct stream_tls *tls, struct span bytes)
{
	if (span_is_empty(bytes))
		return BIO_OK;
	switch (buffer_append(&tls->unsent, bytes)) {
	case STATUS_OK:
		return BIO_OK;
	case STATUS_FULL: /* never of a first record */
		BIO_set_retry_write(bio);
		return BIO_FAILED;
	default:
		ERR_raise(ERR_LIB_USER, ERR_R_MALLOC_FAILURE);
		return BIO_FAILED;
	}
}

static int
bio_write(BIO *bio, const char *bytes, size_t size, size_t *count)
{
	struct stream *stream = BIO_get_data(bio);
	struct stream_tls *tls = stream->tls;
	struct span rest = span_of(bytes, size);
	bool hold = may_hold(tls, size);
	size_t sent = 0;

	BIO_clear_retry_flags(bio);
	*count = size;
	if (!hold && !tls->held && send_first(stream, rest, &sent) != STATUS_OK)
		return BIO_FAILED;
	if (keep_unsent(bio, tls, span_skip(rest, sent)) != BIO_OK)
		return BIO_FAILED;
	if (hold)
		tls->held = true;
	else if (tls->held)
		return stream_tls_send_held(stream) ? BIO_OK : BIO_FAILED;
	return BIO_OK;
}

static long
bio_control(BIO *bio, int command, long number, void *pointer)
{
	const struct stream *stream = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	switch (command) {
	case BIO_CTRL_FLUSH:
		return BIO_OK;
	case BIO_CTRL_EOF: /* a bare end is an attack or an accident; OpenSSL says so */
		return stream->tls->socket_ended;
	default:
		return 0;
	}
}

static BIO_METHOD *method; /* for ever; NULL: there was no memory for it */

static void
method_make(void)
{
	BIO_METHOD *made = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "stream");

	if (made && BIO_meth_set_read_ex(made, bio_read) &&
	    BIO_meth_set_write_ex(made, bio_write) &&
	    BIO_meth_set_ctrl(made, bio_control))
		method = made;
	else
		BIO_meth_free(made);
}

BIO *
stream_bio_new(struct stream *stream)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO *bio;

	pthread_once(&once, method_make);
	bio = method ? BIO_new(method) : NULL;
	if (!bio)
		return NULL;
	BIO_set_data(bio, stream);
	BIO_set_init(bio, 1);
	return bio;
}
