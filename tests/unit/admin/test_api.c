#include "scene.h"

#include "admin/api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* Takes the value over. */
static void
expect_json(json_t *value, const char *wanted)
{
	char *text;

	assert_non_null(value);
	text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(6));
	json_decref(value);
	assert_non_null(text);
	assert_string_equal(text, wanted);
	free(text);
}

static void
count_some(struct scene *scene)
{
	struct server_counters *a = &scene_server(scene, 0)->counters;
	struct server_counters *b = &scene_server(scene, 1)->counters;

	a->messages = 1200;
	a->recipients = 1410;
	a->bytes = 7340032;
	a->failures[SERVER_FAILURE_4XX] = 2;
	a->failures[SERVER_FAILURE_TIMEOUT] = 1;
	b->messages = 400;
	scene_server(scene, 1)->active = 3;
}

static void
test_pools(void **state)
{
	struct scene scene;

	(void)state;
	scene_open(&scene, scene_text);
	count_some(&scene);
	server_observe(scene_server(&scene, 1), SERVER_ADMIN_MAINT, NULL,
		       scene.loop.now);
	server_set_fault(scene_server(&scene, 1), SERVER_FAULT_IDENTITY,
			 SERVER_FAULT_PASSES, "no XCLIENT");
	expect_json(
		api_pools(&scene.view),
		"{\"pools\":[{\"name\":\"hubs\",\"balance\":\"round-robin\","
		"\"servers\":["
		"{\"name\":\"a\",\"address\":\"127.0.0.1:1\",\"state\":\"up\","
		"\"weight\":3,"
		"\"preference\":10,\"active\":0,\"held\":0,\"messages\":1200,"
		"\"recipients\":1410,"
		"\"bytes\":7340032,\"share_wanted\":1.0,\"share\":0.75,\"failures\":{"
		"\"connect\":0,\"greeting\":0,\"timeout\":1,\"lost\":0,\"4xx\":2,"
		"\"5xx\":0,\"tls\":0},"
		"\"fault\":null,\"last_probe\":null},"
		"{\"name\":\"b\",\"address\":\"127.0.0.1:2\",\"state\":\"maint\","
		"\"weight\":1,"
		"\"preference\":10,\"active\":3,\"held\":0,\"messages\":400,"
		"\"recipients\":0,"
		"\"bytes\":0,\"share_wanted\":0.0,\"share\":0.25,\"failures\":{"
		"\"connect\":0,\"greeting\":0,\"timeout\":0,\"lost\":0,\"4xx\":0,"
		"\"5xx\":0,\"tls\":0},"
		"\"fault\":\"no XCLIENT\",\"last_probe\":null}]},"
		"{\"name\":\"spare\",\"balance\":\"round-robin\",\"servers\":["
		"{\"name\":\"c\",\"address\":\"127.0.0.1:3\",\"state\":\"down\","
		"\"weight\":1,"
		"\"preference\":10,\"active\":0,\"held\":0,\"messages\":0,"
		"\"recipients\":0,"
		"\"bytes\":0,\"share_wanted\":0.0,\"share\":0.0,\"failures\":{"
		"\"connect\":0,\"greeting\":0,\"timeout\":0,\"lost\":0,\"4xx\":0,"
		"\"5xx\":0,\"tls\":0},"
		"\"fault\":null,\"last_probe\":null}]}]}");
	scene_close(&scene);
}

static void
test_shares_of_nothing(void **state)
{
	struct scene scene;
	json_t *value;
	json_t *server;

	(void)state;
	scene_open(&scene, scene_text);
	value = api_pools(&scene.view);
	server = json_array_get(
		json_object_get(json_array_get(json_object_get(value, "pools"), 0),
				"servers"),
		0);
	assert_true(json_real_value(json_object_get(server, "share")) == 0);
	assert_true(json_real_value(json_object_get(server, "share_wanted")) == 0.75);
	json_decref(value);
	scene_close(&scene);
}

