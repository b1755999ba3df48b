#include "proxy/tunnel_internal.h"

#include "config/first_words.h"
#include "config/limits.h"
#include "net/tls_facts.h"
#include "proxy/connector.h"
#include "proxy/journal.h"

#include <stdio.h>
#include <stdlib.h>

/* Bytes of a greeting that are read at a time. */
#define GREETING_READ 4096

#define NO_SERVER                                                                      \
	SMTP_REPLY("421 4.3.2 No server can take the connection now, try again")
#define NO_PLACE SMTP_REPLY("421 4.3.2 All servers are busy, try again")

static stream_ready on_server_ready;

/* ---- the server that was chosen ---- */

void
tunnel_leave_server(struct tunnel *tunnel)
{
	reuse_stop_waiting(&tunnel->waiter);
	stream_close(&tunnel->server_stream);
	buffer_clear(&tunnel->down.held);
	tunnel->reader = (struct smtp_reply_reader){0};
	if (!tunnel->reserved)
		return;
	tunnel->reserved = false;
	server_connection_put(tunnel->server);
	server_put(tunnel->server);
	reuse_connection_ended(&tunnel->worker->reuse, tunnel->pool->pool, false);
}

/* ---- another one ---- */

static bool
may_try_another(const struct tunnel *tunnel)
{
	return tunnel->tried_count <= tunnel->pool->retry.attempts &&
	       tunnel->tried_count < TUNNEL_TRIED_MAX;
}

/* What servers said about the client tells more than our own words, where they all did:
   one that failed may have taken it. */
static void
give_up(struct tunnel *tunnel)
{
	struct smtp_reply refusal;

	if (tunnel->refusal && tunnel->refusals == tunnel->tried_count) {
		refusal = smtp_reply_of(span_from_string(tunnel->refusal));
		tunnel_fail(tunnel, &refusal, "refused");
	} else {
		tunnel_fail(tunnel, &NO_SERVER, "no server");
	}
}

/* The client has neither seen a byte nor said one: it does not notice. */
static void
try_another(struct tunnel *tunnel, enum retry_phase phase, const char *why)
{
	journal_retry(tunnel->tally, tunnel->pool, tunnel->server, phase, why);
	tunnel_leave_server(tunnel);
	tunnel->tried[tunnel->tried_count++] = tunnel->server->index;
	if (may_try_another(tunnel))
		tunnel_seek_server(tunnel);
	else
		give_up(tunnel);
}

/* And the server is to blame. */
static void
fail(struct tunnel *tunnel, enum server_failure failure, const char *why)
{
	tally_add(&tunnel->server->counters.failures[failure], 1);
	server_observe(tunnel->server, SERVER_TRAFFIC_FAILED, why,
		       tunnel->worker->loop.now);
	try_another(tunnel,
		    failure == SERVER_FAILURE_CONNECT ? RETRY_CONNECT : RETRY_GREETING,
		    why);
}

/* ---- the greeting ---- */

/* NULL: what it said is no TLS, or all of it is. */
static const char *
note_tls(const struct tunnel *tunnel)
{
	return connector_heard_tls(tunnel->pool, tunnel->server, &tunnel->server_stream,
				   buffer_span(&tunnel->down.held));
}

static void
fail_closed(struct tunnel *tunnel)
{
	const char *words = note_tls(tunnel);

	fail(tunnel, SERVER_FAILURE_GREETING,
	     words ? words : "closed before its greeting");
}

static void
fail_without_greeting(struct tunnel *tunnel)
{
	const char *words = note_tls(tunnel);
	char why[160];

	snprintf(why, sizeof(why), "no greeting in time%s",
		 first_words_missing(tunnel->pool->tls, tunnel->server));
	fail(tunnel, SERVER_FAILURE_GREETING, words ? words : why);
}

