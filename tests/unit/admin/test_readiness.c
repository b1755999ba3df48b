#include "scene.h"

#include "admin/readiness.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define NOTHING (-1)

/* What has been observed of the two servers; the pool spare is never asked about. */
static const struct {
	const char *name;
	int observed[2]; /* enum server_observation, or NOTHING */
	bool stopping;
	bool ready;
	const char *says;
} rows[] = {
	{"nothing yet",
	 {NOTHING, NOTHING},
	 false,
	 false,
	 "[-] pool hubs: no probe result yet of a b\n"},
	{"one is known to be up",
	 {SERVER_PROBE_PASSED, NOTHING},
	 false,
	 false,
	 "[-] pool hubs: no probe result yet of b\n"},
	{"both are up",
	 {SERVER_PROBE_PASSED, SERVER_PROBE_PASSED},
	 false,
	 true,
	 "[+] running\n"
	 "[+] pool hubs: each server has had a first result\n"
	 "[+] listener inbound: a server is up in pool hubs\n"
	 "[+] listener other: a server is up in pool hubs\n"
	 "ready\n"},
	{"one is enough",
	 {SERVER_PROBE_FAILED, SERVER_PROBE_PASSED},
	 false,
	 true,
	 "[+] listener inbound: a server is up in pool hubs\n"},
	{"none is up",
	 {SERVER_PROBE_FAILED, SERVER_PROBE_FAILED},
	 false,
	 false,
	 "[+] pool hubs: each server has had a first result\n"
	 "[-] listener inbound: no server is up in pool hubs\n"
	 "[-] listener other: no server is up in pool hubs\n"
	 "not ready\n"},
	{"in maintenance",
	 {SERVER_ADMIN_MAINT, SERVER_PROBE_FAILED},
	 false,
	 false,
	 "[-] listener inbound: no server is up in pool hubs\n"},
	{"stopping",
	 {SERVER_PROBE_PASSED, SERVER_PROBE_PASSED},
	 true,
	 false,
	 "[-] stopping\n"},
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct scene scene;
		struct buffer text;
		bool ready = !rows[i].ready;

		buffer_init(&text, 4096);
		scene_open(&scene, scene_text_probed);
		scene.view.stopping = rows[i].stopping;
		for (unsigned j = 0; j < 2; j++)
			if (rows[i].observed[j] != NOTHING)
				server_observe(scene_server(&scene, j),
					       (unsigned)rows[i].observed[j], NULL,
					       scene.loop.now);
		assert_int_equal(readiness_print(&scene.view, &text, &ready),
				 STATUS_OK);
		assert_int_equal(buffer_append(&text, span_of("", 1)), STATUS_OK);
		if (ready != rows[i].ready ||
		    !strstr(buffer_span(&text).at, rows[i].says))
			fail_msg("%s: got\n%s", rows[i].name, buffer_span(&text).at);
		buffer_clear(&text);
		scene_close(&scene);
	}
}

#define BARRED "[-] listener inbound: no server that is up gets mail in pool hubs: "

/* What is wrong with the set-up of the two, both of which are up, if not down. */
static const struct {
	const char *name;
	int effect[2]; /* enum server_fault_effect, or NOTHING */
	bool second_is_down;
	bool ready;
	const char *says;
} fault_rows[] = {
	{"mail passes",
	 {SERVER_FAULT_PASSES, SERVER_FAULT_PASSES},
	 false,
	 true,
	 "[+] listener inbound: a server is up in pool hubs\n"},
	{"one gets no mail",
	 {SERVER_FAULT_BARS, NOTHING},
	 false,
	 true,
	 "[+] listener inbound: a server is up in pool hubs\n"},
	{"the other gets no mail",
	 {NOTHING, SERVER_FAULT_BARS},
	 false,
	 true,
	 "[+] listener inbound: a server is up in pool hubs\n"},
	{"mail passes at one",
	 {SERVER_FAULT_BARS, SERVER_FAULT_PASSES},
	 false,
	 true,
	 ""},
	{"neither gets mail",
	 {SERVER_FAULT_BARS, SERVER_FAULT_BARS},
	 false,
	 false,
	 BARRED "wrong with a; and others\n"},
	{"one is down",
	 {SERVER_FAULT_BARS, NOTHING},
	 true,
	 false,
	 BARRED "wrong with a\n"},
};

static void
set_faults(const struct scene *scene, const int *effect)
{
	for (unsigned i = 0; i < 2; i++)
		if (effect[i] != NOTHING)
			server_set_fault(scene_server(scene, i), SERVER_FAULT_IDENTITY,
					 (enum server_fault_effect)effect[i],
					 i ? "wrong with b" : "wrong with a");
}

static void
test_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(fault_rows); i++) {
		struct scene scene;
		struct buffer text;
		bool ready = !fault_rows[i].ready;

		buffer_init(&text, 4096);
		scene_open(&scene, scene_text);
		if (fault_rows[i].second_is_down)
			server_observe(scene_server(&scene, 1), SERVER_ADMIN_MAINT,
				       NULL, scene.loop.now);
		set_faults(&scene, fault_rows[i].effect);
		assert_int_equal(readiness_print(&scene.view, &text, &ready),
				 STATUS_OK);
		assert_int_equal(buffer_append(&text, span_of("", 1)), STATUS_OK);
		if (ready != fault_rows[i].ready ||
		    !strstr(buffer_span(&text).at, fault_rows[i].says))
			fail_msg("%s: got\n%s", fault_rows[i].name,
				 buffer_span(&text).at);
		buffer_clear(&text);
		scene_close(&scene);
	}
}

/* Nobody says it again: mail has to find out whether it still is so. */
static void
test_old_fault(void **state)
{
	static const int effect[] = {SERVER_FAULT_BARS, SERVER_FAULT_BARS};
	struct scene scene;
	struct buffer text;
	bool ready;

	(void)state;
	buffer_init(&text, 4096);
	scene_open(&scene, scene_text);
	set_faults(&scene, effect);
	for (unsigned i = 0; i < 2; i++)
		server_tick(scene_server(&scene, i), scene.loop.now);
	assert_int_equal(readiness_print(&scene.view, &text, &ready), STATUS_OK);
	assert_false(ready);
	scene.loop.now += SERVER_FAULT_BARS_FOR;
	assert_int_equal(readiness_print(&scene.view, &text, &ready), STATUS_OK);
	assert_true(ready);
	buffer_clear(&text);
	scene_close(&scene);
}

static void
test_not_probed(void **state)
{
	struct scene scene;
	struct buffer text;
	bool ready = false;

	(void)state;
	buffer_init(&text, 4096);
	scene_open(&scene, scene_text);
	assert_int_equal(readiness_print(&scene.view, &text, &ready), STATUS_OK);
	assert_true(ready);
	buffer_clear(&text);
	scene_close(&scene);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_old_fault),
		cmocka_unit_test(test_not_probed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
