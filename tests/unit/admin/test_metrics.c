#include "scene.h"

#include "admin/metrics.h"
#include "net/pki.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Lines of the page of count_some(), whole. */
static const char *const lines[] = {
	"# TYPE evenpost_sessions_total counter",
	"evenpost_sessions_total{listener=\"inbound\"} 7",
	"evenpost_sessions_total{listener=\"other\"} 0",
	"evenpost_sessions_active{listener=\"inbound\"} 2",
	"evenpost_messages_total{listener=\"inbound\",pool=\"hubs\",server=\"a\","
	"result=\"accepted\"} 2",
	"evenpost_messages_total{listener=\"other\",pool=\"hubs\",server=\"a\","
	"result=\"accepted\"} 0",
	"evenpost_messages_total{listener=\"other\",pool=\"hubs\",server=\"b\","
	"result=\"rejected\"} 1",
	"evenpost_messages_total{listener=\"inbound\",pool=\"hubs\",server=\"-\","
	"result=\"deferred\"} 1",
	"evenpost_messages_total{listener=\"inbound\",pool=\"hubs\",server=\"b\","
	"result=\"aborted\"} 0",
	"evenpost_recipients_total{listener=\"inbound\",pool=\"hubs\",server=\"a\","
	"result=\"accepted\"} 5",
	"evenpost_bytes_total{pool=\"hubs\",server=\"a\"} 1024",
	"evenpost_rejects_total{listener=\"inbound\",reason=\"no-server\"} 4",
	"evenpost_retries_total{pool=\"hubs\",server=\"b\",phase=\"greeting\"} 5",
	"evenpost_retries_total{pool=\"spare\",server=\"c\",phase=\"connect\"} 0",
	"evenpost_server_state{pool=\"hubs\",server=\"a\",state=\"up\"} 1",
	"evenpost_server_state{pool=\"hubs\",server=\"a\",state=\"down\"} 0",
	"evenpost_server_state{pool=\"spare\",server=\"c\",state=\"down\"} 1",
	"evenpost_server_fault{pool=\"hubs\",server=\"a\"} 0",
	"evenpost_server_fault{pool=\"hubs\",server=\"b\"} 1",
	"evenpost_server_active{pool=\"hubs\",server=\"b\"} 3",
	"evenpost_server_connects_total{pool=\"hubs\",server=\"a\",result=\"ok\"} 9",
	"evenpost_server_connects_total{pool=\"hubs\",server=\"a\",result=\"failed\"} "
	"3",
	"# TYPE evenpost_message_seconds histogram",
	"evenpost_message_seconds_bucket{le=\"0.001\"} 0",
	"evenpost_message_seconds_bucket{le=\"0.005\"} 3",
	"evenpost_message_seconds_bucket{le=\"300\"} 3",
	"evenpost_message_seconds_bucket{le=\"+Inf\"} 4",
	"evenpost_message_seconds_sum 400.006",
	"evenpost_message_seconds_count 4",
	"evenpost_server_reply_seconds_count{pool=\"hubs\",server=\"a\"} 1",
	"evenpost_server_reply_seconds_sum{pool=\"hubs\",server=\"a\"} 0.0025",
	"# TYPE evenpost_probe_seconds histogram",
	"evenpost_build_info{version=\"" EVENPOST_VERSION "\"} 1",
	"process_start_time_seconds 1700000000.123",
};

static void
count_some(struct scene *scene)
{
	struct tally *tallies = scene->proxy.tallies;
	struct pool_tally *inbound = &tallies[0].pools[0];
	struct pool_tally *other = &tallies[1].pools[0];
	struct server *a = scene_server(scene, 0);
	struct server *b = scene_server(scene, 1);

	tallies[0].sessions = 7;
	tallies[0].active = 2;
	tally_message(&tallies[0], &inbound->servers[0], MESSAGE_ACCEPTED, 2, 2000);
	tally_message(&tallies[0], &inbound->servers[0], MESSAGE_ACCEPTED, 3, 2000);
	tally_message(&tallies[1], &other->servers[1], MESSAGE_REJECTED, 1, 2000);
	tally_message(&tallies[0], &inbound->nowhere, MESSAGE_DEFERRED, 1, 400000000);
	tallies[0].rejects[REJECT_NO_SERVER] = 4;
	inbound->servers[1].retries[RETRY_GREETING] = 2;
	other->servers[1].retries[RETRY_GREETING] = 3;
	a->counters.bytes = 1024;
	a->counters.connects = 9;
	a->counters.failures[SERVER_FAILURE_CONNECT] = 2;
	a->counters.failures[SERVER_FAILURE_GREETING] = 1;
	b->active = 3;
	server_count_reply(a, 2500);
	server_set_fault(b, SERVER_FAULT_IDENTITY, SERVER_FAULT_PASSES, "no XCLIENT");
}

