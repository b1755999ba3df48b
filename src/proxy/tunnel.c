#include "proxy/tunnel_internal.h"

#include "config/limits.h"
#include "proxy/journal.h"

#include <stdio.h>
#include <stdlib.h>

/* Milliseconds for which what one side still sends is thrown away. */
#define LINGER 2000
/* Milliseconds without a byte that a client has behind its server's end. The server may
   be gone altogether, and its place would be kept by a client that does not go. */
#define HALF_CLOSED 30000

/* Reads of what is thrown away before others have their turn. */
#define READS_A_TURN 4

static stream_ready on_client_ready;

/* ---- its end ---- */

void
tunnel_free(struct tunnel *tunnel)
{
	free(tunnel->destination);
	free(tunnel->refusal);
	snapshot_unref(tunnel->snapshot);
	slab_put(&tunnel->worker->tunnels, tunnel);
}

static void
finish(struct tunnel *tunnel)
{
	struct worker *worker = tunnel->worker;

	if (tunnel->state == TUNNEL_OVER)
		return;
	tunnel->state = TUNNEL_OVER;
	loop_timer_stop(&worker->loop, &tunnel->timer);
	loop_undefer(&tunnel->move);
	flow_fini(&tunnel->up, &worker->pipes);
	flow_fini(&tunnel->down, &worker->pipes);
	stream_close(&tunnel->client_stream);
	tunnel_leave_server(tunnel);
	entrance_leave(tunnel->tally, &tunnel->client);
	/* who reads of the end may count on the places that it has left */
	journal_tunnel(tunnel);
	list_remove(&tunnel->link);
	list_append(&worker->dead_tunnels, &tunnel->link);
	worker_reap_later(worker);
}

static void
finish_because(struct tunnel *tunnel, const char *why)
{
	if (!tunnel->end)
		tunnel->end = why;
	finish(tunnel);
}

void
tunnel_forsaken(struct tunnel *tunnel)
{
	finish_because(tunnel, "client lost");
}

void
tunnel_kill(struct tunnel *tunnel)
{
	finish_because(tunnel, "cut");
}

static void
fail_handshake(struct tunnel *tunnel, const char *why)
{
	journal_tunnel_handshake(tunnel, why);
	finish_because(tunnel, "handshake");
}

/* One write that may fail: nothing was sent before it. */
static void
say(struct tunnel *tunnel, const struct smtp_reply *reply)
{
	struct buffer output;
	struct iovec vector;
	size_t count;

	buffer_init(&output, LIMIT_READ);
	if (smtp_reply_print(reply, &output) == STATUS_OK) {
		vector.iov_base = (void *)buffer_span(&output).at;
		vector.iov_len = buffer_length(&output);
		(void)!stream_write(&tunnel->client_stream, &vector, 1, &count);
	}
	buffer_clear(&output);
}

/* The last words to a client that has heard none: where servers speak first, ours. */
void
tunnel_fail(struct tunnel *tunnel, const struct smtp_reply *reply, const char *why)
{
	journal_refused_client(tunnel->listener, tunnel->tally, &tunnel->client,
			       REJECT_NO_SERVER);
	if (tunnel->pool->greets)
		say(tunnel, reply);
	stream_shutdown(&tunnel->client_stream);
	tunnel_leave_server(tunnel);
	if (!tunnel->end)
		tunnel->end = why;
	tunnel->server_lost = true;
	tunnel_linger(tunnel);
}

/* ---- lingering ---- */

/*
 * Reads and throws away, for a turn: who sends as fast as we read must not keep the
 * worker. True when nothing more can come.
 */
static bool
discard(struct tunnel *tunnel, struct stream *stream)
{
	struct worker *worker = tunnel->worker;
	size_t count;

	for (int reads = 0; reads < READS_A_TURN && stream_is_open(stream); reads++) {
		switch (stream_read(stream, worker->scratch, LIMIT_READ, &count)) {
		case STATUS_OK:
			break;
		case STATUS_AGAIN:
			return false;
		default:
			return true;
		}
	}
	loop_defer(&worker->loop, &tunnel->move);
	return !stream_is_open(stream);
}

static void
go_on_lingering(struct tunnel *tunnel)
{
	bool client = tunnel->client_lost || discard(tunnel, &tunnel->client_stream);
	bool server = tunnel->server_lost || discard(tunnel, &tunnel->server_stream);

	if (client && server)
		finish(tunnel);
}

void
tunnel_linger(struct tunnel *tunnel)
{
	tunnel->state = TUNNEL_LINGERING;
	loop_timer_start(&tunnel->worker->loop, &tunnel->timer, LINGER);
	go_on_lingering(tunnel);
}

/* ---- time ---- */

