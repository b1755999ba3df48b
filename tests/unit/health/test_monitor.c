#include "fake.h"

#include "base/log.h"
#include "config/snapshot.h"
#include "health/monitor.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Rounds of the loop until a test gives up; each waits ROUND milliseconds at most. */
#define ROUNDS 2000
#define ROUND 20

/* Two servers: a fake one, and one whose address is never known. */
struct scene {
	struct loop loop;
	struct fake fake;
	struct server *servers[2];
	struct pool_snapshot pool;
	struct snapshot snapshot;
	struct monitor *monitor;
};

static const struct fake_turn good[FAKE_TURNS] = {{NULL, "220 hi\r\n"},
						  {"QUIT", "221 bye\r\n"}};
static const struct fake_turn bad[FAKE_TURNS] = {{NULL, "554 no\r\n"},
						 {"QUIT", "221 bye\r\n"}};
static const struct fake_turn silent[FAKE_TURNS] = {{NULL, NULL}};

static unsigned lines;

static void
count_line(struct span line, enum log_level level)
{
	(void)line;
	(void)level;
	lines++;
}

static struct server *
make_server(const char *name, const struct endpoint *address, bool probed)
{
	struct server_settings settings = {.name = span_from_string(name),
					   .address_text = SPAN("a.example:25"),
					   .weight = 1};
	struct server *server;

	if (address)
		settings.address = *address;
	server = server_new(&settings, probed);
	assert_non_null(server);
	return server;
}

static void
open_scene(struct scene *scene, const struct fake_turn *turns, enum probe_kind kind)
{
	struct server_rules rules = {
		.rise = 2, .fall = 3, .probed = kind != PROBE_NONE};

	log_set_sink(count_line);
	lines = 0;
	*scene = (struct scene){0};
	assert_int_equal(loop_open(&scene->loop), STATUS_OK);
	fake_open(&scene->fake, &scene->loop, turns);
	scene->servers[0] =
		make_server("fake", &scene->fake.listener.address, rules.probed);
	scene->servers[1] = make_server("lost", NULL, rules.probed);
	scene->pool.pool = pool_new(SPAN("hubs"), strategy_find(SPAN("round-robin")),
				    &rules, scene->servers, 2);
	assert_non_null(scene->pool.pool);
	scene->pool.health.kind = kind;
	scene->pool.health.interval = 20;
	scene->pool.health.fast_interval = 10;
	scene->pool.health.down_interval = 30;
	scene->pool.health.timeout = turns == silent ? 50 : 10000;
	scene->snapshot = (struct snapshot){
		.hostname = SPAN("mx.test"), .pools = &scene->pool, .pool_count = 1};
	scene->monitor = monitor_new(&scene->loop);
	assert_non_null(scene->monitor);
	assert_int_equal(monitor_watch(scene->monitor, &scene->snapshot, NULL),
			 STATUS_OK);
}

static void
close_scene(struct scene *scene)
{
	monitor_free(scene->monitor);
	pool_free(scene->pool.pool);
	server_unref(scene->servers[0]);
	server_unref(scene->servers[1]);
	fake_close(&scene->fake);
	loop_close(&scene->loop);
}

static bool
run_until_state(struct scene *scene, int index, enum server_state state)
{
	for (int i = 0; i < ROUNDS; i++) {
		if (server_state_at(scene->servers[index], scene->loop.now) == state &&
		    scene->servers[index]->probed_once)
			return true;
		loop_round(&scene->loop, ROUND);
	}
	return false;
}

static bool
run_until_visits(struct scene *scene, unsigned visits)
{
	for (int i = 0; i < ROUNDS && scene->fake.visits < visits; i++)
		loop_round(&scene->loop, ROUND);
	return scene->fake.visits >= visits;
}

static void
test_first_results(void **state)
{
	struct scene scene;
	const struct probe_record *last;

	(void)state;
	open_scene(&scene, good, PROBE_BANNER);
	assert_null(monitor_last(scene.monitor, scene.servers[0]));
	assert_false(pool_is_observed(scene.pool.pool));
	assert_true(run_until_state(&scene, 0, SERVER_UP));
	assert_true(run_until_state(&scene, 1, SERVER_DOWN));
	assert_true(pool_is_observed(scene.pool.pool));
	assert_int_equal(lines, 2);
	last = monitor_last(scene.monitor, scene.servers[0]);
	assert_true(last && last->passed && last->at > 0);
	assert_true(span_equals(probe_record_text(last),
				SPAN("S: 220 hi\nC: QUIT\nS: 221 bye\n")));
	last = monitor_last(scene.monitor, scene.servers[1]);
	assert_string_equal(last->result, "address not resolved");
	close_scene(&scene);
}

