#include "proxy/upstream_internal.h"

#include "config/first_words.h"
#include "config/limits.h"
#include "proxy/connector.h"
#include "proxy/session.h"

#include <assert.h>
#include <stdio.h>

/* For a window of content in blocks, the commands before it and the end behind it. */
#define VECTORS 20
/* Milliseconds that a server has for RSET and QUIT. */
#define CLEAN_UP_TIMEOUT 10000

static stream_ready on_ready;
static timer_expired on_timeout;

void
upstream_await(struct upstream *upstream, int64_t timeout)
{
	loop_timer_start(&upstream->worker->loop, &upstream->timer, timeout);
}

void
upstream_await_nothing(struct upstream *upstream)
{
	loop_timer_stop(&upstream->worker->loop, &upstream->timer);
}

void
upstream_flush_later(struct upstream *upstream)
{
	if (upstream->state != UPSTREAM_CONNECTING)
		loop_defer(&upstream->worker->loop, &upstream->flush);
}

void
upstream_free(struct upstream *upstream)
{
	buffer_clear(&upstream->input);
	buffer_clear(&upstream->output);
	smarthost_unref(upstream->smarthost);
	server_unref(upstream->server);
	snapshot_unref(upstream->snapshot);
	slab_put(&upstream->worker->upstreams, upstream);
}

void
upstream_close(struct upstream *upstream)
{
	struct worker *worker = upstream->worker;

	if (upstream->state == UPSTREAM_CLOSED)
		return;
	if (upstream->state == UPSTREAM_IDLE)
		reuse_forget(&worker->reuse, upstream);
	upstream->state = UPSTREAM_CLOSED;
	upstream->holder = NULL;
	upstream_await_nothing(upstream);
	loop_undefer(&upstream->flush);
	stream_close(&upstream->stream);
	server_connection_put(upstream->server);
	list_append(&worker->dead_upstreams, &upstream->link);
	list_remove(&upstream->live);
	list_remove(&upstream->mine);
	worker_reap_later(worker);
	reuse_connection_ended(&worker->reuse, upstream->pool->pool,
			       upstream->given_away);
}

/* Whether the server is at fault when the connection fails now. */
static bool
is_to_blame(const struct upstream *upstream, enum server_failure failure)
{
	if (upstream->reused && !upstream->answered)
		return false; /* it had died while it was idle */
	if (upstream->hears_login && failure == SERVER_FAILURE_LOST)
		return false; /* clients can bring that about */
	return upstream->state <= UPSTREAM_LEASED;
}

void
upstream_lose(struct upstream *upstream, enum server_failure failure, const char *why,
	      const struct smtp_reply *reply)
{
	struct upstream_holder *holder = upstream->holder;

	upstream_close(upstream);
	if (holder)
		holder->calls->lost(holder, failure, why, reply);
}

void
upstream_fail(struct upstream *upstream, enum server_failure failure, const char *why)
{
	if (upstream->state == UPSTREAM_AUTH && failure == SERVER_FAILURE_LOST)
		upstream_lost_at_login(upstream, why);
	if (is_to_blame(upstream, failure)) {
		tally_add(&upstream->server->counters.failures[failure], 1);
		server_observe(upstream->server, SERVER_TRAFFIC_FAILED, why,
			       upstream->worker->loop.now);
	}
	upstream_lose(upstream, failure, why, NULL);
}

void
upstream_leave(struct upstream *upstream, enum server_failure failure, const char *why,
	       const struct smtp_reply *reply)
{
	tally_add(&upstream->server->counters.failures[failure], 1);
	upstream_lose(upstream, failure, why, reply);
}

void
upstream_run_out(struct upstream *upstream)
{
	upstream->hears_login =
		false; /* else its end would be a word about the login */
	upstream_lose(upstream, SERVER_FAILURE_LOST, "out of memory", NULL);
}