/* A server that knows the client may have refused it, and not be to blame. */
static void
take_refusal(struct tunnel *tunnel, const struct smtp_reply *reply)
{
	struct span line = smtp_reply_first_line(reply);
	char why[160];

	snprintf(why, sizeof(why), "greeting: %.*s", SPAN_ARGS(line));
	if (!identity_is_told_first(tunnel->pool->identity)) {
		fail(tunnel, SERVER_FAILURE_GREETING, why);
		return;
	}
	tunnel->refusals++;
	free(tunnel->refusal);
	tunnel->refusal = strndup(reply->text.at, reply->text.length);
	try_another(tunnel, RETRY_GREETING, why);
}

/* Behind the greeting it says that it does not know what a PROXY header is. */
static bool
refuses_header(struct tunnel *tunnel, const struct smtp_reply *greeting,
	       struct span rest)
{
	enum identity_method method = tunnel->pool->identity;
	struct smtp_reply answer;
	struct endpoint own;

	if (!identity_was_taken_for_commands(method, greeting, rest, &answer))
		return false;
	stream_local(&tunnel->server_stream, &own);
	fail(tunnel, SERVER_FAILURE_GREETING,
	     setup_note_fault(SETUP_NOT_TAKEN, SETUP_PROVEN_OF_ALL,
			      identity_demand(method), tunnel->server, &own, &answer));
	return true;
}

/* What refuses a PROXY header may come behind it still. */
static void
pass_on_greeting(struct tunnel *tunnel, struct span rest)
{
	tunnel->awaits_answer =
		identity_has_preamble(tunnel->pool->identity) && span_is_empty(rest);
	tunnel_connect_through(tunnel);
}

/* Whatever else it may be, it is for the client to read: only a refusal is not. */
static void
look_at_greeting(struct tunnel *tunnel)
{
	struct span input = buffer_span(&tunnel->down.held);
	struct smtp_reply reply;

	switch (smtp_reply_read(&tunnel->reader, &input, &reply)) {
	case SMTP_REPLY_MORE:
		break;
	case SMTP_REPLY_COMPLETE:
		first_words_are_good(tunnel->server);
		if (reply.code >= 400)
			take_refusal(tunnel, &reply);
		else if (!refuses_header(tunnel, &reply, input))
			pass_on_greeting(tunnel, input);
		break;
	case SMTP_REPLY_BROKEN:
		tunnel_connect_through(tunnel);
		break;
	}
}

/* No server is to blame for that. */
static void
run_out(struct tunnel *tunnel)
{
	try_another(tunnel, RETRY_GREETING, "out of memory");
}

/* What the reply reader has refused by then is no greeting: it is passed on. */
static void
read_greeting(struct tunnel *tunnel)
{
	char *scratch = tunnel->worker->scratch;
	size_t room = LIMIT_READ - buffer_length(&tunnel->down.held);
	size_t count;

	switch (stream_read(&tunnel->server_stream, scratch,
			    room < GREETING_READ ? room : GREETING_READ, &count)) {
	case STATUS_OK:
		if (buffer_append(&tunnel->down.held, span_of(scratch, count)) ==
		    STATUS_OK)
			look_at_greeting(tunnel);
		else
			run_out(tunnel);
		break;
	case STATUS_AGAIN:
		break;
	default:
		fail_closed(tunnel);
		break;
	}
}

/*
 * A client that speaks first does not wait for a greeting: nor do we. One that has
 * ended its side without a word may read all the same, and waits as others do: a server
 * that hangs would not end its own.
 */
void
tunnel_attempt_heard_client(struct tunnel *tunnel)
{
	char first;
	size_t count;

	if (stream_is_tls(&tunnel->client_stream))
		return; /* what it says is known only by reading: it waits */
	switch (stream_peek(&tunnel->client_stream, &first, 1, &count)) {
	case STATUS_OK:
		if (tunnel->state == TUNNEL_GREETING)
			tunnel_connect_through(tunnel);
		break;
	case STATUS_AGAIN:
	case STATUS_END:
		break;
	default:
		tunnel_forsaken(tunnel);
		break;
	}
}

/* ---- the connection ---- */

static void
fill_tls(struct smtp_origin *origin, const struct tls_facts *facts)
{
	origin->tls.used = true;
	origin->tls.has_certificate = facts->has_certificate;
	origin->tls.resumed = facts->resumed;
	origin->tls.verified = facts->verified;
	origin->tls.version = facts->version;
	origin->tls.cipher = facts->cipher;
	origin->tls.server_name = facts->name;
	origin->tls.common_name = facts->common_name;
}

