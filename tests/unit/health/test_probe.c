#include "fake.h"

#include "health/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rows.h"

/* Rounds of the loop until a test gives up; each waits ROUND milliseconds at most. */
#define ROUNDS 2000
#define ROUND 100

#define GREETING "220-a.example ESMTP\r\n220-no junk\r\n220 a.example\r\n"
#define EHLO_REPLY "250-a.example\r\n250-SIZE 1000\r\n250 8BITMIME\r\n"

struct visit {
	const char *name;
	enum probe_kind kind;
	enum mail_protocol protocol;
	struct fake_turn turns[FAKE_TURNS];
	bool passed;
	const char *result;
	const char *heard; /* by the server */
};

static const struct visit visits[] = {
	{"tcp: a connect is enough",
	 PROBE_TCP,
	 MAIL_SMTP,
	 {{NULL, NULL}},
	 true,
	 "ok",
	 ""},
	{"banner: all of the greeting, QUIT, 221",
	 PROBE_BANNER,
	 MAIL_SMTP,
	 {{NULL, GREETING}, {"QUIT", "221 bye\r\n"}},
	 true,
	 "ok",
	 "QUIT|"},
	{"banner: LMTP greets alike",
	 PROBE_BANNER,
	 MAIL_LMTP,
	 {{NULL, "220 ready\r\n"}, {"QUIT", "221 bye\r\n"}},
	 true,
	 "ok",
	 "QUIT|"},
	{"banner: 554 fails, QUIT all the same",
	 PROBE_BANNER,
	 MAIL_SMTP,
	 {{NULL, "554 5.7.1 go away\r\n"}, {"QUIT", "221 bye\r\n"}},
	 false,
	 "greeting 554 5.7.1 go away",
	 "QUIT|"},
	{"banner: 421 fails, and the server closes",
	 PROBE_BANNER,
	 MAIL_SMTP,
	 {{NULL, "421 4.3.2 too many\r\n"}},
	 false,
	 "greeting 421 4.3.2 too many",
	 ""},
	{"banner: silence",
	 PROBE_BANNER,
	 MAIL_SMTP,
	 {{NULL, NULL}},
	 false,
	 "no greeting in 10s",
	 ""},
	{"banner: half a greeting is none",
	 PROBE_BANNER,
	 MAIL_SMTP,
	 {{NULL, "220-a.example\r\n220"}},
	 false,
	 "no greeting in 10s",
	 ""},
	{"banner: hangs up",
	 PROBE_BANNER,
	 MAIL_SMTP,
	 {{NULL, ""}},
	 false,
	 "connection lost before the greeting",
	 ""},
	{"banner: another protocol",
	 PROBE_BANNER,
	 MAIL_SMTP,
	 {{NULL, "SSH-2.0-OpenSSH_9.2\r\n"}},
	 false,
	 "greeting: not an SMTP reply",
	 ""},
	{"banner: no answer to QUIT",
	 PROBE_BANNER,
	 MAIL_SMTP,
	 {{NULL, GREETING}, {"QUIT", NULL}},
	 false,
	 "no reply to QUIT in 10s",
	 "QUIT|"},
	{"banner: closing is an answer to QUIT",
	 PROBE_BANNER,
	 MAIL_SMTP,
	 {{NULL, GREETING}, {"QUIT", ""}},
	 true,
	 "ok",
	 "QUIT|"},
	{"ehlo: learns what the server can",
	 PROBE_EHLO,
	 MAIL_SMTP,
	 {{NULL, GREETING}, {"EHLO mx.test", EHLO_REPLY}, {"QUIT", "221 bye\r\n"}},
	 true,
	 "ok",
	 "EHLO mx.test|QUIT|"},
	{"ehlo: LHLO for LMTP",
	 PROBE_EHLO,
	 MAIL_LMTP,
	 {{NULL, GREETING}, {"LHLO mx.test", EHLO_REPLY}, {"QUIT", "221 bye\r\n"}},
	 true,
	 "ok",
	 "LHLO mx.test|QUIT|"},
	{"ehlo: HELO where EHLO is not known",
	 PROBE_EHLO,
	 MAIL_SMTP,
	 {{NULL, "220 old\r\n"},
	  {"EHLO", "502 what\r\n"},
	  {"HELO mx.test", "250 old\r\n"},
	  {"QUIT", "221 bye\r\n"}},
	 true,
	 "ok",
	 "EHLO mx.test|HELO mx.test|QUIT|"},
	{"ehlo: refused for now",
	 PROBE_EHLO,
	 MAIL_SMTP,
	 {{NULL, GREETING},
	  {"EHLO", "452 4.3.1 no space\r\n"},
	  {"QUIT", "221 bye\r\n"}},
	 false,
	 "EHLO 452 4.3.1 no space",
	 "EHLO mx.test|QUIT|"},
	{"ehlo: silence",
	 PROBE_EHLO,
	 MAIL_SMTP,
	 {{NULL, GREETING}, {"EHLO", NULL}},
	 false,
	 "no reply to EHLO in 10s",
	 "EHLO mx.test|"},
	{"ehlo: hangs up",
	 PROBE_EHLO,
	 MAIL_SMTP,
	 {{NULL, GREETING}, {"EHLO", ""}},
	 false,
	 "connection lost after EHLO",
	 "EHLO mx.test|"},
	{"mail: sender, RSET, QUIT",
	 PROBE_MAIL,
	 MAIL_SMTP,
	 {{NULL, GREETING},
	  {"EHLO", EHLO_REPLY},
	  {"MAIL FROM:<p@test>", "250 ok\r\n"},
	  {"RSET", "250 ok\r\n"},
	  {"QUIT", "221 bye\r\n"}},
	 true,
	 "ok",
	 "EHLO mx.test|MAIL FROM:<p@test>|RSET|QUIT|"},
	{"rcpt: recipient too",
	 PROBE_RCPT,
	 MAIL_SMTP,
	 {{NULL, GREETING},
	  {"EHLO", EHLO_REPLY},
	  {"MAIL", "250 ok\r\n"},
	  {"RCPT TO:<postmaster@test>", "250 ok\r\n"},
	  {"RSET", "250 ok\r\n"},
	  {"QUIT", "221 bye\r\n"}},
	 true,
	 "ok",
	 "EHLO mx.test|MAIL FROM:<p@test>|RCPT TO:<postmaster@test>|RSET|QUIT|"},
	{"rcpt: an unknown recipient fails",
	 PROBE_RCPT,
	 MAIL_SMTP,
	 {{NULL, GREETING},
	  {"EHLO", EHLO_REPLY},
	  {"MAIL", "250 ok\r\n"},
	  {"RCPT", "550-5.1.1 who\r\n550 5.1.1 is that\r\n"},
	  {"QUIT", "221 bye\r\n"}},
	 false,
	 "RCPT 550-5.1.1 who",
	 "EHLO mx.test|MAIL FROM:<p@test>|RCPT TO:<postmaster@test>|QUIT|"},
};