void
upstream_fail_setup(struct upstream *upstream, enum server_failure failure,
		    enum setup_proof proof, const char *why)
{
	if (proof == SETUP_PROVEN_OF_ALL)
		upstream_fail(upstream, failure, why);
	else
		upstream_leave(upstream, failure, why, NULL);
}

void
upstream_cut(struct upstream *upstream)
{
	upstream_lose(upstream, SERVER_FAILURE_LOST, "cut", NULL);
}

static void
take_clean_up(struct upstream *upstream, enum smtp_step step,
	      const struct smtp_reply *reply)
{
	if (step == SMTP_STEP_RSET && reply->code != 250) {
		upstream_quit(upstream);
		/* its client may wait for it alone */
		reuse_place_freed(&upstream->worker->reuse, upstream->pool->pool);
	} else if (step == SMTP_STEP_RSET)
		reuse_put(&upstream->worker->reuse, upstream);
}

static void
take_reply(struct upstream *upstream, enum smtp_step step,
	   const struct smtp_reply *reply)
{
	switch (upstream->state) {
	case UPSTREAM_GREETING:
	case UPSTREAM_HELLO:
	case UPSTREAM_STARTTLS:
	case UPSTREAM_IDENTITY:
	case UPSTREAM_AUTH:
		upstream_take_opening(upstream, reply);
		break;
	case UPSTREAM_LEASED:
		upstream->holder->calls->replied(upstream->holder, step, reply);
		upstream->answered = true;
		break;
	case UPSTREAM_RESETTING:
		take_clean_up(upstream, step, reply);
		break;
	case UPSTREAM_QUITTING:
		if (step == SMTP_STEP_QUIT)
			upstream_close(upstream);
		break;
	default:
		break;
	}
}

/*
 * A server that has answered everything waits for the next command: what it says before
 * that would be taken for its answer. Behind a final reply it may say that it goes; the
 * reply counts all the same.
 */
static bool
speaks_out_of_turn(const struct upstream *upstream, enum smtp_step step,
		   struct span input)
{
	return step != SMTP_STEP_END && smtp_client_owed(&upstream->smtp) == 0 &&
	       !span_is_empty(input);
}

static void
fail_out_of_turn(struct upstream *upstream, enum smtp_step step,
		 const struct smtp_reply *reply, struct span rest)
{
	if (step == SMTP_STEP_STARTTLS)
		upstream_spoke_before_tls(upstream);
	else
		upstream_take_surplus(upstream, reply, rest);
}

static void
fail_broken(struct upstream *upstream, struct span input)
{
	if (upstream->state == UPSTREAM_HANDSHAKE)
		upstream_spoke_before_tls(upstream);
	else if (!upstream_fails_for_tls(upstream, input))
		upstream_fail(upstream, SERVER_FAILURE_LOST, "broken or unasked reply");
}

/* Takes all replies that are complete; false when the connection was closed meanwhile.
 */
static bool
take_replies(struct upstream *upstream, struct span *input)
{
	for (;;) {
		struct smtp_reply reply;
		enum smtp_step step;

		switch (smtp_client_next(&upstream->smtp, input, &step, &reply)) {
		case SMTP_CLIENT_REPLY:
			if (speaks_out_of_turn(upstream, step, *input)) {
				fail_out_of_turn(upstream, step, &reply, *input);
				return false;
			}
			take_reply(upstream, step, &reply);
			if (upstream->state == UPSTREAM_CLOSED)
				return false;
			break;
		case SMTP_CLIENT_MORE:
			return true;
		case SMTP_CLIENT_BROKEN:
			fail_broken(upstream, *input);
			return false;
		}
	}
}

/* Keeps an unfinished reply; false when the connection was closed. */
static bool
keep_input(struct upstream *upstream, struct span bytes)
{
	switch (buffer_append(&upstream->input, bytes)) {
	case STATUS_OK:
		return true;
	case STATUS_NO_MEMORY:
		upstream_run_out(upstream);
		return false;
	default:
		upstream_fail(upstream, SERVER_FAILURE_LOST, "a reply without end");
		return false;
	}
}

