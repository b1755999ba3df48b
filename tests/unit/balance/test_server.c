#include "fleet.h"

#include "base/log.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define TICK SERVER_OBSERVATION_COUNT

/* One observation of the first of four servers, and what it leads to. */
struct step {
	int observation;         /* or TICK */
	int64_t at;              /* seconds after FLEET_NOW */
	enum server_state state; /* after it */
	const char *line;        /* the end of the line it logs; NULL: none */
};

struct conversation {
	const char *name;
	bool probed;
	uint32_t passive_failures;
	unsigned count;
	struct step steps[12];
};

#define PASS SERVER_PROBE_PASSED
#define FAIL SERVER_PROBE_FAILED
#define WORK SERVER_TRAFFIC_WORKED
#define LOSE SERVER_TRAFFIC_FAILED

/* rise 2, fall 3, ejected for 30 s */
static const struct conversation conversations[] = {
	{.name = "the first probe decides: up",
	 .probed = true,
	 .count = 2,
	 .steps = {{TICK, 0, SERVER_DOWN, NULL},
		   {PASS, 0, SERVER_UP, "level=info state=up was=- why=w"}}},
	{.name = "the first probe decides: down",
	 .probed = true,
	 .count = 2,
	 .steps = {{FAIL, 0, SERVER_DOWN, "level=warning state=down was=- why=w"},
		   {FAIL, 1, SERVER_DOWN, NULL}}},
	{.name = "fall takes three in a row",
	 .probed = true,
	 .count = 7,
	 .steps = {{PASS, 0, SERVER_UP, "level=info state=up was=- why=w"},
		   {FAIL, 1, SERVER_UP, NULL},
		   {FAIL, 2, SERVER_UP, NULL},
		   {PASS, 3, SERVER_UP, NULL},
		   {FAIL, 4, SERVER_UP, NULL},
		   {FAIL, 5, SERVER_UP, NULL},
		   {FAIL, 6, SERVER_DOWN, "level=warning state=down was=up why=w"}}},
	{.name = "rise takes two in a row",
	 .probed = true,
	 .count = 5,
	 .steps = {{FAIL, 0, SERVER_DOWN, "level=warning state=down was=- why=w"},
		   {PASS, 1, SERVER_DOWN, NULL},
		   {FAIL, 2, SERVER_DOWN, NULL},
		   {PASS, 3, SERVER_DOWN, NULL},
		   {PASS, 4, SERVER_UP, "level=info state=up was=down why=w"}}},
	{.name = "a server without probe is up and silent",
	 .count = 2,
	 .steps = {{TICK, 0, SERVER_UP, NULL}, {WORK, 1, SERVER_UP, NULL}}},
	{.name = "traffic ejects, time brings back",
	 .passive_failures = 3,
	 .count = 7,
	 .steps = {{LOSE, 0, SERVER_UP, NULL},
		   {LOSE, 0, SERVER_UP, NULL},
		   {LOSE, 0, SERVER_EJECTED,
		    "level=warning state=ejected was=up why=w"},
		   {TICK, 29, SERVER_EJECTED, NULL},
		   {TICK, 30, SERVER_UP,
		    "level=info state=up was=ejected why=\"ejection over\""},
		   {TICK, 31, SERVER_UP, NULL},
		   {WORK, 32, SERVER_UP, NULL}}},
	{.name = "a message that works starts the count again",
	 .passive_failures = 2,
	 .count = 4,
	 .steps = {{LOSE, 0, SERVER_UP, NULL},
		   {WORK, 0, SERVER_UP, NULL},
		   {LOSE, 0, SERVER_UP, NULL},
		   {LOSE, 0, SERVER_EJECTED,
		    "level=warning state=ejected was=up why=w"}}},
	{.name = "each ejection is longer, a long calm forgets",
	 .passive_failures = 1,
	 .count = 10,
	 .steps = {{LOSE, 0, SERVER_EJECTED,
		    "level=warning state=ejected was=up why=w"},
		   {TICK, 30, SERVER_UP,
		    "level=info state=up was=ejected why=\"ejection over\""},
		   {LOSE, 30, SERVER_EJECTED,
		    "level=warning state=ejected was=up why=w"},
		   {TICK, 89, SERVER_EJECTED, NULL},
		   {TICK, 90, SERVER_UP,
		    "level=info state=up was=ejected why=\"ejection over\""},
		   {TICK, 390, SERVER_UP, NULL},
		   {LOSE, 400, SERVER_EJECTED,
		    "level=warning state=ejected was=up why=w"},
		   {LOSE, 401, SERVER_EJECTED, NULL},
		   {TICK, 429, SERVER_EJECTED, NULL},
		   {TICK, 430, SERVER_UP,
		    "level=info state=up was=ejected why=\"ejection over\""}}},
	{.name = "an observation after the end finds it up again",
	 .passive_failures = 2,
	 .count = 3,
	 .steps = {{LOSE, 0, SERVER_UP, NULL},
		   {LOSE, 0, SERVER_EJECTED,
		    "level=warning state=ejected was=up why=w"},
		   {LOSE, 31, SERVER_UP,
		    "level=info state=up was=ejected why=\"ejection over\""}}},
	{.name = "a probe that passes does not end an ejection",
	 .probed = true,
	 .passive_failures = 1,
	 .count = 4,
	 .steps = {{PASS, 0, SERVER_UP, "level=info state=up was=- why=w"},
		   {LOSE, 1, SERVER_EJECTED,
		    "level=warning state=ejected was=up why=w"},
		   {PASS, 2, SERVER_EJECTED, NULL},
		   {PASS, 3, SERVER_EJECTED, NULL}}},
	{.name = "an ejected server goes down",
	 .probed = true,
	 .passive_failures = 1,
	 .count = 6,
	 .steps = {{PASS, 0, SERVER_UP, "level=info state=up was=- why=w"},
		   {LOSE, 1, SERVER_EJECTED,
		    "level=warning state=ejected was=up why=w"},
		   {FAIL, 2, SERVER_EJECTED, NULL},
		   {FAIL, 3, SERVER_EJECTED, NULL},
		   {FAIL, 4, SERVER_DOWN, "level=warning state=down was=ejected why=w"},
		   {TICK, 40, SERVER_DOWN, NULL}}},
	{.name = "the administrator drains and returns",
	 .count = 4,
	 .steps = {{SERVER_ADMIN_DRAIN, 0, SERVER_DRAIN,
		    "level=warning state=drain was=up why=w"},
		   {SERVER_ADMIN_DRAIN, 1, SERVER_DRAIN, NULL},
		   {WORK, 2, SERVER_DRAIN, NULL},
		   {SERVER_ADMIN_READY, 3, SERVER_UP,
		    "level=info state=up was=drain why=w"}}},
	{.name = "after maintenance the next probe decides",
	 .probed = true,
	 .count = 5,
	 .steps = {{PASS, 0, SERVER_UP, "level=info state=up was=- why=w"},
		   {SERVER_ADMIN_MAINT, 1, SERVER_MAINT,
		    "level=warning state=maint was=up why=w"},
		   {SERVER_ADMIN_READY, 2, SERVER_DOWN, NULL},
		   {PASS, 3, SERVER_UP, "level=info state=up was=maint why=w"},
		   {PASS, 4, SERVER_UP, NULL}}},
	{.name = "ready forgives what traffic said",
	 .passive_failures = 1,
	 .count = 2,
	 .steps = {{LOSE, 0, SERVER_EJECTED,
		    "level=warning state=ejected was=up why=w"},
		   {SERVER_ADMIN_READY, 1, SERVER_UP,
		    "level=info state=up was=ejected why=w"}}},
};