static bool has_ended;

static void
ended(struct probe *probe)
{
	(void)probe;
	has_ended = true;
}

static struct server *
make_server(const struct endpoint *address)
{
	struct server_settings settings = {
		.name = SPAN("a"), .address_text = SPAN("127.0.0.1:0"), .weight = 1};
	struct server *server;

	if (address)
		settings.address = *address;
	server = server_new(&settings, true);
	assert_non_null(server);
	return server;
}

static struct probe_plan
make_plan(enum probe_kind kind, enum mail_protocol protocol)
{
	return (struct probe_plan){.kind = kind,
				   .protocol = protocol,
				   .timeout = 10000,
				   .hostname = SPAN("mx.test"),
				   .sender = SPAN("p@test"),
				   .recipient = SPAN("postmaster@test")};
}

/* Time passes at once when a fake server (NULL: there is none) says no more. */
static void
run_probe(struct loop *loop, struct probe *probe, const struct probe_plan *plan,
	  struct server *server, const struct fake *fake)
{
	int silent = 0;

	has_ended = false;
	probe_start(probe, plan, server, ended);
	assert_false(has_ended);
	for (int i = 0; i < ROUNDS && !has_ended; i++) {
		loop_round(loop, fake && fake->silent ? 1 : ROUND);
		if (fake && fake->silent && ++silent == 5)
			timer_wheel_advance(&loop->timers,
					    loop->now + plan->timeout + 100);
	}
	assert_true(has_ended);
}

/* Until the server has heard of the end of the visit. */
static void
see_client_off(struct fake *fake)
{
	for (int i = 0; i < ROUNDS && stream_is_open(&fake->stream); i++)
		loop_round(fake->loop, ROUND);
}

static void
run_visit(const struct visit *row, bool byte_by_byte)
{
	struct probe_plan plan = make_plan(row->kind, row->protocol);
	struct smtp_extensions known;
	struct loop loop;
	struct fake fake;
	struct probe probe;
	struct server *server;

	assert_int_equal(loop_open(&loop), STATUS_OK);
	fake_open(&fake, &loop, row->turns);
	fake.byte_by_byte = byte_by_byte;
	server = make_server(&fake.listener.address);
	probe_init(&probe, &loop);
	run_probe(&loop, &probe, &plan, server, &fake);
	see_client_off(&fake);
	if (probe.record.passed != row->passed ||
	    strcmp(probe.record.result, row->result))
		fail_msg("%s: %s", row->name, probe.record.result);
	if (!span_equals(buffer_span(&fake.heard), span_from_string(row->heard)))
		fail_msg("%s: server heard %.*s", row->name,
			 SPAN_ARGS(buffer_span(&fake.heard)));
	if (fake.left_early || fake.unexpected)
		fail_msg("%s: left early or out of turn", row->name);
	if (row->kind == PROBE_EHLO && row->passed) {
		assert_true(server_extensions(server, &known));
		assert_int_equal(known.size, strstr(row->heard, "HELO") ? 0 : 1000);
	}
	probe_fini(&probe);
	server_unref(server);
	fake_close(&fake);
	loop_close(&loop);
}

