#include "app/addresses.h"

#include "net/resolver.h"
#include "proxy/connector.h"

#include <stdlib.h>

/* Milliseconds: bounds of the time between two questions. */
#define ASK_AGAIN_MIN 5000
#define ASK_AGAIN_MAX 3600000

struct named_server {
	struct addresses *addresses;
	const struct pool_snapshot *pool;
	struct server *server;
	struct span host;
	uint16_t port;
	struct resolver_query query;
	struct timer timer;
};

struct addresses {
	struct loop *loop;
	struct resolver *resolver;
	uint32_t count;
	struct named_server servers[];
};

/* HOST:PORT, checked by the configuration. False: it is an address, no name. */
static bool
split_name(struct span text, struct span *host, uint16_t *port)
{
	size_t colon = span_find_last(text, ':');
	struct endpoint endpoint;
	uint64_t number;

	if (colon == SPAN_NOWHERE || endpoint_read(text, &endpoint))
		return false;
	*host = span_take(text, colon);
	if (!number_read(span_skip(text, colon + 1), UINT16_MAX, &number))
		return false;
	*port = (uint16_t)number;
	return true;
}

static void ask(struct named_server *named);

static void
ask_again(struct timer *timer)
{
	ask(CONTAINER_OF(timer, struct named_server, timer));
}

static bool
still_holds(const struct server *server, const struct resolver_answer *answer)
{
	struct endpoint address;

	if (!server_address(server, &address))
		return false;
	for (unsigned i = 0; i < answer->count; i++) {
		if (endpoint_equals_address(&address, &answer->addresses[i]))
			return true;
	}
	return false;
}

static void
ask_later(struct named_server *named, int64_t delay)
{
	if (delay < ASK_AGAIN_MIN)
		delay = ASK_AGAIN_MIN;
	if (delay > ASK_AGAIN_MAX)
		delay = ASK_AGAIN_MAX;
	loop_timer_start(named->addresses->loop, &named->timer, delay);
}

static void
answered(struct resolver_query *query, const struct resolver_answer *answer)
{
	struct named_server *named = CONTAINER_OF(query, struct named_server, query);
	struct endpoint address;

	if (answer->status != STATUS_OK) {
		log_message(LOG_WARNING, "dns", "%.*s: %s", SPAN_ARGS(named->host),
			    status_name(answer->status));
		ask_later(named, ASK_AGAIN_MIN);
		return;
	}
	if (!still_holds(named->server, answer)) {
		address = answer->addresses[0];
		endpoint_set_port(&address, named->port);
		server_set_address(named->server, &address);
		connector_check(named->pool, named->server);
	}
	ask_later(named, (int64_t)answer->ttl * 1000);
}

static void
ask(struct named_server *named)
{
	enum status status = resolver_ask(named->addresses->resolver, &named->query,
					  named->host, answered);

	if (status != STATUS_OK) {
		log_message(LOG_WARNING, "dns", "%.*s: %s", SPAN_ARGS(named->host),
			    status_name(status));
		ask_later(named, ASK_AGAIN_MIN);
	}
}

static uint32_t
count_servers(const struct snapshot *snapshot)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < snapshot->pool_count; i++)
		count += snapshot->pools[i].pool->server_count;
	return count;
}

static void
collect(struct addresses *addresses, const struct pool_snapshot *pool)
{
	for (uint32_t i = 0; i < pool->pool->server_count; i++) {
		struct named_server *named = &addresses->servers[addresses->count];
		struct server *server = pool->pool->servers[i];

		if (!split_name(span_from_string(server->address_text), &named->host,
				&named->port))
			continue;
		named->addresses = addresses;
		named->pool = pool;
		named->server = server;
		timer_init(&named->timer, ask_again);
		addresses->count++;
	}
}

enum status
addresses_open(struct addresses **result, struct loop *loop, struct resolver *resolver,
	       struct snapshot *snapshot)
{
	size_t size = count_servers(snapshot) * sizeof(struct named_server);
	struct addresses *addresses = calloc(1, sizeof(*addresses) + size);

	if (!addresses)
		return STATUS_NO_MEMORY;
	addresses->loop = loop;
	addresses->resolver = resolver;
	for (uint32_t i = 0; i < snapshot->pool_count; i++)
		collect(addresses, &snapshot->pools[i]);
	for (uint32_t i = 0; i < addresses->count; i++)
		ask(&addresses->servers[i]);
	*result = addresses;
	return STATUS_OK;
}

void
addresses_close(struct addresses *addresses)
{
	if (!addresses)
		return;
	for (uint32_t i = 0; i < addresses->count; i++) {
		loop_timer_stop(addresses->loop, &addresses->servers[i].timer);
		resolver_cancel(&addresses->servers[i].query);
	}
	free(addresses);
}
