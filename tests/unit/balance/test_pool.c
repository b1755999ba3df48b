#include "fleet.h"
#include "smtp/sasl.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char *const strategies[] = {"round-robin", "least-connections",
					 "random",      "source",
					 "hash",        "response-time"};
#define STRATEGY_COUNT (sizeof(strategies) / sizeof(*strategies))

static void
test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < STRATEGY_COUNT; i++) {
		struct span name = span_from_string(strategies[i]);
		const struct strategy *strategy = strategy_find(name);

		assert_non_null(strategy);
		assert_string_equal(strategy_name(strategy), strategies[i]);
		assert_int_equal(strategy_wants_key(strategy), i == 3 || i == 4);
	}
	assert_null(strategy_find(SPAN("round")));
	assert_null(strategy_find(SPAN("")));
}

/* Three servers of one group and one behind them, and what is wrong with each. */
enum fault { FINE, DRAINED, TRIED, FULL, UNABLE, SMALL, RESTING };

static const struct eligibility {
	const char *name;
	enum fault faults[4];
	enum pool_result result;
	int index; /* -1: any */
} eligibilities[] = {
	{"all well: the first group", {FINE, DRAINED, TRIED, FINE}, POOL_PICKED, 0},
	{"the only one left", {DRAINED, FINE, TRIED, FINE}, POOL_PICKED, 1},
	{"a full one is passed over", {FULL, FULL, FINE, FINE}, POOL_PICKED, 2},
	{"an incapable one is passed over",
	 {UNABLE, SMALL, FINE, FINE},
	 POOL_PICKED,
	 2},
	{"one that rests is passed over",
	 {RESTING, RESTING, FINE, FINE},
	 POOL_PICKED,
	 2},
	{"all rest", {RESTING, RESTING, RESTING, RESTING}, POOL_EMPTY, -1},
	{"none is up: the next group",
	 {DRAINED, DRAINED, DRAINED, FINE},
	 POOL_PICKED,
	 3},
	{"all tried: the next group", {TRIED, TRIED, TRIED, FINE}, POOL_PICKED, 3},
	{"none is capable: the next group",
	 {UNABLE, DRAINED, SMALL, FINE},
	 POOL_PICKED,
	 3},
	{"a full one is waited for", {FULL, DRAINED, TRIED, FINE}, POOL_FULL, -1},
	{"full beats incapable", {UNABLE, FULL, TRIED, FINE}, POOL_FULL, -1},
	{"the next group is full", {DRAINED, TRIED, UNABLE, FULL}, POOL_FULL, -1},
	{"none can", {UNABLE, DRAINED, TRIED, SMALL}, POOL_INCAPABLE, -1},
	{"none can in the first group",
	 {UNABLE, DRAINED, TRIED, TRIED},
	 POOL_INCAPABLE,
	 -1},
	{"none is left", {DRAINED, TRIED, TRIED, DRAINED}, POOL_EMPTY, -1},
};

static void
spoil(struct server *server, enum fault fault, struct pool_request *request,
      uint32_t *tried)
{
	struct smtp_extensions extensions = {SMTP_SIZE | SMTP_SMTPUTF8, 10000};

	if (fault == DRAINED)
		server_observe(server, SERVER_ADMIN_DRAIN, NULL, FLEET_NOW);
	if (fault == TRIED)
		tried[request->tried_count++] = server->index;
	if (fault == FULL)
		assert_true(server_take(server));
	if (fault == RESTING)
		server_rest(server, INT64_MAX);
	if (fault == UNABLE)
		extensions.set = SMTP_SIZE;
	if (fault == SMALL)
		extensions.size = 999;
	server_learn_extensions(server, extensions, false);
}

static void
run_eligibility(const struct eligibility *row, const char *strategy, bool cold)
{
	static const struct fleet_server servers[] = {
		{3, 10, 1}, {1, 10, 1}, {2, 10, 1}, {1, 20, 1}};
	struct server_rules rules = fleet_rules;
	struct fleet fleet;
	uint32_t tried[4];
	struct server *server = NULL;
	struct pool_request request = {.now = FLEET_NOW,
				       .key = 7,
				       .chance = 7,
				       .needs = SMTP_SMTPUTF8,
				       .size = 1000,
				       .tried = tried};
	enum pool_result result;

	rules.slow_start = 1000;
	fleet_open(&fleet, strategy, &rules, servers, 4);
	for (int i = 0; i < 4; i++) {
		fleet.servers[i]->up_since = cold ? FLEET_NOW : 0;
		spoil(fleet.servers[i], row->faults[i], &request, tried);
	}
	result = pool_pick(fleet.pool, &request, &server);
	if (result != row->result ||
	    (result == POOL_PICKED && (int)server->index != row->index))
		fail_msg("%s: %s: result %d", strategy, row->name, result);
	if (result == POOL_PICKED)
		assert_int_equal(server->active, 1);
	fleet_close(&fleet);
}

static void
test_eligibility(void **state)
{
	(void)state;
	for (size_t i = 0; i < STRATEGY_COUNT; i++)
		for (size_t j = 0; j < sizeof(eligibilities) / sizeof(*eligibilities);
		     j++) {
			run_eligibility(&eligibilities[j], strategies[i], false);
			run_eligibility(&eligibilities[j], strategies[i], true);
		}
}