/* The page as a string; the caller frees it. */
static char *
print_page(const struct scene *scene)
{
	struct buffer text;
	char *page;

	buffer_init(&text, 1 << 20);
	assert_int_equal(metrics_print(&scene->view, &text), STATUS_OK);
	page = strndup(buffer_span(&text).at, buffer_length(&text));
	assert_non_null(page);
	buffer_clear(&text);
	return page;
}

static bool
has_line(const char *page, const char *line)
{
	struct span rest = span_from_string(page);

	while (rest.length)
		if (span_equals(span_cut(&rest, '\n'), span_from_string(line)))
			return true;
	return false;
}

static void
test_lines(void **state)
{
	struct scene scene;
	char *page;

	(void)state;
	scene_open(&scene, scene_text);
	count_some(&scene);
	page = print_page(&scene);
	for (size_t i = 0; i < COUNT_OF(lines); i++)
		if (!has_line(page, lines[i]))
			fail_msg("%s is not in\n%s", lines[i], page);
	free(page);
	scene_close(&scene);
}

/* A family has HELP and TYPE before its samples, and its samples in one piece. */
static void
test_families(void **state)
{
	struct scene scene;
	struct span family = SPAN("");
	struct span rest;
	unsigned samples = 0;
	char *page;

	(void)state;
	scene_open(&scene, scene_text);
	page = print_page(&scene);
	rest = span_from_string(page);
	while (rest.length) {
		struct span line = span_cut(&rest, '\n');

		if (span_starts(line, SPAN("# HELP "))) {
			line = span_skip(line, strlen("# HELP "));
			family = span_cut(&line, ' ');
			assert_true(span_starts(rest, SPAN("# TYPE ")));
			assert_true(span_starts(span_skip(rest, strlen("# TYPE ")),
						family));
		} else if (!span_starts(line, SPAN("#"))) {
			if (!span_starts(line, family))
				fail_msg("%.*s in %.*s", SPAN_ARGS(line),
					 SPAN_ARGS(family));
			samples++;
		}
	}
	assert_true(samples > 100);
	free(page);
	scene_close(&scene);
}

static void
test_certificates(void **state)
{
	static const char head[] =
		"tls: {certificates: [{certificate: %s, key: %s}, {certificate: %s,\n"
		"  key: %s}]}\n"
		"listeners: {in: {bind: 127.0.0.1:2525, pool: hubs, tls: offer}}\n"
		"pools: {hubs: {servers: {a: 127.0.0.1:1, b: 127.0.0.1:2}}}\n";
	struct tls_files first = pki_files("mx");
	struct tls_files second = pki_files("expired");
	struct tls_tickets *tickets;
	struct scene scene;
	struct tls_refusals refusals;
	char text[1024];
	char *page;

	(void)state;
	snprintf(text, sizeof(text), head, first.certificate, first.key,
		 second.certificate, second.key);
	scene_open(&scene, text);
	assert_int_equal(
		tls_refusals_init(&refusals, &scene.proxy.snapshot->named_files),
		STATUS_OK);
	assert_int_equal(tls_tickets_new(&tickets), STATUS_OK);
	assert_int_equal(
		tls_set_load(&scene.view.tls, scene.proxy.snapshot, tickets, &refusals),
		STATUS_OK);
	page = print_page(&scene);
	snprintf(text, sizeof(text),
		 "evenpost_certificate_expiry_seconds{certificate=\"0\"} %" PRId64,
		 pki_end());
	assert_true(has_line(page, text));
	snprintf(text, sizeof(text),
		 "evenpost_certificate_expiry_seconds{certificate=\"1\"} %" PRId64,
		 pki_end_of_expired());
	assert_true(has_line(page, text));
	assert_true(has_line(page, "evenpost_refused_files 0"));
	free(page);
	tls_refusals_fini(&refusals);
	tls_set_unref(scene.view.tls);
	tls_tickets_free(tickets);
	scene_close(&scene);
}

static void
test_refused_files(void **state)
{
	struct tls_refusals refusals;
	struct scene scene;
	char *page;

	(void)state;
	scene_open(&scene, scene_text_secured);
	assert_int_equal(
		tls_refusals_init(&refusals, &scene.proxy.snapshot->named_files),
		STATUS_OK);
	scene.view.refusals = &refusals;
	snprintf(refusals.of[0].file, TLS_FAULT_MAX, "/c: what");
	snprintf(refusals.of[0].key, TLS_FAULT_MAX, "/k: what");
	page = print_page(&scene);
	assert_true(has_line(page, "evenpost_refused_files 2"));
	free(page);
	tls_refusals_fini(&refusals);
	scene_close(&scene);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_refused_files),
	};

	return cmocka_run_group_tests(tests, pki_open, pki_close);
}
