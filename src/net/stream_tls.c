#include "net/stream_internal.h"

#include "base/endpoint.h"
#include "net/tls_client.h"
#include "net/tls_context.h"
#include "net/tls_facts.h"
#include "net/tls_fault.h"
#include "net/tls_server.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/socket.h>

/* Bytes of a record, of a name that is checked, of a failure's text. */
#define RECORD_MAX SSL3_RT_MAX_PLAIN_LENGTH
#define NAME_MAX_LENGTH TLSEXT_MAXLEN_host_name
#define ERROR_MAX 256

/*
 * Bytes that may be unsent: a record, and what OpenSSL says of itself behind it. It has
 * to wait when a peer makes it talk and does not listen.
 */
#define UNSENT_MAX 32768

/*
 * Bytes that one read takes from the socket. OpenSSL does not return as long as a peer
 * talks of TLS alone (key updates), nor do we where each record has one byte; others
 * would wait for as long as the peer likes.
 */
#define READ_ALLOWANCE 131072

/* ---- failures ---- */

static void
tls_describe(const struct stream_tls *tls, int kind, int error, char text[ERROR_MAX])
{
	unsigned long code = ERR_peek_error();

	if (ERR_GET_LIB(code) == ERR_LIB_SSL &&
	    ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
		long verdict = SSL_get_verify_result(tls->openssl);

		ERR_clear_error();
		snprintf(text, ERROR_MAX, "certificate verify failed: %s",
			 X509_verify_cert_error_string(verdict));
	} else if (code) {
		snprintf(text, ERROR_MAX, "%s", tls_reason());
	} else if (kind == SSL_ERROR_ZERO_RETURN) {
		snprintf(text, ERROR_MAX, "the peer ended the session");
	} else {
		snprintf(text, ERROR_MAX, "%s",
			 error ? strerror(error) : "connection lost");
	}
}

static void
tls_remember(struct stream_tls *tls, const char *text)
{
	free(tls->error);
	tls->error = strdup(text);
}

/* What an operation that failed means; result is what it returned. */
static enum status
tls_trouble(struct stream_tls *tls, int result)
{
	int error = errno;
	int kind = SSL_get_error(tls->openssl, result);
	char text[ERROR_MAX];

	switch (kind) {
	case SSL_ERROR_WANT_READ:
		tls->read_needs = LOOP_READABLE;
		return STATUS_AGAIN;
	case SSL_ERROR_WANT_WRITE:
		tls->read_needs = LOOP_WRITABLE;
		return STATUS_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		if (tls->established)
			return STATUS_END;
		break;
	default:
		break;
	}
	tls_describe(tls, kind, error, text);
	tls_remember(tls, text);
	return STATUS_LOST;
}

/* Before each call: SSL_get_error() looks at the queue, and so do the texts. */
static void
errors_clear(void)
{
	ERR_clear_error();
	errno = 0;
}

/* ---- beginning ---- */

static void
tls_free(struct stream_tls *tls)
{
	SSL_free(tls->openssl);
	tls_context_unref(tls->context);
	buffer_clear(&tls->unsent);
	free(tls->error);
	free(tls);
}

/* OpenSSL's side. False: no memory, or no random bytes. */
static bool
tls_set_up(struct stream *stream, struct stream_tls *tls)
{
	BIO *bio;

	tls->openssl = SSL_new(tls->context->openssl);
	if (!tls->openssl || !SSL_set_app_data(tls->openssl, tls))
		return false;
	bio = stream_bio_new(stream);
	if (!bio)
		return false;
	SSL_set_bio(tls->openssl, bio, bio); /* takes it over */
	return true;
}

static enum status
begin(struct stream *stream, struct tls_context *context)
{
	struct stream_tls *tls = calloc(1, sizeof(*tls));

	assert(stream_is_open(stream) && !stream->connecting && !stream->tls);
	if (!tls)
		return STATUS_NO_MEMORY;
	errors_clear();
	tls->context = tls_context_ref(context);
	tls->read_needs = LOOP_READABLE;
	buffer_init(&tls->unsent, UNSENT_MAX);
	if (!tls_set_up(stream, tls)) {
		tls_free(tls);
		return STATUS_NO_MEMORY;
	}
	stream->tls = tls;
	return STATUS_OK;
}

