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
		"no-server",    "login"};

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

enum status
tally_init(struct tally *tally, const struct listener_snapshot *listener)
{
	uint32_t servers = listener->pool->pool->server_count;

	tally->servers = calloc(servers ? servers : 1, sizeof(*tally->servers));
	if (!tally->servers)
		return STATUS_NO_MEMORY;
	if (rate_table_init(&tally->handshakes, &listener->handshake_rate,
			    listener->max_connections) != STATUS_OK)
		return STATUS_NO_MEMORY;
	if (rate_table_init(&tally->failed_logins, &listener->auth_failures,
			    listener->max_connections) != STATUS_OK)
		return STATUS_NO_MEMORY;
	return client_table_init(&tally->clients, listener->max_connections);
}

void
tally_fini(struct tally *tally)
{
	free(tally->servers);
	client_table_fini(&tally->clients);
	rate_table_fini(&tally->handshakes);
	rate_table_fini(&tally->failed_logins);
}

struct server_tally *
tally_server(struct tally *tally, const struct server *server)
{
	return server ? &tally->servers[server->index] : &tally->nowhere;
}

void
tally_message(struct tally *tally, const struct server *server,
	      enum message_result result, uint32_t recipients, uint64_t took_us)
{
	struct server_tally *row = tally_server(tally, server);
	unsigned bucket = 0;

	tally_add(&row->messages[result], 1);
	tally_add(&row->recipients[result], recipients);
	while (bucket < TALLY_BUCKETS - 1 && took_us > tally_bounds[bucket] * 1000ull)
		bucket++;
	tally_add(&tally->seconds[bucket], 1);
	tally_add(&tally->seconds_sum_us, took_us);
}