/* Takes bytes in behind those of an unfinished reply. */
static bool
take_bytes(struct upstream *upstream, struct span bytes)
{
	struct span input = bytes;

	if (!buffer_is_empty(&upstream->input)) {
		if (!keep_input(upstream, bytes))
			return false;
		input = buffer_span(&upstream->input);
	}
	if (!take_replies(upstream, &input))
		return false;
	if (!buffer_is_empty(&upstream->input)) {
		buffer_consume(&upstream->input,
			       buffer_length(&upstream->input) - input.length);
		return true;
	}
	return span_is_empty(input) || keep_input(upstream, input);
}

/* With TLS there may be a reason: a certificate of ours that it does not like, or an
   end that anybody could have made. */
static void
fail_lost(struct upstream *upstream, enum status status)
{
	char why[UPSTREAM_WHY_MAX] = "connection lost";

	if (upstream->state == UPSTREAM_HANDSHAKE) {
		upstream_give_up_tls(upstream, SERVER_FAILURE_TLS, why);
		return;
	}
	if (upstream_fails_for_tls(upstream, buffer_span(&upstream->input)))
		return;
	if (status == STATUS_LOST && stream_is_tls(&upstream->stream))
		snprintf(why, sizeof(why), "connection lost: %s",
			 stream_tls_error(&upstream->stream));
	upstream_fail(upstream, SERVER_FAILURE_LOST, why);
}

/* Reads until there is nothing; false when the connection was closed meanwhile. */
static bool
receive(struct upstream *upstream)
{
	while (stream_is_readable(&upstream->stream)) {
		size_t count;
		enum status status =
			stream_read(&upstream->stream, upstream->worker->scratch,
				    LIMIT_READ, &count);

		switch (status) {
		case STATUS_OK:
			if (!take_bytes(upstream,
					span_of(upstream->worker->scratch, count)))
				return false;
			break;
		case STATUS_AGAIN:
			return true;
		default:
			fail_lost(upstream, status);
			return false;
		}
	}
	return true;
}

static bool
finish_connecting(struct upstream *upstream)
{
	switch (stream_connected(&upstream->stream)) {
	case STATUS_OK:
		return upstream_begin_opening(upstream);
	case STATUS_AGAIN:
		return false;
	case STATUS_REFUSED:
		upstream_fail(upstream, SERVER_FAILURE_CONNECT, "connect refused");
		return false;
	case STATUS_TIMEOUT:
		upstream_fail(upstream, SERVER_FAILURE_CONNECT, "connect timed out");
		return false;
	default:
		upstream_fail(upstream, SERVER_FAILURE_CONNECT, "unreachable");
		return false;
	}
}

static void
on_ready(struct stream *stream)
{
	struct upstream *upstream = CONTAINER_OF(stream, struct upstream, stream);

	if (upstream->state == UPSTREAM_CONNECTING && !finish_connecting(upstream))
		return;
	if (upstream->state == UPSTREAM_HANDSHAKE && !upstream_shake_hands(upstream))
		return;
	if (!receive(upstream))
		return;
	if (stream_is_writable(stream) && upstream->state != UPSTREAM_IDLE)
		upstream_flush_later(upstream);
}

/* Whoever has it sends content too, or may. */
static bool
has_content(const struct upstream *upstream)
{
	return upstream->holder && upstream->holder->calls->gather;
}

/* What was written: commands first, then content. */
static void
wrote(struct upstream *upstream, size_t count)
{
	size_t commands = buffer_length(&upstream->output);

	if (commands > count)
		commands = count;
	buffer_consume(&upstream->output, commands);
	if (has_content(upstream))
		upstream->holder->calls->wrote(upstream->holder, count - commands);
}