/* Milliseconds until the time-outs of the client are over; 0 or less: they are. */
static int64_t
time_left(const struct tunnel *tunnel)
{
	int64_t now = tunnel->worker->loop.now;
	int64_t session = tunnel->listener->timeouts.session;
	int64_t idle = tunnel->listener->timeouts.idle;
	int64_t left;

	if (tunnel->down.ended && idle > HALF_CLOSED)
		idle = HALF_CLOSED;
	left = tunnel->active + idle - now;
	if (session && tunnel->started + session - now < left)
		left = tunnel->started + session - now;
	return left;
}

/* ---- bytes ---- */

/* That the client was passed on to it says nothing of the server: what it answers does.
 */
static void
count_bytes(struct tunnel *tunnel)
{
	uint64_t bytes = tunnel->up.bytes + tunnel->down.bytes;
	int64_t now = tunnel->worker->loop.now;

	if (bytes == tunnel->counted)
		return;
	tally_add(&tunnel->server->counters.bytes, bytes - tunnel->counted);
	tunnel->counted = bytes;
	tunnel->active = now;
	if (tunnel->down.bytes > 0)
		server_observe(tunnel->server, SERVER_TRAFFIC_WORKED, "", now);
}

/*
 * A server that has taken the PROXY header for a command refuses it before it answers
 * the client: where it does what the client asks for first, it has taken it.
 */
static void
look_at_answer(struct tunnel *tunnel)
{
	if (!tunnel->awaits_answer || tunnel->down.first_count < FLOW_FIRST)
		return;
	tunnel->awaits_answer = false;
	if (tunnel->down.first[0] == '2')
		server_clear_fault(tunnel->server, SERVER_FAULT_IDENTITY);
}

/* One side is gone: nobody reads what is meant for it. */
static void
lose_client(struct tunnel *tunnel)
{
	tunnel->client_lost = true;
	if (!tunnel->end)
		tunnel->end = "client lost";
	flow_cut(&tunnel->down, &tunnel->worker->pipes);
}

static void
lose_server(struct tunnel *tunnel)
{
	tunnel->server_lost = true;
	if (!tunnel->end)
		tunnel->end = "server lost";
	flow_cut(&tunnel->up, &tunnel->worker->pipes);
}

/* False: it is over. */
static bool
move(struct tunnel *tunnel, struct flow *flow)
{
	struct worker *worker = tunnel->worker;
	bool upwards = flow == &tunnel->up;

	switch (flow_move(flow, worker->scratch, &worker->pipes)) {
	case FLOW_WAITS:
		break;
	case FLOW_MORE:
		loop_defer(&worker->loop, &tunnel->move);
		break;
	case FLOW_LOST_FROM:
		upwards ? lose_client(tunnel) : lose_server(tunnel);
		loop_defer(&worker->loop, &tunnel->move);
		break;
	case FLOW_LOST_TO:
		upwards ? lose_server(tunnel) : lose_client(tunnel);
		loop_defer(&worker->loop, &tunnel->move);
		break;
	case FLOW_NO_MEMORY:
		finish_because(tunnel, "no memory");
		return false;
	}
	return true;
}

static void
be_half_closed(struct tunnel *tunnel)
{
	int64_t left = time_left(tunnel);

	tunnel->half_closed = true;
	loop_timer_start(&tunnel->worker->loop, &tunnel->timer, left > 0 ? left : 0);
}

static void
move_both(struct tunnel *tunnel)
{
	if (!move(tunnel, &tunnel->up) || !move(tunnel, &tunnel->down))
		return;
	count_bytes(tunnel);
	look_at_answer(tunnel);
	if (!tunnel->up.ended || !tunnel->down.ended) {
		if (tunnel->down.ended && !tunnel->half_closed)
			be_half_closed(tunnel);
		return;
	}
	if (!tunnel->end)
		tunnel->end = "closed";
	tunnel_linger(tunnel);
}

static void
go_on(struct tunnel *tunnel)
{
	if (tunnel->state == TUNNEL_OPEN)
		move_both(tunnel);
	else if (tunnel->state == TUNNEL_LINGERING)
		go_on_lingering(tunnel);
}

static void
move_later(struct loop_task *task)
{
	go_on(CONTAINER_OF(task, struct tunnel, move));
}

/* ---- what wakes it ---- */

/* It is not moved by each byte: when it is over it is looked what is left of it. */
static void
check_time(struct tunnel *tunnel)
{
	int64_t left = time_left(tunnel);

	if (left <= 0)
		finish_because(tunnel, "timeout");
	else
		loop_timer_start(&tunnel->worker->loop, &tunnel->timer, left);
}