static void
test_visits(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(visits) / sizeof(*visits); i++)
		run_visit(&visits[i], false);
}

/* The same conversations when every byte of the server comes alone. */
static void
test_split_visits(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(visits) / sizeof(*visits); i++)
		if (visits[i].passed || strstr(visits[i].result, "554"))
			run_visit(&visits[i], true);
}

static void
test_transcript(void **state)
{
	static const struct fake_turn turns[FAKE_TURNS] = {{NULL, "220 \x1b[1mhi\r\n"},
							   {"EHLO", EHLO_REPLY},
							   {"QUIT", "221 bye\r\n"}};
	static const char wanted[] =
		"S: 220 ?[1mhi\nC: EHLO mx.test\nS: 250-a.example\n"
		"S: 250-SIZE 1000\nS: 250 8BITMIME\nC: QUIT\n"
		"S: 221 bye\n";
	struct probe_plan plan = make_plan(PROBE_EHLO, MAIL_SMTP);
	struct loop loop;
	struct fake fake;
	struct probe probe;
	struct server *server;
	struct span text;

	(void)state;
	assert_int_equal(loop_open(&loop), STATUS_OK);
	fake_open(&fake, &loop, turns);
	server = make_server(&fake.listener.address);
	probe_init(&probe, &loop);
	run_probe(&loop, &probe, &plan, server, &fake);
	text = probe_record_text(&probe.record);
	assert_int_equal(text.length, sizeof(wanted) - 1);
	assert_memory_equal(text.at, wanted, text.length);
	probe_fini(&probe);
	server_unref(server);
	fake_close(&fake);
	loop_close(&loop);
}

/*
 * A server that does not expect a PROXY header: what it answers to one is a fault of
 * its set-up, wherever it stands, and EHLO is not tried as HELO.
 */
static const struct refused_header {
	const char *name;
	enum probe_kind kind;
	enum identity_method identity;
	struct fake_turn turns[FAKE_TURNS];
	const char *result;
} refused_headers[] = {
	{"version 1, behind the greeting",
	 PROBE_EHLO,
	 IDENTITY_PROXY_V1,
	 {{NULL, "220 hi\r\n502 5.5.2 what\r\n"}},
	 "greeting: identity refused"},
	{"version 2, in pieces, and its QUIT is obeyed",
	 PROBE_EHLO,
	 IDENTITY_PROXY_V2,
	 {{NULL, "220 hi\r\n500 a\r\n500 b\r\n221 bye\r\n"}},
	 "greeting: identity refused"},
	{"in the place of the reply to EHLO",
	 PROBE_EHLO,
	 IDENTITY_PROXY_V1,
	 {{"PROXY TCP4 127.0.0.1 127.0.0.1", "220 hi\r\n"}, {"EHLO", "500 what\r\n"}},
	 "EHLO: identity refused"},
	{"in the place of the reply to QUIT",
	 PROBE_BANNER,
	 IDENTITY_PROXY_V1,
	 {{"PROXY TCP4 127.0.0.1 127.0.0.1", "220 hi\r\n"}, {"QUIT", "500 what\r\n"}},
	 "QUIT: identity refused"},
};

static void
test_refused_header(void **state)
{
	const struct refused_header *row = *state;
	struct probe_plan plan = make_plan(row->kind, MAIL_SMTP);
	char fault[SERVER_FAULT_MAX];
	struct loop loop;
	struct fake fake;
	struct probe probe;
	struct server *server;

	plan.identity = row->identity;
	assert_int_equal(loop_open(&loop), STATUS_OK);
	fake_open(&fake, &loop, row->turns);
	server = make_server(&fake.listener.address);
	probe_init(&probe, &loop);
	run_probe(&loop, &probe, &plan, server, &fake);
	assert_false(probe.record.passed);
	assert_string_equal(probe.record.result, row->result);
	assert_true(server_fault(server, fault));
	assert_non_null(strstr(fault, "does not understand a PROXY header"));
	probe_fini(&probe);
	server_unref(server);
	fake_close(&fake);
	loop_close(&loop);
}