enum status
stream_begin_tls_server(struct stream *stream, const struct tls_server *server)
{
	enum status status = begin(stream, tls_server_context(server));

	if (!status)
		SSL_set_accept_state(stream->tls->openssl);
	return status;
}

/* RFC 6066 section 3: an address is not said, but it is looked for in the certificate.
 */
static bool
client_set_name(struct stream_tls *tls, struct span name)
{
	X509_VERIFY_PARAM *wanted = SSL_get0_param(tls->openssl);
	struct endpoint address;
	char text[NAME_MAX_LENGTH + 1];

	memcpy(text, name.at, name.length);
	text[name.length] = 0;
	if (endpoint_read_address(name, 0, &address))
		return X509_VERIFY_PARAM_set1_ip_asc(wanted, text);
	X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set_tlsext_host_name(tls->openssl, text) &&
	       X509_VERIFY_PARAM_set1_host(wanted, text, name.length);
}

static bool
may_resume(const struct stream_tls *tls, const struct tls_session *session)
{
	return session && session->openssl && session->client == tls->context->serial &&
	       loop_microseconds() - session->shown < TLS_SESSION_LIFETIME;
}

/* What is kept stays as it is: see session_is_new(). */
static bool
client_resume(struct stream_tls *tls, struct tls_session *session)
{
	SSL_SESSION *copy;
	bool set;

	tls->session = session;
	if (!may_resume(tls, session))
		return true;
	tls->shown = session->shown;
	copy = SSL_SESSION_dup(session->openssl);
	set = copy && SSL_set_session(tls->openssl, copy);
	SSL_SESSION_free(copy);
	return set;
}

enum status
stream_begin_tls_client(struct stream *stream, const struct tls_client *client,
			struct span name, struct tls_session *session)
{
	struct tls_context *context = tls_client_context(client);
	struct stream_tls *tls;
	enum status status;

	assert(name.length <= NAME_MAX_LENGTH);
	assert(!span_is_empty(name) || !context->verifies);
	status = begin(stream, context);
	if (status)
		return status;
	tls = stream->tls;
	SSL_set_connect_state(tls->openssl);
	if ((span_is_empty(name) || client_set_name(tls, name)) &&
	    client_resume(tls, session))
		return STATUS_OK;
	stream_tls_drop(stream);
	return STATUS_NO_MEMORY;
}

/* ---- the handshake ---- */

static enum status
handshake_failed(struct stream_tls *tls)
{
	tls->read_failed = tls->write_failed = true;
	/* it may have been what the server did not like */
	if (tls->session)
		tls_session_clear(tls->session);
	return STATUS_LOST;
}

/* A session that is resumed brings the verdict of its first handshake. */
static bool
peer_is_trusted(const struct stream_tls *tls)
{
	return !tls->context->verifies ||
	       SSL_get_verify_result(tls->openssl) == X509_V_OK;
}

enum status
stream_handshake(struct stream *stream)
{
	struct stream_tls *tls = stream->tls;
	int result;

	assert(stream_is_open(stream) && tls);
	if (tls->established)
		return STATUS_OK;
	if (tls->read_failed)
		return STATUS_LOST;
	errors_clear();
	result = SSL_do_handshake(tls->openssl);
	if (result != 1)
		return tls_trouble(tls, result) == STATUS_AGAIN ? STATUS_AGAIN
								: handshake_failed(tls);
	if (!peer_is_trusted(tls)) {
		tls_remember(tls, "certificate verify failed");
		return handshake_failed(tls);
	}
	tls->established = true;
	/* what the peer said behind it may have come with its last words */
	tls->more = SSL_has_pending(tls->openssl);
	return STATUS_OK;
}

const char *
stream_tls_error(const struct stream *stream)
{
	assert(stream->tls);
	return stream->tls->error ? stream->tls->error : "no reason given";
}

const char *
stream_tls_verdict(const struct stream *stream)
{
	const struct stream_tls *tls = stream->tls;
	long verdict;

	assert(tls);
	verdict = SSL_get_verify_result(tls->openssl);
	if (!tls->context->verifies || verdict == X509_V_OK)
		return NULL;
	return X509_verify_cert_error_string(verdict);
}

struct span
stream_tls_first_octets(const struct stream *stream)
{
	assert(stream->tls);
	return span_of(stream->tls->first, stream->tls->first_count);
}

