#include "proxy/connector.h"

#include "proxy/tally.h"

#include <assert.h>
#include <errno.h>

/* ---- connecting ---- */

static enum status
start(struct stream *stream, struct loop *loop, const struct pool_snapshot *pool,
      const struct server *server, const struct endpoint *client,
      stream_ready *on_ready)
{
	const struct endpoint *source = &server->source;
	struct endpoint address;

	stream_init(stream);
	if (!server_address(server, &address))
		return STATUS_NOT_FOUND;
	if (pool->identity == IDENTITY_TRANSPARENT && smtp_origin_is_ip(client))
		return stream_connect_transparent(stream, loop, &address, client,
						  on_ready);
	return stream_connect(stream, loop, &address, source->length ? source : NULL,
			      on_ready);
}

/* A server that can not be reached is at fault; our own want of descriptors is not its.
 */
static const char *
blame_unreachable(struct server *server, enum status status, int64_t now)
{
	const char *why = status == STATUS_REFUSED ? "connect refused" : "unreachable";

	if (status == STATUS_REFUSED || status == STATUS_TIMEOUT ||
	    errno == EHOSTUNREACH || errno == ENETUNREACH) {
		tally_add(&server->counters.failures[SERVER_FAILURE_CONNECT], 1);
		server_observe(server, SERVER_TRAFFIC_FAILED, why, now);
	}
	return why;
}

static const char *
why_not(enum status status, enum identity_method method, struct server *server,
	int64_t now)
{
	const struct endpoint none = {0};

	if (status == STATUS_NOT_FOUND)
		return "address not resolved";
	if (status == STATUS_NO_MEMORY)
		return "out of memory";
	if (method == IDENTITY_TRANSPARENT && status == STATUS_INVALID)
		return setup_note_fault(SETUP_FAMILY, identity_demand(method), server,
					&none, NULL);
	if (method == IDENTITY_TRANSPARENT && status == STATUS_DENIED)
		return setup_note_fault(SETUP_DENIED, identity_demand(method), server,
					&none, NULL);
	return blame_unreachable(server, status, now);
}

enum status
connector_start(struct stream *stream, struct loop *loop,
		const struct pool_snapshot *pool, struct server *server,
		const struct endpoint *client, stream_ready *on_ready, const char **why)
{
	enum status status = start(stream, loop, pool, server, client, on_ready);

	if (status != STATUS_OK)
		*why = why_not(status, pool->identity, server, loop->now);
	return status;
}

/* ---- the preamble ---- */

static void
stand_in(const struct stream *stream, struct smtp_origin *origin)
{
	struct endpoint local, peer;

	/* nearly all: the kernel need not be asked */
	if (smtp_origin_is_ip(&origin->client))
		return;
	stream_local(stream, &local);
	stream_peer(stream, &peer);
	smtp_origin_stand_in(origin, &local, &peer);
}

size_t
connector_print_preamble(const struct pool_snapshot *pool, const struct stream *stream,
			 struct smtp_origin *origin, char room[PROXY_HEADER_PRINT_MAX])
{
	assert(identity_has_preamble(pool->identity));
	stand_in(stream, origin);
	if (pool->identity == IDENTITY_PROXY_V2)
		return proxy_header_print_v2(origin, false, room);
	return proxy_header_print_v1(&origin->client, &origin->destination, room);
}
