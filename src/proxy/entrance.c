#include "proxy/entrance.h"

#include "proxy/journal.h"
#include "proxy/session.h"
#include "proxy/tunnel.h"
#include "smtp/proxy_header.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- limits ---- */

/* Both are counted again in entrance_leave(). */
static bool
count_client(const struct listener_snapshot *listener, struct tally *tally,
	     const struct endpoint *client)
{
	return client_table_enter(&tally->clients, endpoint_hash_address(client),
				  listener->max_connections_per_client);
}

static bool
count_connection(const struct listener_snapshot *listener, struct tally *tally)
{
	if (atomic_fetch_add(&tally->active, 1) < listener->max_connections)
		return true;
	atomic_fetch_sub(&tally->active, 1);
	return false;
}

void
entrance_leave(struct tally *tally, const struct endpoint *client)
{
	atomic_fetch_sub(&tally->active, 1);
	client_table_leave(&tally->clients, endpoint_hash_address(client));
}

static struct span
refusal_of(unsigned reason)
{
	switch (reason) {
	case REJECT_CONNECTIONS:
		return SPAN("421 4.3.2 Too many connections, try again later\r\n");
	case REJECT_ROUTE:
		return SPAN("554 5.7.1 No route for connections from you\r\n");
	case REJECT_RATE:
		return SPAN("421 4.7.0 Your address connects too often, try again "
			    "later\r\n");
	default:
		return SPAN("421 4.7.0 Too many connections from your address\r\n");
	}
}

/* Where servers do not speak first nothing that we could say would be understood. */
static bool
clients_expect_words(const struct listener_snapshot *listener)
{
	if (listener->mode == LISTENER_MESSAGE)
		return true;
	for (uint32_t i = 0; i < listener->pool_count; i++)
		if (!listener->pools[i]->greets)
			return false;
	return true;
}