static bool
send_preamble(struct tunnel *tunnel)
{
	char room[PROXY_HEADER_PRINT_MAX];
	char id[SESSION_ID_MAX];
	struct smtp_origin origin = {.client = tunnel->client};
	struct tls_facts facts;
	struct iovec vector = {.iov_base = room};
	size_t count;

	if (!identity_has_preamble(tunnel->pool->identity))
		return true;
	if (tunnel->destination)
		origin.destination = *tunnel->destination;
	else
		stream_local(&tunnel->client_stream, &origin.destination);
	worker_print_id(tunnel->worker, tunnel->number, id);
	origin.id = span_from_string(id);
	if (stream_is_tls(&tunnel->client_stream)) {
		stream_tls_facts(&tunnel->client_stream, &facts);
		fill_tls(&origin, &facts);
	}
	vector.iov_len = connector_print_preamble(tunnel->pool, &tunnel->server_stream,
						  &origin, room);
	/* a fresh connection takes that much, or none of it will go anywhere */
	return stream_write(&tunnel->server_stream, &vector, 1, &count) == STATUS_OK &&
	       count == vector.iov_len;
}

static void
await_greeting(struct tunnel *tunnel)
{
	if (!tunnel->pool->greets) {
		tunnel_connect_through(tunnel);
		return;
	}
	tunnel->state = TUNNEL_GREETING;
	loop_timer_start(&tunnel->worker->loop, &tunnel->timer,
			 tunnel->pool->timeouts.greeting);
	tunnel_attempt_heard_client(tunnel);
}

/* ---- TLS towards the server ---- */

static void
fail_handshake(struct tunnel *tunnel)
{
	const char *verdict = stream_tls_verdict(&tunnel->server_stream);
	const char *words = connector_heard_clear(tunnel->pool, tunnel->server,
						  &tunnel->server_stream);
	char why[256];

	snprintf(why, sizeof(why), "TLS: %s",
		 words ? words : stream_tls_error(&tunnel->server_stream));
	if (verdict)
		setup_note_certificate(tunnel->server,
				       setup_tls_name(tunnel->pool, tunnel->server),
				       verdict);
	if (!connector_heard_refusal(tunnel->pool, &tunnel->server_stream)) {
		fail(tunnel, SERVER_FAILURE_TLS, why);
		return;
	}
	tally_add(&tunnel->server->counters.failures[SERVER_FAILURE_TLS], 1);
	try_another(tunnel, RETRY_GREETING, why);
}

static void
shake_hands(struct tunnel *tunnel)
{
	switch (stream_handshake(&tunnel->server_stream)) {
	case STATUS_OK:
		server_clear_fault(tunnel->server, SERVER_FAULT_TLS);
		first_words_are_good(tunnel->server);
		await_greeting(tunnel);
		break;
	case STATUS_AGAIN:
		break;
	default:
		fail_handshake(tunnel);
		break;
	}
}

static void
begin_tls(struct tunnel *tunnel)
{
	struct worker *worker = tunnel->worker;

	tunnel->state = TUNNEL_SECURING;
	loop_timer_start(&worker->loop, &tunnel->timer,
			 tunnel->pool->timeouts.greeting);
	if (stream_begin_tls_client(&tunnel->server_stream,
				    worker_tls_client(worker, tunnel->pool),
				    setup_tls_name(tunnel->pool, tunnel->server),
				    worker_tls_session(worker, tunnel->server,
						       tunnel->pool)) == STATUS_OK)
		shake_hands(tunnel);
	else
		run_out(tunnel);
}

/* ---- the connection is made ---- */

static void
be_connected(struct tunnel *tunnel)
{
	tally_add(&tunnel->server->counters.connects, 1);
	connector_connected(tunnel->pool, tunnel->server, &tunnel->client);
	if (!send_preamble(tunnel)) {
		fail(tunnel, SERVER_FAILURE_LOST, "connection lost");
		return;
	}
	if (tunnel->pool->tls == POOL_TLS_IMPLICIT)
		begin_tls(tunnel);
	else
		await_greeting(tunnel);
}