/* Two servers, and whether one of them could take it another time. */
static const struct ability {
	const char *name;
	enum fault faults[2];
	bool wanted;
} abilities[] = {
	{"one can", {FINE, UNABLE}, true},
	{"one that was tried can", {UNABLE, TRIED}, true},
	{"one that rests can", {RESTING, SMALL}, true},
	{"one that is full can", {SMALL, FULL}, true},
	{"one that is kept out could", {DRAINED, UNABLE}, false},
	{"none can", {SMALL, UNABLE}, false},
};

static void
test_ability(void **state)
{
	static const struct fleet_server servers[] = {{1, 10, 1}, {1, 20, 1}};
	uint32_t tried[2];

	(void)state;
	for (size_t i = 0; i < sizeof(abilities) / sizeof(*abilities); i++) {
		struct pool_request request = {.now = FLEET_NOW,
					       .needs = SMTP_SMTPUTF8,
					       .size = 1000,
					       .tried = tried};
		struct fleet fleet;

		fleet_open(&fleet, "round-robin", &fleet_rules, servers, 2);
		for (int at = 0; at < 2; at++)
			spoil(fleet.servers[at], abilities[i].faults[at], &request,
			      tried);
		if (pool_is_capable(fleet.pool, &request) != abilities[i].wanted)
			fail_msg("%s", abilities[i].name);
		fleet_close(&fleet);
	}
}

/* An ejected server is passed over while there is another, and then better than none.
 */
static void
test_last_resort(void **state)
{
	static const struct fleet_server servers[] = {{1, 10, 0}, {1, 20, 0}};
	struct pool_request request = {.now = FLEET_NOW};
	struct server_rules rules = fleet_rules;
	struct server *server;

	(void)state;
	rules.passive_failures = 1;
	rules.eject = 1000;
	rules.max_ejected = 100;
	for (size_t i = 0; i < STRATEGY_COUNT; i++) {
		struct fleet fleet;

		fleet_open(&fleet, strategies[i], &rules, servers, 2);
		server_observe(fleet.servers[0], SERVER_TRAFFIC_FAILED, "", FLEET_NOW);
		assert_int_equal(server_state_at(fleet.servers[0], FLEET_NOW),
				 SERVER_EJECTED);
		assert_int_equal(fleet_visit(&fleet, 1, 1), 1);
		server_observe(fleet.servers[1], SERVER_ADMIN_DRAIN, "", FLEET_NOW);
		assert_int_equal(pool_pick(fleet.pool, &request, &server), POOL_PICKED);
		assert_int_equal(server->index, 0);
		fleet_close(&fleet);
	}
}

/* What a server can do is not held against it before it is known. */
static void
test_unknown_extensions(void **state)
{
	static const uint32_t weight = 1;
	struct pool_request request = {.now = FLEET_NOW, .needs = SMTP_DSN, .size = 1};
	struct server *server;
	struct fleet fleet;

	(void)state;
	fleet_open_weights(&fleet, "round-robin", &weight, 1);
	assert_int_equal(pool_pick(fleet.pool, &request, &server), POOL_PICKED);
	server_learn_extensions(server, (struct smtp_extensions){SMTP_8BITMIME, 0},
				false);
	assert_int_equal(pool_pick(fleet.pool, &request, &server), POOL_INCAPABLE);
	fleet_close(&fleet);
}

/* What a server says in clear, of what it says behind TLS. */
static void
test_extensions_behind_tls(void **state)
{
	const struct smtp_extensions clear = {SMTP_SIZE | SMTP_STARTTLS, 0, 0};
	const struct smtp_extensions whole = {SMTP_SIZE, 0, SASL_PLAIN};
	const struct smtp_extensions without = {SMTP_DSN, 0, 0};
	const uint32_t weights[] = {1};
	struct smtp_extensions known;
	struct fleet fleet;
	struct server *server;

	(void)state;
	fleet_open_weights(&fleet, "random", weights, 1);
	server = fleet.servers[0];
	server_learn_extensions(server, clear, false);
	assert_true(server_extensions(server, &known));
	assert_int_equal(known.set, clear.set);
	server_learn_extensions(server, whole, true);
	server_learn_extensions(server, clear, false);
	assert_true(server_extensions(server, &known));
	assert_int_equal(known.set, whole.set);
	assert_int_equal(known.auth, SASL_PLAIN);
	server_learn_extensions(server, without, false);
	assert_true(server_extensions(server, &known));
	assert_int_equal(known.set, SMTP_DSN);
	fleet_close(&fleet);
}