static void
expect_line(const struct conversation *row, unsigned at, const char *wanted)
{
	char line[1024], short_line[512], level[16] = "", rest[256] = "";
	unsigned lines = fleet_journal(line, sizeof(line));
	const char *keys = strstr(line, "level=");

	if (keys)
		sscanf(keys, "level=%15s event=server pool=hubs server=s0 %255[^\n]",
		       level, rest);
	snprintf(short_line, sizeof(short_line), "level=%s %s", level, rest);
	if (lines != (wanted ? 1 : 0) || (wanted && strcmp(wanted, short_line)))
		fail_msg("%s: step %u: %u lines: %s", row->name, at, lines, line);
}

static void
run_conversation(const struct conversation *row)
{
	static const struct fleet_server four[4] = {
		{1, 0, 0}, {1, 0, 0}, {1, 0, 0}, {1, 0, 0}};
	struct server_rules rules = fleet_rules;
	struct fleet fleet;
	char text[1024];

	rules.probed = row->probed;
	rules.passive_failures = row->passive_failures;
	fleet_open(&fleet, "round-robin", &rules, four, 4);
	for (unsigned i = 1; i < 4 && row->probed; i++)
		server_observe(fleet.servers[i], PASS, "w", FLEET_NOW);
	fleet_journal(text, sizeof(text));
	for (unsigned i = 0; i < row->count; i++) {
		const struct step *step = &row->steps[i];
		int64_t now = FLEET_NOW + step->at * 1000;
		bool changed = step->observation == TICK
				       ? server_tick(fleet.servers[0], now)
				       : server_observe(fleet.servers[0],
							step->observation, "w", now);
		enum server_state state = server_state_at(fleet.servers[0], now);

		if (state != step->state || changed != (step->line != NULL))
			fail_msg("%s: step %u: %s", row->name, i,
				 server_state_name(state));
		expect_line(row, i, step->line);
	}
	fleet_close(&fleet);
}