static void
finish_connecting(struct tunnel *tunnel)
{
	switch (stream_connected(&tunnel->server_stream)) {
	case STATUS_OK:
		be_connected(tunnel);
		break;
	case STATUS_AGAIN:
		break;
	case STATUS_REFUSED:
		fail(tunnel, SERVER_FAILURE_CONNECT, "connect refused");
		break;
	case STATUS_TIMEOUT:
		fail(tunnel, SERVER_FAILURE_CONNECT, "connect timed out");
		break;
	default:
		fail(tunnel, SERVER_FAILURE_CONNECT, "unreachable");
		break;
	}
}

void
tunnel_attempt_ready(struct tunnel *tunnel)
{
	if (tunnel->state == TUNNEL_CONNECTING)
		finish_connecting(tunnel);
	else if (tunnel->state == TUNNEL_SECURING)
		shake_hands(tunnel);
	while (tunnel->state == TUNNEL_GREETING &&
	       stream_is_readable(&tunnel->server_stream))
		read_greeting(tunnel);
}

static void
on_server_ready(struct stream *stream)
{
	tunnel_server_ready(CONTAINER_OF(stream, struct tunnel, server_stream));
}

static void
connect_to_server(struct tunnel *tunnel)
{
	struct loop *loop = &tunnel->worker->loop;
	const char *why;

	reuse_stop_waiting(&tunnel->waiter);
	tunnel->state = TUNNEL_CONNECTING;
	tunnel->attempts++;
	if (connector_start(&tunnel->server_stream, loop, tunnel->pool, tunnel->server,
			    &tunnel->client, on_server_ready, &why) == STATUS_OK)
		loop_timer_start(loop, &tunnel->timer, tunnel->pool->timeouts.connect);
	else
		try_another(tunnel, RETRY_CONNECT, why);
}

/* ---- choosing ---- */

static enum pool_result
pick(struct tunnel *tunnel)
{
	struct pool_request request = {
		.now = tunnel->worker->loop.now,
		.key = endpoint_hash_address(&tunnel->client),
		.chance = worker_random(tunnel->worker),
		.tried = tunnel->tried,
		.tried_count = tunnel->tried_count,
	};

	return pool_pick(tunnel->pool->pool, &request, &tunnel->server);
}

/* False: there is no free place now. */
static bool
try_servers(struct tunnel *tunnel)
{
	switch (pick(tunnel)) {
	case POOL_PICKED:
		if (!server_connection_take(tunnel->server)) {
			server_put(tunnel->server);
			return false;
		}
		tunnel->reserved = true;
		connect_to_server(tunnel);
		return true;
	case POOL_FULL:
		return false;
	default:
		give_up(tunnel);
		return true;
	}
}

static bool
place_freed(struct waiter *waiter)
{
	return try_servers(CONTAINER_OF(waiter, struct tunnel, waiter));
}

void
tunnel_seek_server(struct tunnel *tunnel)
{
	struct worker *worker = tunnel->worker;

	if (try_servers(tunnel))
		return;
	tunnel->state = TUNNEL_WAITING;
	tunnel->waiter.place_freed = place_freed;
	loop_timer_start(&worker->loop, &tunnel->timer, tunnel->pool->queue);
	reuse_wait(&worker->reuse, &tunnel->waiter, tunnel->pool->pool);
	/* one may have been freed before we stood in line */
	try_servers(tunnel);
}

void
tunnel_attempt_timed_out(struct tunnel *tunnel)
{
	switch (tunnel->state) {
	case TUNNEL_CONNECTING:
		fail(tunnel, SERVER_FAILURE_CONNECT, "connect timed out");
		break;
	case TUNNEL_SECURING:
		fail(tunnel, SERVER_FAILURE_TIMEOUT, "no TLS handshake in time");
		break;
	case TUNNEL_GREETING:
		fail_without_greeting(tunnel);
		break;
	default:
		tunnel_fail(tunnel, &NO_PLACE, "queue");
		break;
	}
}
