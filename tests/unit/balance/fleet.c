#include "fleet.h"

#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

const struct server_rules fleet_rules = {
	.rise = 2, .fall = 3, .eject = 30000, .max_ejected = 50};

static char journal[8192];
static size_t journal_length;
static unsigned journal_lines;

static void
write_journal(struct span line, enum log_level level)
{
	(void)level;
	if (line.length < sizeof(journal) - journal_length) {
		memcpy(journal + journal_length, line.at, line.length);
		journal_length += line.length;
	}
	journal_lines++;
}

unsigned
fleet_journal(char *text, size_t size)
{
	unsigned lines = journal_lines;

	snprintf(text, size, "%.*s", (int)journal_length, journal);
	journal_lines = 0;
	journal_length = 0;
	return lines;
}

void
fleet_open(struct fleet *fleet, const char *strategy, const struct server_rules *rules,
	   const struct fleet_server *servers, uint32_t count)
{
	struct server **made = calloc(count, sizeof(*made));

	log_set_sink(write_journal);
	journal_lines = 0;
	journal_length = 0;
	assert_non_null(made);
	for (uint32_t i = 0; i < count; i++) {
		char name[16];
		struct server_settings settings = {
			.address_text = SPAN("192.0.2.1:25"),
			.weight = servers[i].weight,
			.preference = servers[i].preference,
			.max_connections = servers[i].max_connections,
		};

		snprintf(name, sizeof(name), "s%u", i);
		settings.name = span_from_string(name);
		made[i] = server_new(&settings, rules->probed);
		assert_non_null(made[i]);
	}
	fleet->pool = pool_new(SPAN("hubs"), strategy_find(span_from_string(strategy)),
			       rules, made, count);
	assert_non_null(fleet->pool);
	fleet->servers = fleet->pool->servers;
	fleet->count = count;
	for (uint32_t i = 0; i < count; i++)
		server_unref(made[i]);
	free(made);
}

void
fleet_open_weights(struct fleet *fleet, const char *strategy, const uint32_t *weights,
		   uint32_t count)
{
	struct fleet_server servers[POOL_SERVERS_MAX] = {0};

	for (uint32_t i = 0; i < count; i++)
		servers[i].weight = weights[i];
	fleet_open(fleet, strategy, &fleet_rules, servers, count);
}

void
fleet_close(struct fleet *fleet)
{
	pool_free(fleet->pool);
}

uint32_t
fleet_pick(struct fleet *fleet, uint64_t key, uint64_t chance)
{
	struct pool_request request = {.now = FLEET_NOW, .key = key, .chance = chance};
	struct server *server = NULL;

	assert_int_equal(pool_pick(fleet->pool, &request, &server), POOL_PICKED);
	return server->index;
}

uint32_t
fleet_visit(struct fleet *fleet, uint64_t key, uint64_t chance)
{
	uint32_t index = fleet_pick(fleet, key, chance);

	server_put(fleet->servers[index]);
	return index;
}