/* Bound and not listening: it refuses, and nobody else can have it. */
static int
bind_refusing(struct endpoint *address)
{
	socklen_t length = sizeof(address->address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_true(endpoint_read(SPAN("127.0.0.1:0"), address));
	assert_int_equal(bind(fd, &address->address.any, address->length), 0);
	assert_int_equal(getsockname(fd, &address->address.any, &length), 0);
	return fd;
}

static void
test_last_probe(void **state)
{
	struct scene scene;
	struct endpoint address;
	int fd = bind_refusing(&address);
	const struct server *server;
	json_t *value;
	json_t *probe;

	(void)state;
	scene_open(&scene, scene_text_probed);
	server = scene_server(&scene, 0);
	for (unsigned i = 0; i < 2; i++)
		server_set_address(scene_server(&scene, i), &address);
	assert_int_equal(monitor_watch(scene.monitor, scene.proxy.snapshot, NULL),
			 STATUS_OK);
	for (int i = 0; i < 1000 && !monitor_last(scene.monitor, server); i++)
		loop_round(&scene.loop, 20);
	value = api_pools(&scene.view);
	probe = json_object_get(
		json_array_get(
			json_object_get(
				json_array_get(json_object_get(value, "pools"), 0),
				"servers"),
			0),
		"last_probe");
	assert_string_equal(json_string_value(json_object_get(probe, "result")),
			    "connect refused");
	assert_true(json_is_real(json_object_get(probe, "took_ms")));
	assert_int_equal(json_string_length(json_object_get(probe, "at")),
			 strlen("2026-11-23T18:00:00.123Z"));
	assert_true(json_is_array(json_object_get(probe, "transcript")));
	assert_true(json_is_null(json_object_get(probe, "certificate")));
	json_decref(value);
	scene_close(&scene);
	close(fd);
}

static void
test_status(void **state)
{
	struct scene scene;
	json_t *value;

	(void)state;
	scene_open(&scene, scene_text);
	count_some(&scene);
	scene.proxy.tallies[0].sessions = 7;
	scene.proxy.tallies[0].active = 2;
	scene.proxy.tallies[1].sessions = 1;
	value = api_status(&scene.view);
	assert_int_equal(json_integer_value(json_object_get(value, "pid")), getpid());
	json_object_del(value, "pid");
	json_object_del(value, "version");
	expect_json(
		value,
		"{\"started\":\"2023-11-14T22:13:20.123Z\",\"hostname\":\"mx.example\","
		"\"listeners\":[{\"name\":\"inbound\",\"bind\":[\"127.0.0.1:2525\","
		"\"[::1]:2525\"],\"mode\":\"message\",\"pool\":\"hubs\",\"pools\":["
		"\"hubs\"],\"sessions\":7,"
		"\"active\":2},{\"name\":\"other\",\"bind\":[\"127.0.0.1:2526\"],"
		"\"mode\":\"message\",\"pool\":\"hubs\",\"pools\":[\"hubs\"],"
		"\"sessions\":1,\"active\":0}],"
		"\"totals\":{\"sessions\":8,\"active\":2,\"messages\":1600,"
		"\"recipients\":1410,\"bytes\":7340032},\"refused_files\":[]}");
	scene_close(&scene);
}

static void
expect_refused(const struct scene *scene, const char *wanted)
{
	json_t *status = api_status(&scene->view);

	assert_non_null(status);
	expect_json(json_incref(json_object_get(status, "refused_files")), wanted);
	json_decref(status);
}

static void
test_refused_files(void **state)
{
	struct tls_refusals refusals;
	struct scene scene;

	(void)state;
	scene_open(&scene, scene_text_secured);
	assert_int_equal(
		tls_refusals_init(&refusals, &scene.proxy.snapshot->named_files),
		STATUS_OK);
	scene.view.refusals = &refusals;
	expect_refused(&scene, "[]");
	snprintf(refusals.of[0].key, TLS_FAULT_MAX, "/k: no key in it");
	snprintf(refusals.of[1].file, TLS_FAULT_MAX, "out of memory");
	expect_refused(&scene,
		       "[{\"file\":\"/k\",\"path\":\"tls.certificates[0].key\","
		       "\"why\":\"no key in it\"},"
		       "{\"file\":\"/p\",\"path\":\"pools.hubs.auth.password-file\","
		       "\"why\":\"out of memory\"}]");
	snprintf(refusals.of[0].key, TLS_FAULT_MAX, "/k: cut in a \xc3");
	refusals.of[1].file[0] = 0;
	expect_refused(&scene, "[{\"file\":\"/k\",\"path\":\"tls.certificates[0].key\","
			       "\"why\":\"?\"}]");
	tls_refusals_fini(&refusals);
	scene_close(&scene);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pools),
		cmocka_unit_test(test_shares_of_nothing),
		cmocka_unit_test(test_last_probe),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_refused_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