static void
test_pool_extensions(void **state)
{
	static const uint32_t weights[] = {1, 1, 1};
	struct smtp_extensions known;
	struct fleet fleet;

	(void)state;
	fleet_open_weights(&fleet, "random", weights, 3);
	assert_false(pool_extensions(fleet.pool, &known));
	server_learn_extensions(
		fleet.servers[0],
		(struct smtp_extensions){SMTP_SIZE | SMTP_8BITMIME | SMTP_DSN, 0,
					 SASL_PLAIN | SASL_LOGIN},
		false);
	assert_true(pool_extensions(fleet.pool, &known));
	assert_int_equal(known.size, 0);
	assert_int_equal(known.auth, SASL_PLAIN | SASL_LOGIN);
	server_learn_extensions(fleet.servers[2],
				(struct smtp_extensions){SMTP_SIZE | SMTP_8BITMIME,
							 5000,
							 SASL_LOGIN | SASL_CRAM_MD5},
				false);
	assert_true(pool_extensions(fleet.pool, &known));
	assert_int_equal(known.set, SMTP_SIZE | SMTP_8BITMIME);
	assert_int_equal(known.size, 5000);
	assert_int_equal(known.auth, SASL_LOGIN);
	fleet_close(&fleet);
}

static void
test_share_wanted(void **state)
{
	static const struct fleet_server servers[] = {
		{5, 10, 0}, {3, 10, 0}, {2, 10, 0}, {1, 20, 0}};
	struct fleet fleet;
	struct server **at;

	(void)state;
	fleet_open(&fleet, "round-robin", &fleet_rules, servers, 4);
	at = fleet.servers;
	assert_true(pool_share_wanted(fleet.pool, at[0], FLEET_NOW) == 0.5);
	assert_true(pool_share_wanted(fleet.pool, at[3], FLEET_NOW) == 0);
	server_observe(at[0], SERVER_ADMIN_MAINT, NULL, FLEET_NOW);
	assert_true(pool_share_wanted(fleet.pool, at[0], FLEET_NOW) == 0);
	assert_true(pool_share_wanted(fleet.pool, at[1], FLEET_NOW) == 0.6);
	server_observe(at[1], SERVER_ADMIN_MAINT, NULL, FLEET_NOW);
	server_observe(at[2], SERVER_ADMIN_MAINT, NULL, FLEET_NOW);
	assert_true(pool_share_wanted(fleet.pool, at[3], FLEET_NOW) == 1);
	assert_int_equal(pool_up_count(fleet.pool, FLEET_NOW), 1);
	fleet_close(&fleet);
}

static void
test_observed(void **state)
{
	static const struct fleet_server servers[] = {{1, 0, 0}, {1, 0, 0}};
	struct server_rules rules = fleet_rules;
	struct fleet fleet;

	(void)state;
	rules.probed = true;
	fleet_open(&fleet, "round-robin", &rules, servers, 2);
	assert_int_equal(pool_up_count(fleet.pool, FLEET_NOW), 0);
	server_observe(fleet.servers[1], SERVER_PROBE_PASSED, "ok", FLEET_NOW);
	assert_false(pool_is_observed(fleet.pool));
	server_observe(fleet.servers[0], SERVER_PROBE_FAILED, "refused", FLEET_NOW);
	assert_true(pool_is_observed(fleet.pool));
	assert_int_equal(pool_up_count(fleet.pool, FLEET_NOW), 1);
	fleet_close(&fleet);
}

/* A reload: the servers go on in a new pool, with what they had. */
static void
test_adoption(void **state)
{
	static const struct fleet_server servers[] = {{1, 0, 0}, {1, 0, 0}, {1, 0, 0}};
	struct server_rules rules = fleet_rules;
	struct fleet fleet;
	struct pool *next;
	struct server *moved;

	(void)state;
	rules.passive_failures = 1;
	fleet_open(&fleet, "round-robin", &rules, servers, 3);
	server_observe(fleet.servers[1], SERVER_TRAFFIC_FAILED, "lost", FLEET_NOW);
	next = pool_new(SPAN("hubs"), strategy_find(SPAN("random")), &rules,
			fleet.servers + 1, 2);
	assert_non_null(next);
	moved = next->servers[0];
	assert_int_equal(moved->index, 0);
	assert_int_equal(next->ejected, 1);
	assert_ptr_equal(fleet.servers[0]->pool, fleet.pool);
	fleet_close(&fleet);
	assert_ptr_equal(moved->pool, next);
	assert_true(server_tick(moved, FLEET_NOW + 30000));
	assert_int_equal(next->ejected, 0);
	pool_free(next);
}

static void
test_no_servers(void **state)
{
	struct fleet fleet;
	struct server *server;
	struct pool_request request = {.now = FLEET_NOW};

	(void)state;
	for (size_t i = 0; i < STRATEGY_COUNT; i++) {
		static const uint32_t none[2] = {0, 0};

		fleet_open_weights(&fleet, strategies[i], none, 2);
		assert_int_equal(pool_pick(fleet.pool, &request, &server), POOL_EMPTY);
		fleet_close(&fleet);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_eligibility),
		cmocka_unit_test(test_ability),
		cmocka_unit_test(test_last_resort),
		cmocka_unit_test(test_unknown_extensions),
		cmocka_unit_test(test_pool_extensions),
		cmocka_unit_test(test_extensions_behind_tls),
		cmocka_unit_test(test_share_wanted),
		cmocka_unit_test(test_observed),
		cmocka_unit_test(test_adoption),
		cmocka_unit_test(test_no_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