static void
test_conversations(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(conversations) / sizeof(*conversations); i++)
		run_conversation(&conversations[i]);
}

static void
test_max_ejected(void **state)
{
	static const struct {
		const char *name;
		uint32_t servers, percent, ejected;
	} rows[] = {
		{"half of four", 4, 50, 2},
		{"half of five, rounded down", 5, 50, 2},
		{"at least one of three", 3, 10, 1},
		{"one of two", 2, 50, 1},
		{"the only server never", 1, 100, 0},
		{"the last one never", 4, 100, 3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fleet_server servers[8] = {0};
		struct server_rules rules = fleet_rules;
		struct fleet fleet;
		uint32_t ejected = 0;

		rules.passive_failures = 1;
		rules.max_ejected = rows[i].percent;
		for (uint32_t j = 0; j < rows[i].servers; j++)
			servers[j].weight = 1;
		fleet_open(&fleet, "random", &rules, servers, rows[i].servers);
		for (uint32_t j = 0; j < 3 * rows[i].servers; j++)
			server_observe(fleet.servers[j % rows[i].servers],
				       SERVER_TRAFFIC_FAILED, "lost", FLEET_NOW);
		for (uint32_t j = 0; j < rows[i].servers; j++)
			ejected += server_state_at(fleet.servers[j], FLEET_NOW) ==
				   SERVER_EJECTED;
		if (ejected != rows[i].ejected || fleet.pool->ejected != ejected)
			fail_msg("%s: %u ejected", rows[i].name, ejected);
		for (uint32_t j = 0; j < rows[i].servers; j++)
			server_tick(fleet.servers[j], FLEET_NOW + 30000);
		assert_int_equal(fleet.pool->ejected, 0);
		fleet_close(&fleet);
	}
}

static void
test_weight_zero_drains(void **state)
{
	static const uint32_t weights[] = {2, 1};
	struct fleet fleet;
	char text[1024];

	(void)state;
	fleet_open_weights(&fleet, "round-robin", weights, 2);
	pool_set_weight(fleet.pool, fleet.servers[0], 0, FLEET_NOW);
	assert_int_equal(server_state_at(fleet.servers[0], FLEET_NOW), SERVER_DRAIN);
	assert_int_equal(fleet_journal(text, sizeof(text)), 1);
	assert_non_null(strstr(text, "state=drain was=up why=\"weight 0\""));
	pool_set_weight(fleet.pool, fleet.servers[0], 5, FLEET_NOW);
	assert_int_equal(server_state_at(fleet.servers[0], FLEET_NOW), SERVER_UP);
	assert_int_equal(fleet_journal(text, sizeof(text)), 1);
	fleet_close(&fleet);
}

static void
test_places(void **state)
{
	static const struct fleet_server one = {.weight = 1, .max_connections = 2};
	struct fleet fleet;

	(void)state;
	fleet_open(&fleet, "round-robin", &fleet_rules, &one, 1);
	assert_true(server_take(fleet.servers[0]));
	assert_true(server_take(fleet.servers[0]));
	assert_false(server_take(fleet.servers[0]));
	server_put(fleet.servers[0]);
	assert_true(server_take(fleet.servers[0]));
	assert_int_equal(fleet.servers[0]->active, 2);
	fleet_close(&fleet);
}

static void
test_held_places(void **state)
{
	static const struct fleet_server one = {.weight = 1, .max_connections = 1};
	struct fleet fleet;

	(void)state;
	fleet_open(&fleet, "round-robin", &fleet_rules, &one, 1);
	assert_false(server_is_full(fleet.servers[0]));
	server_hold(fleet.servers[0]);
	assert_true(server_is_full(fleet.servers[0]));
	assert_false(server_take(fleet.servers[0]));
	server_take_held(fleet.servers[0]);
	assert_int_equal(fleet.servers[0]->active, 1);
	assert_int_equal(fleet.servers[0]->held, 0);
	server_put(fleet.servers[0]);
	server_hold(fleet.servers[0]);
	server_put_held(fleet.servers[0]);
	assert_true(server_take(fleet.servers[0]));
	fleet_close(&fleet);
}

static void
test_warmth(void **state)
{
	static const struct fleet_server two[2] = {{1, 0, 0}, {1, 0, 0}};
	struct server_rules rules = fleet_rules;
	struct fleet fleet;
	struct server *server;

	(void)state;
	rules.probed = true;
	rules.slow_start = 10000;
	fleet_open(&fleet, "round-robin", &rules, two, 2);
	server = fleet.servers[0];
	server_observe(server, PASS, "w", FLEET_NOW);
	assert_int_equal(server_warmth(server, FLEET_NOW), 256);
	for (int i = 0; i < 3; i++)
		server_observe(server, FAIL, "w", FLEET_NOW);
	for (int i = 0; i < 2; i++)
		server_observe(server, PASS, "w", FLEET_NOW);
	assert_int_equal(server_warmth(server, FLEET_NOW), 0);
	assert_int_equal(server_warmth(server, FLEET_NOW + 5000), 128);
	assert_int_equal(server_warmth(server, FLEET_NOW + 10000), 256);
	fleet_close(&fleet);
}

static void
test_replies(void **state)
{
	static const uint32_t weight = 1;
	struct fleet fleet;
	struct server *server;

	(void)state;
	fleet_open_weights(&fleet, "round-robin", &weight, 1);
	server = fleet.servers[0];
	server_count_reply(server, 8000);
	assert_int_equal(server->reply_ewma, 8000);
	server_count_reply(server, 16000);
	assert_int_equal(server->reply_ewma, 9000);
	server_count_reply(server, 5000);
	server_count_reply(server, 3600000000u);
	assert_int_equal(server->counters.replies[0], 1);
	assert_int_equal(server->counters.replies[1], 1);
	assert_int_equal(server->counters.replies[2], 1);
	assert_int_equal(server->counters.replies[SERVER_REPLY_BUCKETS - 1], 1);
	assert_int_equal(server->counters.reply_us, 3600029000u);
	fleet_close(&fleet);
}

static void
test_address(void **state)
{
	struct server_settings settings = {.name = SPAN("a"),
					   .address_text = SPAN("mail.example:25")};
	struct server *server = server_new(&settings, true);
	struct endpoint address, found;

	(void)state;
	assert_non_null(server);
	assert_false(server_address(server, &found));
	assert_true(endpoint_read(SPAN("[2001:db8::1]:2525"), &address));
	server_set_address(server, &address);
	assert_true(server_address(server, &found));
	assert_true(endpoint_equals(&address, &found));
	server_unref(server);
}

/* Two threads complain and praise at once: edges alternate, and the count is kept. */
static void *
complain(void *argument)
{
	struct fleet *fleet = argument;

	for (int i = 0; i < 20000; i++) {
		server_observe(fleet->servers[i % 4], SERVER_TRAFFIC_FAILED, "lost",
			       FLEET_NOW + i);
		server_tick(fleet->servers[(i + 1) % 4], FLEET_NOW + i);
	}
	return NULL;
}

static void
drop_line(struct span line, enum log_level level)
{
	(void)line;
	(void)level;
}

static void
test_threads(void **state)
{
	static const struct fleet_server four[4] = {
		{1, 0, 0}, {1, 0, 0}, {1, 0, 0}, {1, 0, 0}};
	struct server_rules rules = fleet_rules;
	struct fleet fleet;
	pthread_t threads[3];

	(void)state;
	rules.passive_failures = 2;
	rules.eject = 10;
	fleet_open(&fleet, "round-robin", &rules, four, 4);
	log_set_sink(drop_line);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, complain, &fleet),
				 0);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_true(fleet.pool->ejected <= 2);
	for (int i = 0; i < 4; i++)
		server_tick(fleet.servers[i], FLEET_NOW + 1000000);
	assert_int_equal(fleet.pool->ejected, 0);
	assert_int_equal(pool_up_count(fleet.pool, FLEET_NOW + 1000000), 4);
	fleet_close(&fleet);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversations),
		cmocka_unit_test(test_max_ejected),
		cmocka_unit_test(test_weight_zero_drains),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_held_places),
		cmocka_unit_test(test_warmth),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
