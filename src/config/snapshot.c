#include "config/snapshot.h"

#include "config/check.h"
#include "config/limits.h"
#include "config/snapshot_build.h"

#include <assert.h>
#include <stdlib.h>

enum status
snapshot_read_text(struct span text, const char *name, struct report *report,
		   struct snapshot **snapshot)
{
	struct arena arena = {0};
	struct section *root;
	enum status status;

	report->file = name;
	status = settings_check(text, &arena, report, &root);
	if (status == STATUS_OK)
		status = snapshot_build(root, snapshot);
	if (status == STATUS_NO_MEMORY)
		report_error(report, (struct place){0}, "", "out of memory");
	arena_reset(&arena);
	return status;
}

struct snapshot *
snapshot_ref(struct snapshot *snapshot)
{
	unsigned before = atomic_fetch_add(&snapshot->references, 1);

	assert(before > 0);
	return snapshot;
}

void
snapshot_unref(struct snapshot *snapshot)
{
	if (!snapshot || atomic_fetch_sub(&snapshot->references, 1) != 1)
		return;
	for (uint32_t i = 0; i < snapshot->pool_count; i++)
		pool_free(snapshot->pools[i].pool);
	arena_reset(&snapshot->arena);
	free(snapshot);
}

/* Where a connection is the client's alone, the server's own line names the client. */
bool
listener_adds_received(const struct listener_snapshot *listener,
		       const struct pool_snapshot *pool)
{
	if (pool->identity == IDENTITY_HEADER)
		return true;
	return listener->add_received == RECEIVED_ALWAYS ||
	       (listener->add_received == RECEIVED_AUTO &&
		!identity_is_personal(pool->identity));
}

const struct pool_snapshot *
listener_route(const struct listener_snapshot *listener,
	       const struct mail_route_client *client)
{
	const struct mail_route *route = mail_route_find(&listener->routes, client);

	return route ? listener->pools[route->pool] : NULL;
}

bool
listener_leads_to_pool(const struct listener_snapshot *listener,
		       const struct pool_snapshot *pool)
{
	for (uint32_t i = 0; i < listener->pool_count; i++)
		if (listener->pools[i] == pool)
			return true;
	return false;
}

static bool
is_told_names(const struct listener_snapshot *listener,
	      const struct pool_snapshot *pool)
{
	return pool->identity == IDENTITY_XCLIENT ||
	       pool->identity == IDENTITY_XFORWARD ||
	       listener_adds_received(listener, pool);
}

bool
listener_names_clients(const struct snapshot *snapshot,
		       const struct listener_snapshot *listener)
{
	if (!snapshot->dns.client_names || listener->mode != LISTENER_MESSAGE)
		return false;
	for (uint32_t i = 0; i < listener->pool_count; i++)
		if (is_told_names(listener, listener->pools[i]))
			return true;
	return false;
}

bool
pool_speaks_tls(const struct pool_snapshot *pool)
{
	return pool->tls != POOL_TLS_OFF || pool->health.kind == PROBE_STARTTLS;
}

bool
pool_verifies_tls(const struct pool_snapshot *pool)
{
	return pool->tls == POOL_TLS_VERIFY ||
	       (pool->tls == POOL_TLS_IMPLICIT &&
		(!span_is_empty(pool->tls_ca) || !span_is_empty(pool->tls_name)));
}

/* Of a session with nothing at a server. */
static uint64_t
waiting_memory(const struct listener_snapshot *listener)
{
	return LIMIT_SESSION + LIMIT_SESSION_INPUT + LIMIT_SESSION_OUTPUT +
	       (listener->auth ? LIMIT_LOGIN : 0);
}

static uint64_t
largest_buffer(const struct listener_snapshot *listener)
{
	uint64_t largest = 0;

	for (uint32_t i = 0; i < listener->pool_count; i++)
		if (listener->pools[i]->retry.buffer > largest)
			largest = listener->pools[i]->retry.buffer;
	return largest;
}

/* What a transaction at a server takes beyond it. */
static uint64_t
transaction_memory(const struct listener_snapshot *listener)
{
	return LIMIT_RECIPIENT * LIMIT_RECIPIENTS_TRIED *
		       listener->smtp.max_recipients +
	       largest_buffer(listener) + LIMIT_TRANSACTION_WINDOW + LIMIT_READ +
	       LIMIT_TRANSACTION_CODED + LIMIT_UPSTREAM_OUTPUT + LIMIT_UPSTREAM_INPUT;
}

uint64_t
snapshot_session_memory(const struct snapshot *snapshot,
			const struct listener_snapshot *listener)
{
	(void)snapshot;
	if (listener->mode == LISTENER_CONNECTION)
		return LIMIT_TUNNEL;
	return waiting_memory(listener) + transaction_memory(listener);
}

/* Transactions that the servers of a pool can have at one time. */
static uint64_t
count_places(const struct pool *pool)
{
	uint64_t places = 0;

	for (uint32_t i = 0; i < pool->server_count; i++) {
		uint32_t most = atomic_load(&pool->servers[i]->max_connections);

		if (most == 0)
			return UINT32_MAX;
		places += most;
	}
	return places;
}

uint64_t
snapshot_listener_memory(const struct snapshot *snapshot,
			 const struct listener_snapshot *listener)
{
	uint64_t places = 0;

	for (uint32_t i = 0; i < listener->pool_count; i++)
		places += count_places(listener->pools[i]->pool);
	if (listener->mode == LISTENER_CONNECTION)
		return snapshot_session_memory(snapshot, listener) *
		       listener->max_connections;
	if (places > listener->max_connections)
		places = listener->max_connections;
	return waiting_memory(listener) * listener->max_connections +
	       transaction_memory(listener) * places;
}