/* One write that may fail: the client is nothing to us yet. */
static void
refuse(const struct arrival *arrival, int fd, unsigned reason)
{
	struct span text = refusal_of(reason);

	journal_refused_client(arrival->listener, arrival->tally, &arrival->client,
			       reason);
	if (clients_expect_words(arrival->listener))
		(void)!send(fd, text.at, text.length, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

/* False: no route leads anywhere. A session finds out by and by who its client is. */
static bool
find_pool(struct arrival *arrival)
{
	const struct mail_route_client client = {.address = &arrival->client};

	if (arrival->listener->mode == LISTENER_MESSAGE)
		return true;
	arrival->pool = listener_route(arrival->listener, &client);
	return arrival->pool;
}

/* False: there is no memory for it. */
static bool
open_for(struct worker *worker, const struct arrival *arrival, int fd)
{
	return arrival->listener->mode == LISTENER_CONNECTION
		       ? tunnel_open(worker, arrival, fd)
		       : session_open(worker, arrival, fd);
}

/* The connection is counted; the client is known. */
static void
let_in(struct worker *worker, struct arrival *arrival, int fd)
{
	struct tally *tally = arrival->tally;
	unsigned reason;

	if (!count_client(arrival->listener, tally, &arrival->client)) {
		atomic_fetch_sub(&tally->active, 1);
		refuse(arrival, fd, REJECT_CLIENT_CONNECTIONS);
		return;
	}
	if (!rates_take(&tally->rates, RATE_CONNECTIONS, &arrival->client))
		reason = REJECT_RATE;
	else if (!find_pool(arrival))
		reason = REJECT_ROUTE;
	else if (!open_for(worker, arrival, fd))
		reason = REJECT_CONNECTIONS;
	else
		return;
	entrance_leave(tally, &arrival->client);
	refuse(arrival, fd, reason);
}

/* ---- the PROXY header ---- */

void
entrance_free(struct entrance *entrance)
{
	free(entrance);
}

static void
bury(struct entrance *entrance)
{
	struct worker *worker = entrance->worker;

	loop_timer_stop(&worker->loop, &entrance->timer);
	list_remove(&entrance->link);
	list_append(&worker->dead_entrances, &entrance->link);
	worker_reap_later(worker);
}

void
entrance_close(struct entrance *entrance)
{
	atomic_fetch_sub(&entrance->tally->active, 1);
	stream_close(&entrance->stream);
	bury(entrance);
}

static void
reject(struct entrance *entrance)
{
	journal_refused_client(entrance->listener, entrance->tally, &entrance->peer,
			       REJECT_PROXY_HEADER);
	entrance_close(entrance);
}

static void
on_timeout(struct timer *timer)
{
	reject(CONTAINER_OF(timer, struct entrance, timer));
}

/*
 * A machine that claims to speak for a loopback address, or for our own, lies: both are
 * often trusted. Unless it is this machine itself.
 */
static bool
is_credible(const struct entrance *entrance, const struct endpoint *claimed)
{
	struct endpoint own;

	if (endpoint_is_any(claimed))
		return false;
	if (endpoint_is_loopback(&entrance->peer))
		return true;
	stream_local(&entrance->stream, &own);
	return !endpoint_is_loopback(claimed) &&
	       (!endpoint_equals_address(claimed, &own) ||
		endpoint_equals_address(&entrance->peer, &own));
}

/* Hands the connection on as the client's. What stands behind the header was not
   touched. */
static void
pass_on(struct entrance *entrance, const struct proxy_header *header)
{
	struct arrival arrival = {
		.listener = entrance->listener,
		.tally = entrance->tally,
		.client = header->local ? entrance->peer : header->source,
	};

	if (!header->local)
		arrival.destination = header->destination;
	let_in(entrance->worker, &arrival, stream_release(&entrance->stream));
	bury(entrance);
}

static void
take_header(struct entrance *entrance, struct span bytes)
{
	struct proxy_header header;

	switch (proxy_header_read(bytes, &header)) {
	case PROXY_HEADER_MORE:
		if (stream_await_more(&entrance->stream) != STATUS_OK)
			reject(entrance);
		break;
	case PROXY_HEADER_MALFORMED:
		reject(entrance);
		break;
	case PROXY_HEADER_COMPLETE:
		if ((!header.local && !is_credible(entrance, &header.source)) ||
		    stream_skip(&entrance->stream, header.length) != STATUS_OK)
			reject(entrance);
		else
			pass_on(entrance, &header);
		break;
	}
}

/* Looked at, not taken: the bytes behind it are the client's. */
static void
on_ready(struct stream *stream)
{
	struct entrance *entrance = CONTAINER_OF(stream, struct entrance, stream);
	char room[PROXY_HEADER_READ_MAX];
	size_t count;

	switch (stream_peek(stream, room, sizeof(room), &count)) {
	case STATUS_OK:
		take_header(entrance, span_of(room, count));
		break;
	case STATUS_AGAIN:
		break;
	case STATUS_END: /* it looked whether somebody is here, and has said nothing */
		entrance_close(entrance);
		break;
	default:
		reject(entrance);
		break;
	}
}

static void
await_header(struct worker *worker, const struct arrival *arrival, int fd)
{
	struct entrance *entrance = calloc(1, sizeof(*entrance));

	if (!entrance) {
		atomic_fetch_sub(&arrival->tally->active, 1);
		close(fd);
		return;
	}
	entrance->worker = worker;
	entrance->listener = arrival->listener;
	entrance->tally = arrival->tally;
	entrance->peer = arrival->client;
	timer_init(&entrance->timer, on_timeout);
	list_append(&worker->live_entrances, &entrance->link);
	if (stream_adopt(&entrance->stream, &worker->loop, fd, on_ready) != STATUS_OK)
		entrance_close(entrance);
	else
		loop_timer_start(&worker->loop, &entrance->timer, ENTRANCE_PATIENCE);
}

void
entrance_open(struct worker *worker, const struct listener_snapshot *listener, int fd,
	      const struct endpoint *peer)
{
	struct arrival arrival = {
		.listener = listener,
		.tally = &worker->proxy->tallies[listener->index],
		.client = *peer,
	};

	if (fd >= worker->client_descriptors ||
	    !count_connection(listener, arrival.tally))
		refuse(&arrival, fd, REJECT_CONNECTIONS);
	else if (network_set_has(&listener->accept_proxy, peer))
		await_header(worker, &arrival, fd);
	else
		let_in(worker, &arrival, fd);
}