/* One write; false when there is nothing more to write or the kernel takes no more. */
static bool
flush_once(struct upstream *upstream)
{
	struct iovec vectors[VECTORS];
	struct span output;
	int used = 0;
	size_t count;

	if (has_content(upstream))
		upstream->holder->calls->prepare(upstream->holder);
	if (upstream->state == UPSTREAM_CLOSED)
		return false;
	output = buffer_span(&upstream->output);
	if (output.length)
		vectors[used++] = (struct iovec){(void *)output.at, output.length};
	if (has_content(upstream))
		used += upstream->holder->calls->gather(upstream->holder,
							vectors + used, VECTORS - used);
	if (used == 0)
		return false;
	switch (stream_write(&upstream->stream, vectors, used, &count)) {
	case STATUS_OK:
		wrote(upstream, count);
		return upstream->state != UPSTREAM_CLOSED;
	case STATUS_AGAIN:
		return false;
	default:
		/* a refusal may stand in what it sent before it closed */
		if (receive(upstream))
			fail_lost(upstream, STATUS_LOST);
		return false;
	}
}

static void
flush(struct loop_task *task)
{
	struct upstream *upstream = CONTAINER_OF(task, struct upstream, flush);

	if (upstream->state == UPSTREAM_CLOSED ||
	    upstream->state == UPSTREAM_CONNECTING)
		return;
	while (flush_once(upstream))
		;
	if (upstream->state == UPSTREAM_HANDSHAKE && buffer_is_empty(&upstream->output))
		upstream_shake_hands(upstream);
	if (upstream->state != UPSTREAM_CLOSED && has_content(upstream) &&
	    buffer_is_empty(&upstream->output))
		upstream->holder->calls->flushed(upstream->holder);
}

static void
fail_without_greeting(struct upstream *upstream)
{
	char why[UPSTREAM_WHY_MAX];

	if (upstream_fails_for_tls(upstream, buffer_span(&upstream->input)))
		return;
	snprintf(why, sizeof(why), "no greeting in time%s",
		 first_words_missing(upstream->pool->tls, upstream->server));
	upstream_fail(upstream, SERVER_FAILURE_GREETING, why);
}

static void
on_timeout(struct timer *timer)
{
	struct upstream *upstream = CONTAINER_OF(timer, struct upstream, timer);

	switch (upstream->state) {
	case UPSTREAM_CONNECTING:
		upstream_fail(upstream, SERVER_FAILURE_CONNECT, "connect timed out");
		break;
	case UPSTREAM_GREETING:
		fail_without_greeting(upstream);
		break;
	case UPSTREAM_HANDSHAKE:
		upstream_give_up_tls(upstream, SERVER_FAILURE_TIMEOUT,
				     "no TLS handshake in time");
		break;
	case UPSTREAM_HELLO:
	case UPSTREAM_STARTTLS:
	case UPSTREAM_IDENTITY:
	case UPSTREAM_AUTH:
	case UPSTREAM_LEASED:
		upstream_fail(upstream, SERVER_FAILURE_TIMEOUT, "no reply in time");
		break;
	case UPSTREAM_IDLE:
		upstream_quit(upstream);
		break;
	default:
		upstream_close(upstream);
		break;
	}
}

static struct upstream *
new_upstream(struct session *session, const struct pool_snapshot *pool,
	     struct server *server)
{
	struct upstream *upstream = slab_take(&session->worker->upstreams);

	if (!upstream)
		return NULL;
	upstream->worker = session->worker;
	upstream->snapshot = snapshot_ref(session->snapshot);
	upstream->pool = pool;
	upstream->personal = session_has_own_upstreams(session, pool);
	if (upstream->personal) {
		upstream->session = session;
		list_append(&session->upstreams, &upstream->mine);
	}
	upstream->server = server_ref(server);
	stream_init(&upstream->stream);
	smtp_client_init(&upstream->smtp);
	timer_init(&upstream->timer, on_timeout);
	upstream->flush.run = flush;
	buffer_init(&upstream->output, LIMIT_UPSTREAM_OUTPUT);
	buffer_init(&upstream->input, LIMIT_UPSTREAM_INPUT);
	return upstream;
}