/* Down after three more, up after two more; one line a change. */
static void
test_changes(void **state)
{
	struct scene scene;
	unsigned visits;

	(void)state;
	open_scene(&scene, good, PROBE_BANNER);
	assert_true(run_until_state(&scene, 0, SERVER_UP));
	assert_true(run_until_state(&scene, 1, SERVER_DOWN));
	lines = 0;
	scene.fake.turns = bad;
	visits = scene.fake.visits;
	assert_true(run_until_state(&scene, 0, SERVER_DOWN));
	assert_in_range(scene.fake.visits - visits, 3, 4);
	scene.fake.turns = good;
	visits = scene.fake.visits;
	assert_true(run_until_state(&scene, 0, SERVER_UP));
	assert_in_range(scene.fake.visits - visits, 2, 3);
	assert_int_equal(lines, 2);
	assert_false(scene.fake.left_early);
	close_scene(&scene);
}

/* Each probe lasts longer than the interval. */
static void
test_one_at_a_time(void **state)
{
	struct scene scene;

	(void)state;
	open_scene(&scene, silent, PROBE_BANNER);
	assert_true(run_until_visits(&scene, 5));
	assert_int_equal(scene.fake.at_once, 1);
	close_scene(&scene);
}

static void
test_maintenance(void **state)
{
	struct scene scene;
	unsigned visits;

	(void)state;
	open_scene(&scene, good, PROBE_BANNER);
	assert_true(run_until_state(&scene, 0, SERVER_UP));
	server_observe(scene.servers[0], SERVER_ADMIN_MAINT, "test", scene.loop.now);
	for (int i = 0; i < 10; i++) /* what was under way ends */
		loop_round(&scene.loop, ROUND);
	visits = scene.fake.visits;
	for (int i = 0; i < 10; i++)
		loop_round(&scene.loop, ROUND);
	assert_int_equal(scene.fake.visits, visits);
	server_observe(scene.servers[0], SERVER_ADMIN_READY, "test", scene.loop.now);
	assert_int_equal(server_state_at(scene.servers[0], scene.loop.now),
			 SERVER_DOWN);
	assert_true(run_until_state(&scene, 0, SERVER_UP));
	close_scene(&scene);
}

static void
test_no_probe(void **state)
{
	struct scene scene;

	(void)state;
	open_scene(&scene, good, PROBE_NONE);
	assert_true(server_is_up(scene.servers[0], scene.loop.now));
	for (int i = 0; i < 20; i++)
		loop_round(&scene.loop, ROUND);
	assert_int_equal(scene.fake.visits, 0);
	assert_null(monitor_last(scene.monitor, scene.servers[0]));
	close_scene(&scene);
}

static void
test_times(void **state)
{
	struct scene scene;
	struct monitor_times times;
	uint64_t count = 0;

	(void)state;
	open_scene(&scene, good, PROBE_BANNER);
	assert_true(run_until_visits(&scene, 4));
	assert_true(monitor_times(scene.monitor, scene.servers[0], &times));
	for (int i = 0; i < SERVER_REPLY_BUCKETS; i++)
		count += times.buckets[i];
	assert_in_range(count, 3, 4);
	assert_true(times.sum_us > 0);
	close_scene(&scene);
}

/* A reload: one server stays and is remembered, the other goes. */
static void
test_new_configuration(void **state)
{
	struct scene scene;
	struct pool_snapshot next;
	struct snapshot snapshot;
	struct monitor_times times;
	unsigned visits;

	(void)state;
	open_scene(&scene, good, PROBE_BANNER);
	assert_true(run_until_state(&scene, 0, SERVER_UP));
	next = scene.pool;
	next.pool = pool_new(SPAN("hubs"), scene.pool.pool->strategy,
			     &scene.pool.pool->rules, scene.servers, 1);
	assert_non_null(next.pool);
	snapshot = scene.snapshot;
	snapshot.pools = &next;
	assert_int_equal(monitor_watch(scene.monitor, &snapshot, NULL), STATUS_OK);
	assert_non_null(monitor_last(scene.monitor, scene.servers[0]));
	assert_null(monitor_last(scene.monitor, scene.servers[1]));
	assert_false(monitor_times(scene.monitor, scene.servers[1], &times));
	visits = scene.fake.visits;
	assert_true(run_until_visits(&scene, visits + 2));
	assert_true(server_is_up(scene.servers[0], scene.loop.now));
	monitor_free(scene.monitor);
	scene.monitor = NULL;
	pool_free(next.pool);
	close_scene(&scene);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_results),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_one_at_a_time),
		cmocka_unit_test(test_maintenance),
		cmocka_unit_test(test_no_probe),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_new_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
