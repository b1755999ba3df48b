#include "scene.h"

#include "config/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ADMIN "hostname: mx.example\nadmin: {socket: off, http: 127.0.0.1:0}\n"
#define LISTENERS                                                                      \
	"listeners:\n"                                                                 \
	"  inbound: {bind: [\"127.0.0.1:2525\", \"[::1]:2525\"], pool: hubs}\n"        \
	"  other: {bind: 127.0.0.1:2526, pool: hubs}\n"
#define SERVERS "    servers: {a: {address: 127.0.0.1:1, weight: 3}, b: 127.0.0.1:2}\n"

const char scene_text[] =
	ADMIN LISTENERS "pools:\n"
			"  hubs:\n" SERVERS "    health: {probe: none}\n"
			"  spare: {servers: {c: 127.0.0.1:3}}\n";

const char scene_text_probed[] = ADMIN LISTENERS
	"pools:\n"
	"  hubs:\n" SERVERS "    health: {probe: tcp, rise: 1, fall: 1}\n";

const char scene_text_secured[] =
	ADMIN "tls: {certificates: [{certificate: /c, key: /k}]}\n"
	      "listeners: {in: {bind: 127.0.0.1:2525, pool: hubs, tls: offer}}\n"
	      "pools:\n"
	      "  hubs:\n" SERVERS "    auth: {username: u, password-file: /p}\n";

static void
ignore_line(struct span line, enum log_level level)
{
	(void)line;
	(void)level;
}

static struct snapshot *
read_snapshot(const char *text)
{
	struct snapshot *snapshot = NULL;
	struct report report;
	enum status status;

	report_init(&report, "scene");
	status =
		snapshot_read_text(span_from_string(text), "scene", &report, &snapshot);
	for (uint32_t i = 0; status != STATUS_OK && i < report.count; i++)
		report_print_entry(&report, &report.entries[i], stderr);
	report_fini(&report);
	assert_int_equal(status, STATUS_OK);
	return snapshot;
}

void
scene_open(struct scene *scene, const char *text)
{
	struct snapshot *snapshot = read_snapshot(text);
	struct tally *tallies = calloc(snapshot->listener_count, sizeof(*tallies));

	log_set_sink(ignore_line);
	assert_non_null(tallies);
	for (uint32_t i = 0; i < snapshot->listener_count; i++)
		assert_int_equal(
			tally_init(&tallies[i], snapshot, &snapshot->listeners[i]),
			STATUS_OK);
	assert_int_equal(loop_open(&scene->loop), STATUS_OK);
	scene->monitor = monitor_new(&scene->loop);
	assert_non_null(scene->monitor);
	scene->proxy = (struct proxy){.snapshot = snapshot, .tallies = tallies};
	scene->view = (struct view){.proxy = &scene->proxy,
				    .monitor = scene->monitor,
				    .loop = &scene->loop,
				    .started = 1700000000123};
}

void
scene_close(struct scene *scene)
{
	for (uint32_t i = 0; i < scene->proxy.snapshot->listener_count; i++)
		tally_fini(&scene->proxy.tallies[i]);
	free(scene->proxy.tallies);
	monitor_free(scene->monitor);
	loop_close(&scene->loop);
	snapshot_unref(scene->proxy.snapshot);
}

struct server *
scene_server(const struct scene *scene, unsigned index)
{
	return scene->proxy.snapshot->pools[0].pool->servers[index];
}