const char *
stream_tls_version(const struct stream *stream)
{
	return stream->tls ? SSL_get_version(stream->tls->openssl) : NULL;
}

void
stream_tls_facts(const struct stream *stream, struct tls_facts *facts)
{
	assert(stream->tls && stream->tls->established);
	tls_facts_read(facts, stream->tls->openssl);
}

/* ---- reading ---- */

bool
stream_tls_is_readable(const struct stream *stream)
{
	const struct stream_tls *tls = stream->tls;

	return tls->more || (stream->source.ready & tls->read_needs);
}

/* Something else than bytes came, or nobody is to wait for more of them; count of them
   came before it. */
static enum status
read_ended(struct stream_tls *tls, int result, size_t count)
{
	enum status status = tls_trouble(tls, result);
	bool cut_short = status == STATUS_AGAIN && tls->allowance == 0;

	if (cut_short && count == 0) {
		tls_remember(tls, "the peer talks of TLS alone");
		status = STATUS_LOST;
	}
	tls->read_failed = status == STATUS_LOST;
	if (count == 0) {
		tls->more = false;
		return status;
	}
	/* it is told, or gone on with, next time */
	tls->more = cut_short || status != STATUS_AGAIN;
	return STATUS_OK;
}

enum status
stream_tls_read(struct stream *stream, char *room, size_t size, size_t *count)
{
	struct stream_tls *tls = stream->tls;
	size_t total = 0;
	int result;

	assert(tls->established || tls->read_failed);
	if (!stream_tls_is_readable(stream))
		return STATUS_AGAIN;
	if (tls->read_failed) {
		tls->more = false;
		return STATUS_LOST;
	}
	tls->allowance = READ_ALLOWANCE;
	do {
		size_t got = 0;

		errors_clear();
		result = SSL_read_ex(tls->openssl, room + total, size - total, &got);
		total += got;
	} while (result > 0 && total < size);
	*count = total;
	if (result <= 0)
		return read_ended(tls, result, total);
	tls->read_needs = LOOP_READABLE;
	tls->more = SSL_has_pending(tls->openssl);
	return STATUS_OK;
}

/* ---- writing ---- */

/* Where the next record begins in the owner's vectors. */
struct source {
	const struct iovec *vectors;
	size_t count;
	size_t offset; /* in the first of them */
};

static void
source_skip(struct source *source, size_t count)
{
	source->offset += count;
	while (source->count > 0 && source->offset >= source->vectors->iov_len) {
		source->offset -= source->vectors->iov_len;
		source->vectors++;
		source->count--;
	}
}

/* The bytes of one record; small vectors are put together in room. */
static struct span
source_record(struct source source, char room[RECORD_MAX])
{
	size_t length = source.vectors->iov_len - source.offset;
	size_t filled = 0;

	if (source.count == 1 || length >= RECORD_MAX)
		return span_take(
			span_of((const char *)source.vectors->iov_base + source.offset,
				length),
			RECORD_MAX);
	while (source.count > 0 && filled < RECORD_MAX) {
		struct span piece = span_take(
			span_of((const char *)source.vectors->iov_base + source.offset,
				source.vectors->iov_len - source.offset),
			RECORD_MAX - filled);

		if (!span_is_empty(piece))
			memcpy(room + filled, piece.at, piece.length);
		filled += piece.length;
		source_skip(&source, piece.length);
	}
	return span_of(room, filled);
}

/* False: lost, from now on. */
static bool
write_record(struct stream_tls *tls, struct span record)
{
	size_t written;
	int result;

	errors_clear();
	result = SSL_write_ex(tls->openssl, record.at, record.length, &written);
	if (result > 0) {
		assert(written == record.length);
		return true;
	}
	/* what a read brings is the better reason: the peer's, before it closed */
	if (!tls->error)
		tls_trouble(tls, result);
	tls->write_failed = true;
	return false;
}

/* Returns how many bytes are in records that OpenSSL has taken. */
static size_t
write_records(struct stream *stream, struct source source)
{
	char room[RECORD_MAX];
	size_t total = 0;

	while (source.count > 0 && stream_is_writable(stream)) {
		struct span record = source_record(source, room);

		if (!write_record(stream->tls, record))
			break;
		total += record.length;
		source_skip(&source, record.length);
	}
	return total;
}

