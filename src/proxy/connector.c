#include "proxy/connector.h"

#include "config/first_words.h"
#include "net/transparent.h"
#include "proxy/tally.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

/* ---- the client's own address ---- */

static bool
is_transparent(const struct pool_snapshot *pool, const struct endpoint *client)
{
	return pool->identity == IDENTITY_TRANSPARENT && smtp_origin_is_ip(client);
}

static void
note_hindrance(struct server *server, enum server_fault_kind kind,
	       enum server_fault_effect effect, const char *what)
{
	char why[SERVER_FAULT_MAX];

	snprintf(why, sizeof(why),
		 "%s can not be reached from the address of a client; %s", server->name,
		 what);
	server_set_fault(server, kind, effect, why);
}

static const char *
note_family(struct server *server)
{
	note_hindrance(server, SERVER_FAULT_CLIENTS, SERVER_FAULT_PASSES,
		       "its address is of another family: "
		       "clients and servers must both have IPv4, or both IPv6");
	return "client of another address family";
}

/* With the right, it is forbidden to some: the kernel does not say to whom. */
static const char *
note_denial(struct server *server, const struct endpoint *address)
{
	struct transparent_answer answer;

	transparent_check(address, &answer);
	if (answer.verdict == TRANSPARENT_NO_CAPABILITY)
		note_hindrance(server, SERVER_FAULT_IDENTITY, SERVER_FAULT_BARS,
			       answer.text);
	else
		note_hindrance(server, SERVER_FAULT_CLIENTS, SERVER_FAULT_PASSES,
			       "this machine forbids it: "
			       "look at its firewall and its prohibiting routes");
	return "no right to use the client's address";
}

void
connector_connected(const struct pool_snapshot *pool, struct server *server,
		    const struct endpoint *client)
{
	if (is_transparent(pool, client))
		server_clear_fault(server, SERVER_FAULT_IDENTITY);
}

/* Whether replies come back the firewall decides, too: it was not asked. */
static enum server_fault_effect
effect_of(const struct transparent_answer *answer)
{
	return answer->verdict == TRANSPARENT_NO_CAPABILITY ? SERVER_FAULT_BARS
							    : SERVER_FAULT_PASSES;
}

void
connector_check(const struct pool_snapshot *pool, struct server *server)
{
	struct transparent_answer answer;
	struct endpoint address;

	if (!pool->used || pool->identity != IDENTITY_TRANSPARENT ||
	    !server_address(server, &address))
		return;
	/* what was found out before is about another address */
	server_clear_fault(server, SERVER_FAULT_CLIENTS);
	transparent_check(&address, &answer);
	if (answer.verdict != TRANSPARENT_OK) {
		note_hindrance(server, SERVER_FAULT_IDENTITY, effect_of(&answer),
			       answer.text);
		return;
	}
	server_clear_fault(server, SERVER_FAULT_IDENTITY);
	if (answer.mark)
		log_message(LOG_INFO, "transparent", "%s: %s", server->name,
			    answer.text);
}

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
	if (is_transparent(pool, client))
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
	struct endpoint address;

	if (status == STATUS_NOT_FOUND)
		return "address not resolved";
	if (status == STATUS_NO_MEMORY)
		return "out of memory";
	if (method == IDENTITY_TRANSPARENT && status == STATUS_INVALID)
		return note_family(server);
	if (method == IDENTITY_TRANSPARENT && status == STATUS_DENIED &&
	    server_address(server, &address))
		return note_denial(server, &address);
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

const char *
connector_heard_clear(const struct pool_snapshot *pool, struct server *server,
		      const struct stream *stream)
{
	struct endpoint own;

	stream_local(stream, &own);
	return first_words_in_clear(pool->tls, server, &own,
				    stream_tls_first_octets(stream));
}

bool
connector_heard_refusal(const struct pool_snapshot *pool, const struct stream *stream)
{
	return identity_is_told_first(pool->identity) &&
	       first_words_refuse(pool->tls, stream_tls_first_octets(stream));
}

const char *
connector_heard_tls(const struct pool_snapshot *pool, struct server *server,
		    const struct stream *stream, struct span said)
{
	struct endpoint own;

	if (stream_is_tls(stream))
		return NULL;
	stream_local(stream, &own);
	return first_words_in_tls(pool->tls, server, &own, said);
}
