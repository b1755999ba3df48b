#include "proxy/tally.h"

#include <stdlib.h>

const uint32_t tally_bounds[TALLY_BUCKETS - 1] = {1,   5,    10,   25,    50,    100,
						  250, 1000, 5000, 30000, 300000};

const char *
message_result_name(enum message_result result)
{
	static const char *const names[MESSAGE_RESULT_COUNT] = {
		[MESSAGE_ACCEPTED] = "accepted",   [MESSAGE_REJECTED] = "rejected",
		[MESSAGE_DEFERRED] = "deferred",   [MESSAGE_ABORTED] = "aborted",
		[MESSAGE_AMBIGUOUS] = "ambiguous",
	};

	return names[result];
}

const char *
reject_reason_name(unsigned reason)
{
	static const char *const names[REJECT_COUNT - SMTP_REFUSAL_COUNT] = {
		"connections",  "client-connections",
		"proxy-header", "loop",
		"handshake",    "server",
		"no-server",    "login",
		"route",        "rate"};

	if (reason < SMTP_REFUSAL_COUNT)
		return smtp_refusal_name((enum smtp_refusal)reason);
	return names[reason - SMTP_REFUSAL_COUNT];
}

const char *
retry_phase_name(enum retry_phase phase)
{
	static const char *const names[RETRY_PHASE_COUNT] = {
		[RETRY_CONNECT] = "connect",   [RETRY_GREETING] = "greeting",
		[RETRY_ENVELOPE] = "envelope", [RETRY_DATA] = "data",
		[RETRY_BODY] = "body",         [RETRY_STALE] = "stale",
	};

	return names[phase];
}

static enum status
init_pools(struct tally *tally, const struct snapshot *snapshot,
	   const struct listener_snapshot *listener)
{
	tally->pools = calloc(snapshot->pool_count, sizeof(*tally->pools));
	if (!tally->pools)
		return STATUS_NO_MEMORY;
	tally->pool_count = snapshot->pool_count;
	for (uint32_t i = 0; i < listener->pool_count; i++) {
		const struct pool_snapshot *pool = listener->pools[i];
		struct pool_tally *row = &tally->pools[pool->index];

		row->servers =
			calloc(pool->pool->server_count + 1, sizeof(*row->servers));
		if (!row->servers)
			return STATUS_NO_MEMORY;
	}
	return STATUS_OK;
}

enum status
tally_init(struct tally *tally, const struct snapshot *snapshot,
	   const struct listener_snapshot *listener)
{
	if (init_pools(tally, snapshot, listener) != STATUS_OK)
		return STATUS_NO_MEMORY;
	if (rates_init(&tally->rates, listener) != STATUS_OK)
		return STATUS_NO_MEMORY;
	return client_table_init(&tally->clients, listener->max_connections);
}

void
tally_fini(struct tally *tally)
{
	for (uint32_t i = 0; i < tally->pool_count; i++)
		free(tally->pools[i].servers);
	free(tally->pools);
	client_table_fini(&tally->clients);
	rates_fini(&tally->rates);
}

struct server_tally *
tally_server(struct tally *tally, const struct pool_snapshot *pool,
	     const struct server *server)
{
	struct pool_tally *row = &tally->pools[pool->index];

	return server ? &row->servers[server->index] : &row->nowhere;
}

void
tally_message(struct tally *tally, struct server_tally *row, enum message_result result,
	      uint32_t recipients, uint64_t took_us)
{
	unsigned bucket = 0;

	tally_add(&row->messages[result], 1);
	tally_add(&row->recipients[result], recipients);
	while (bucket < TALLY_BUCKETS - 1 && took_us > tally_bounds[bucket] * 1000ull)
		bucket++;
	tally_add(&tally->seconds[bucket], 1);
	tally_add(&tally->seconds_sum_us, took_us);
}