struct upstream *
upstream_open(struct upstream_holder *holder, const struct pool_snapshot *pool,
	      struct server *server, const char **why)
{
	struct session *session = holder->session;
	struct worker *worker = session->worker;
	struct upstream *upstream = new_upstream(session, pool, server);

	if (!upstream) {
		*why = "out of memory";
		server_connection_put(server);
		return NULL;
	}
	upstream->holder = holder;
	if (connector_start(&upstream->stream, &worker->loop, pool, server,
			    &session->client, on_ready, why) == STATUS_OK) {
		list_append(&worker->live_upstreams, &upstream->live);
		upstream_await(upstream, pool->timeouts.connect);
		return upstream;
	}
	list_remove(&upstream->mine);
	upstream_free(upstream);
	server_connection_put(server);
	return NULL;
}

void
upstream_start_over_in_clear(struct upstream *upstream)
{
	struct worker *worker = upstream->worker;
	const struct session *session = upstream->holder->session;
	const char *why;

	stream_close(&upstream->stream);
	smtp_client_init(&upstream->smtp);
	upstream->state = UPSTREAM_CONNECTING;
	upstream->in_clear = true;
	if (connector_start(&upstream->stream, &worker->loop, upstream->pool,
			    upstream->server, &session->client, on_ready,
			    &why) == STATUS_OK)
		upstream_await(upstream, upstream->pool->timeouts.connect);
	else
		upstream_lose(upstream, SERVER_FAILURE_CONNECT, why, NULL);
}

void
upstream_lend(struct upstream *upstream, struct upstream_holder *holder)
{
	assert(upstream->state == UPSTREAM_IDLE);
	upstream->state = UPSTREAM_LEASED;
	upstream->holder = holder;
	upstream->reused = true;
	upstream->answered = false;
	upstream_await_nothing(upstream);
}

void
upstream_release(struct upstream *upstream, bool clean)
{
	assert(upstream->state == UPSTREAM_LEASED);
	upstream->holder = NULL;
	upstream->reused = false;
	upstream_await_nothing(upstream);
	if (clean) {
		reuse_put(&upstream->worker->reuse, upstream);
		return;
	}
	upstream->state = UPSTREAM_RESETTING;
	if (smtp_client_send(&upstream->smtp, SMTP_STEP_RSET, &upstream->output,
			     "RSET") != STATUS_OK) {
		upstream_close(upstream);
		return;
	}
	upstream_await(upstream, CLEAN_UP_TIMEOUT);
	upstream_flush_later(upstream);
}

const char *
upstream_note_fault(const struct upstream *upstream, enum setup_fault fault,
		    enum setup_proof proof, const struct setup_demand *demand,
		    const struct smtp_reply *reply)
{
	struct endpoint own;

	stream_local(&upstream->stream, &own);
	return setup_note_fault(fault, proof, demand, upstream->server, &own, reply);
}

const char *
upstream_note_identity(const struct upstream *upstream, enum setup_fault fault,
		       enum setup_proof proof, const struct smtp_reply *reply)
{
	return upstream_note_fault(upstream, fault, proof,
				   identity_demand(upstream->pool->identity), reply);
}

void
upstream_disown(struct upstream *upstream)
{
	upstream->session = NULL;
	list_remove(&upstream->mine);
	if (upstream->state == UPSTREAM_IDLE)
		upstream_quit(upstream);
}

void
upstream_quit(struct upstream *upstream)
{
	if (upstream->state == UPSTREAM_IDLE)
		reuse_forget(&upstream->worker->reuse, upstream);
	upstream->holder = NULL;
	upstream->state = UPSTREAM_QUITTING;
	if (smtp_client_send(&upstream->smtp, SMTP_STEP_QUIT, &upstream->output,
			     "QUIT") != STATUS_OK) {
		upstream_close(upstream);
		return;
	}
	upstream_await(upstream, CLEAN_UP_TIMEOUT);
	upstream_flush_later(upstream);
}