/*
 * A record goes whole or not at all, so a part of it may be left in unsent when the
 * kernel is full. The owner is told of all its bytes but the last, which is owed until
 * the next call: so it knows that not everything is sent, and does not close yet. A
 * record of one byte is told of, since who has heard AGAIN may come with other bytes.
 */
enum status
stream_tls_write(struct stream *stream, const struct iovec *vectors,
		 size_t vector_count, size_t *count, int flags)
{
	struct stream_tls *tls = stream->tls;
	struct source source = {.vectors = vectors, .count = vector_count};
	size_t total = tls->owes;

	assert(tls->established || tls->write_failed);
	if (tls->write_failed)
		return STATUS_LOST;
	if (!stream_is_writable(stream))
		return STATUS_AGAIN;
	tls->send_flags = flags;
	tls->owes = false;
	source_skip(&source, total);
	assert(total > 0 || source.count > 0);
	total += write_records(stream, source);
	if (total > 1 && !tls->held && !buffer_is_empty(&tls->unsent)) {
		tls->owes = true;
		total--;
	}
	*count = total;
	return total > 0 ? STATUS_OK : STATUS_LOST;
}

static void
flush_once(struct stream *stream)
{
	struct stream_tls *tls = stream->tls;
	struct span unsent = buffer_span(&tls->unsent);
	const struct iovec vector = {(void *)unsent.at, unsent.length};
	size_t sent;

	switch (stream_socket_write(stream, &vector, 1, &sent, tls->send_flags)) {
	case STATUS_OK:
		buffer_consume(&tls->unsent, sent);
		break;
	case STATUS_AGAIN:
		break;
	default:
		if (!tls->error)
			tls_remember(tls, strerror(errno));
		tls->write_failed = true; /* the owner hears of it when it writes */
		buffer_clear(&tls->unsent);
	}
}

/* ---- ending ---- */

void
stream_tls_flush(struct stream *stream)
{
	struct stream_tls *tls = stream->tls;

	if (tls->held || buffer_is_empty(&tls->unsent) || !stream_is_writable(stream))
		return;
	flush_once(stream);
	if (tls->ending && buffer_is_empty(&tls->unsent))
		shutdown(stream->source.fd, SHUT_WR);
}

bool
stream_tls_send_held(struct stream *stream)
{
	struct stream_tls *tls = stream->tls;

	tls->held = false;
	if (!buffer_is_empty(&tls->unsent))
		flush_once(stream);
	return !tls->write_failed;
}

/* Tells the peer that nothing more comes, unless it cannot hear or understand it. */
static void
say_end(struct stream_tls *tls)
{
	if (!tls->established || tls->read_failed || tls->write_failed ||
	    SSL_get_shutdown(tls->openssl) & SSL_SENT_SHUTDOWN)
		return;
	errors_clear();
	SSL_shutdown(tls->openssl); /* what came of it makes no difference */
	ERR_clear_error();
}

void
stream_tls_shutdown(struct stream *stream)
{
	struct stream_tls *tls = stream->tls;

	tls->send_flags = MSG_MORE; /* one segment with the socket's end */
	say_end(tls);
	if (tls->held)
		stream_tls_send_held(stream);
	tls->ending = !buffer_is_empty(&tls->unsent);
	if (!tls->ending)
		shutdown(stream->source.fd, SHUT_WR);
}

void
stream_tls_close(struct stream *stream)
{
	struct stream_tls *tls = stream->tls;

	/* one segment with the end, unless that is a reset: see stream_write_last() */
	tls->send_flags = stream->source.ready & LOOP_READABLE ? 0 : MSG_MORE;
	/* in the middle of a record nothing can be said */
	if ((tls->held || buffer_is_empty(&tls->unsent)) && stream_is_writable(stream))
		say_end(tls);
	stream_tls_drop(stream);
}

void
stream_tls_drop(struct stream *stream)
{
	struct stream_tls *tls = stream->tls;

	/* a session that only was not ended politely can be resumed: RFC 5246 7.2.1 */
	if (tls->established)
		SSL_set_shutdown(tls->openssl,
				 SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	ERR_clear_error();
	tls_free(tls);
	stream->tls = NULL;
}