/* A reply before the question, in one piece with the greeting. */
static void
test_unasked_reply(void **state)
{
	static const struct fake_turn turns[FAKE_TURNS] = {
		{NULL, "220 hi\r\n250 and all is well\r\n"}};
	struct probe_plan plan = make_plan(PROBE_EHLO, MAIL_SMTP);
	struct loop loop;
	struct fake fake;
	struct probe probe;
	struct server *server;

	(void)state;
	assert_int_equal(loop_open(&loop), STATUS_OK);
	fake_open(&fake, &loop, turns);
	server = make_server(&fake.listener.address);
	probe_init(&probe, &loop);
	run_probe(&loop, &probe, &plan, server, &fake);
	assert_string_equal(probe.record.result,
			    "greeting: a reply that was not asked for");
	probe_fini(&probe);
	server_unref(server);
	fake_close(&fake);
	loop_close(&loop);
}

static void
test_no_connection(void **state)
{
	struct probe_plan plan = make_plan(PROBE_EHLO, MAIL_SMTP);
	struct endpoint address;
	struct loop loop;
	struct probe probe;
	struct server *server;
	int fd;

	(void)state;
	assert_int_equal(loop_open(&loop), STATUS_OK);
	probe_init(&probe, &loop);
	server = make_server(NULL);
	run_probe(&loop, &probe, &plan, server, NULL);
	assert_string_equal(probe.record.result, "address not resolved");
	/* bound, but nobody listens */
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(endpoint_read(SPAN("127.0.0.1:0"), &address));
	assert_int_equal(bind(fd, &address.address.any, address.length), 0);
	struct sockaddr_storage bound;
	socklen_t length = sizeof(bound);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &length), 0);
	endpoint_from_sockaddr(&address, (struct sockaddr *)&bound, length);
	server_set_address(server, &address);
	run_probe(&loop, &probe, &plan, server, NULL);
	assert_string_equal(probe.record.result, "connect refused");
	assert_false(probe.record.passed);
	close(fd);
	probe_fini(&probe);
	server_unref(server);
	loop_close(&loop);
}

static void
test_scripts(void **state)
{
	static const struct {
		const char *name, *text;
		bool passed;
		const char *result;
	} rows[] = {
		{"exit 0", "echo fine", true, "ok"},
		{"exit 2 and its first line", "echo SMTP CRITICAL; echo more; exit 2",
		 false, "script exit 2: SMTP CRITICAL"},
		{"exit 1 without a word", "exit 1", false, "script exit 1"},
		{"address and port", "test \"$1 $2\" = \"192.0.2.7 2525\"", true, "ok"},
		{"closes its output and goes on", "exec >&- 2>&-; exit 3", false,
		 "script exit 3"},
		{"killed", "kill -9 $$", false, "script was killed"},
		{"its child holds the output", "sleep 60 & exit 0", true, "ok"},
		{"too slow, with its children", "sleep 60; exit 0", false,
		 "no end of script in 250ms"},
	};
	char path[] = "/tmp/test-probe-XXXXXX";
	struct endpoint address;
	struct server *server;
	struct loop loop;
	struct probe probe;

	(void)state;
	close(mkstemp(path));
	assert_true(endpoint_read(SPAN("192.0.2.7:2525"), &address));
	server = make_server(&address);
	assert_int_equal(loop_open(&loop), STATUS_OK);
	probe_init(&probe, &loop);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct probe_plan plan = make_plan(PROBE_SCRIPT, MAIL_SMTP);
		FILE *file = fopen(path, "we");

		assert_non_null(file);
		fprintf(file, "#!/bin/sh\n%s\n", rows[i].text);
		assert_int_equal(fclose(file), 0);
		assert_int_equal(chmod(path, 0700), 0);
		plan.script = span_from_string(path);
		if (strstr(rows[i].result, "250ms"))
			plan.timeout = 250;
		run_probe(&loop, &probe, &plan, server, NULL);
		if (probe.record.passed != rows[i].passed ||
		    strcmp(probe.record.result, rows[i].result))
			fail_msg("%s: %s", rows[i].name, probe.record.result);
	}
	unlink(path);
	struct probe_plan plan = make_plan(PROBE_SCRIPT, MAIL_SMTP);

	plan.script = span_from_string(path);
	run_probe(&loop, &probe, &plan, server, NULL);
	assert_non_null(strstr(probe.record.result, "script cannot be run"));
	probe_fini(&probe);
	server_unref(server);
	loop_close(&loop);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_visits),
		cmocka_unit_test(test_split_visits),
		cmocka_unit_test(test_transcript),
		cmocka_unit_test(test_unasked_reply),
		cmocka_unit_test(test_no_connection),
		cmocka_unit_test(test_scripts),
	};
	int failed = ROWS_RUN(refused_headers, test_refused_header);

	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