static void
on_timeout(struct timer *timer)
{
	struct tunnel *tunnel = CONTAINER_OF(timer, struct tunnel, timer);

	switch (tunnel->state) {
	case TUNNEL_HANDSHAKE:
		fail_handshake(tunnel, "no end of the handshake in time");
		break;
	case TUNNEL_OPEN:
		check_time(tunnel);
		break;
	case TUNNEL_LINGERING:
		finish(tunnel);
		break;
	default:
		tunnel_attempt_timed_out(tunnel);
		break;
	}
}

/* ---- its begin ---- */

void
tunnel_connect_through(struct tunnel *tunnel)
{
	struct loop *loop = &tunnel->worker->loop;

	tunnel->state = TUNNEL_OPEN;
	tunnel->active = loop->now;
	tally_add(&tunnel->server->counters.messages, 1);
	loop_timer_start(loop, &tunnel->timer, time_left(tunnel));
	loop_defer(loop, &tunnel->move);
}

void
tunnel_server_ready(struct tunnel *tunnel)
{
	if (tunnel->state < TUNNEL_OPEN)
		tunnel_attempt_ready(tunnel);
	else
		go_on(tunnel);
}

/* ---- TLS ---- */

static void
shake_hands(struct tunnel *tunnel)
{
	switch (stream_handshake(&tunnel->client_stream)) {
	case STATUS_OK:
		tally_add(&tunnel->tally->handshakes_done, 1);
		tunnel_seek_server(tunnel);
		break;
	case STATUS_AGAIN:
		break;
	default:
		fail_handshake(tunnel, stream_tls_error(&tunnel->client_stream));
		break;
	}
}

static void
begin_tls(struct tunnel *tunnel)
{
	struct worker *worker = tunnel->worker;
	const struct tls_server *server = worker_tls_server(worker, tunnel->listener);

	tunnel->state = TUNNEL_HANDSHAKE;
	loop_timer_start(&worker->loop, &tunnel->timer,
			 tunnel->listener->timeouts.handshake);
	if (!rates_take(&tunnel->tally->rates, RATE_HANDSHAKES, &tunnel->client))
		fail_handshake(tunnel, "over handshake-rate");
	else if (!server ||
		 stream_begin_tls_server(&tunnel->client_stream, server) != STATUS_OK)
		finish_because(tunnel, "no memory");
	else
		shake_hands(tunnel);
}

static void
on_client_ready(struct stream *stream)
{
	struct tunnel *tunnel = CONTAINER_OF(stream, struct tunnel, client_stream);

	if (tunnel->state == TUNNEL_HANDSHAKE)
		shake_hands(tunnel);
	else if (tunnel->state < TUNNEL_OPEN)
		tunnel_attempt_heard_client(tunnel);
	else
		go_on(tunnel);
}

void
tunnel_stop(struct tunnel *tunnel)
{
	if (tunnel->state == TUNNEL_HANDSHAKE)
		finish_because(tunnel, "stop");
	else if (tunnel->state < TUNNEL_OPEN)
		tunnel_fail(tunnel,
			    &SMTP_REPLY("421 4.3.2 Service is shutting down, try again "
					"later"),
			    "stop");
}

static bool
copy_destination(struct tunnel *tunnel, const struct endpoint *destination)
{
	if (destination->length == 0)
		return true;
	tunnel->destination = malloc(sizeof(*destination));
	if (tunnel->destination)
		*tunnel->destination = *destination;
	return tunnel->destination;
}

bool
tunnel_open(struct worker *worker, const struct arrival *arrival, int fd)
{
	struct tunnel *tunnel = slab_take(&worker->tunnels);

	if (!tunnel)
		return false;
	if (!copy_destination(tunnel, &arrival->destination)) {
		slab_put(&worker->tunnels, tunnel);
		return false;
	}
	tunnel->worker = worker;
	tunnel->snapshot = snapshot_ref(worker->proxy->snapshot);
	tunnel->listener = arrival->listener;
	tunnel->pool = arrival->pool;
	tunnel->tally = arrival->tally;
	tunnel->client = arrival->client;
	tunnel->number = worker_next_number(worker);
	tunnel->started = worker->loop.now;
	tunnel->move.run = move_later;
	stream_init(&tunnel->server_stream);
	flow_init(&tunnel->up, &tunnel->client_stream, &tunnel->server_stream);
	flow_init(&tunnel->down, &tunnel->server_stream, &tunnel->client_stream);
	timer_init(&tunnel->timer, on_timeout);
	list_append(&worker->live_tunnels, &tunnel->link);
	tally_add(&tunnel->tally->sessions, 1);
	if (stream_adopt(&tunnel->client_stream, &worker->loop, fd, on_client_ready) !=
	    STATUS_OK)
		finish_because(tunnel, "lost");
	else if (tunnel->listener->tls == LISTENER_TLS_IMPLICIT)
		begin_tls(tunnel);
	else
		tunnel_seek_server(tunnel);
	return true;
}
