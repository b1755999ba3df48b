/* What a new set of files changes: whether a login is worth another try. */
#include "balance/server_fault.h"
#include "base/log.h"
#include "config/report.h"
#include "proxy/tls_contexts.h"
#include "rows.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[] = "/tmp/evenpost-contexts.XXXXXX";

struct scene {
	struct snapshot *snapshot;
	struct tls_tickets *tickets;
	struct tls_refusals refusals;
	struct tls_set *set;
	struct tls_contexts contexts;
	struct server *server;
};

static void
write_password(const char *text)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static struct snapshot *
read_snapshot(void)
{
	struct snapshot *snapshot = NULL;
	struct report report;
	char text[512];

	snprintf(text, sizeof(text),
		 "listeners: {in: {bind: 127.0.0.1:26, pool: p}}\n"
		 "pools: {p: {servers: {s: h.example:25},\n"
		 "  auth: {username: u, password-file: %s}}}\n",
		 path);
	report_init(&report, "");
	assert_int_equal(
		snapshot_read_text(span_from_string(text), "", &report, &snapshot),
		STATUS_OK);
	report_fini(&report);
	return snapshot;
}

/* A server that has refused the first password. */
static void
open_scene(struct scene *scene)
{
	struct tls_fault fault;

	write_password("first\n");
	*scene = (struct scene){.snapshot = read_snapshot()};
	assert_int_equal(tls_tickets_new(&scene->tickets), STATUS_OK);
	assert_int_equal(
		tls_refusals_init(&scene->refusals, &scene->snapshot->named_files),
		STATUS_OK);
	assert_int_equal(tls_set_load(&scene->set, scene->snapshot, scene->tickets,
				      &scene->refusals),
			 STATUS_OK);
	assert_int_equal(tls_contexts_init(&scene->contexts, scene->snapshot,
					   scene->set, &fault),
			 STATUS_OK);
	scene->server = scene->snapshot->pools[0].pool->servers[0];
	server_set_fault(scene->server, SERVER_FAULT_LOGIN, SERVER_FAULT_BARS, "535");
	server_rest(scene->server, INT64_MAX);
}

static void
close_scene(struct scene *scene)
{
	tls_contexts_fini(&scene->contexts);
	tls_set_unref(scene->set);
	tls_refusals_fini(&scene->refusals);
	tls_tickets_free(scene->tickets);
	snapshot_unref(scene->snapshot);
}

/* wanted: the password is read again; else it is as if another file had changed. */
static void
renew(struct scene *scene, bool wanted)
{
	struct tls_set *fresh = NULL;
	struct tls_fault fault;

	assert_int_equal(scene->snapshot->named_files.count, 1);
	assert_int_equal(tls_set_renew(&fresh, scene->set, scene->snapshot, &wanted,
				       &scene->refusals),
			 STATUS_OK);
	assert_int_equal(tls_contexts_take(&scene->contexts, fresh, &fault), STATUS_OK);
	tls_set_unref(scene->set);
	scene->set = fresh;
}

static const struct row {
	const char *name;
	const char *password; /* in the file by now */
	bool wanted;          /* the file is read again */
	bool woken;
} rows[] = {
	{"another file has changed", "first\n", false, false},
	{"the same password", "first\n# a note\n", true, false},
	{"another password", "second\n", true, true},
	{"none", "\n", true, false},
};

static void
wakes(void **state)
{
	const struct row *row = *state;
	char text[SERVER_FAULT_MAX];
	struct scene scene;

	open_scene(&scene);
	write_password(row->password);
	renew(&scene, row->wanted);
	assert_int_equal(server_rests(scene.server, 0), !row->woken);
	assert_int_equal(server_is_barred(scene.server, 0, text), !row->woken);
	close_scene(&scene);
}

int
main(void)
{
	int fd = mkstemp(path);
	int failed;

	if (fd < 0 || close(fd))
		return 1;
	log_set_level(LOG_ERROR);
	failed = ROWS_RUN(rows, wakes);
	return unlink(path) ? 1 : failed;
}
