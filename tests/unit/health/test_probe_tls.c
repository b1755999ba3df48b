/* Probes of servers that speak TLS, or should. */
#include "../net/pki.h"
#include "../rows.h"
#include "base/log.h"
#include "fake.h"
#include "health/probe.h"
#include "net/tls_client.h"
#include "net/tls_server.h"

/* Rounds of the loop until a test gives up; each waits ROUND milliseconds at most. */
#define ROUNDS 2000
#define ROUND 100

#define GREETING                                                                       \
	{                                                                              \
		NULL, "220 a.example\r\n"                                              \
	}
#define CLEAR                                                                          \
	{                                                                              \
		"EHLO", "250-a.example\r\n250-SIZE 5\r\n250 STARTTLS\r\n"              \
	}
#define WITHOUT                                                                        \
	{                                                                              \
		"EHLO", "250-a.example\r\n250 SIZE 5\r\n"                              \
	}
#define GO                                                                             \
	{                                                                              \
		"STARTTLS", "220 go\r\n"                                               \
	}
#define SECURE                                                                         \
	{                                                                              \
		"EHLO", "250-a.example\r\n250 SIZE 1000\r\n"                           \
	}
#define MAIL                                                                           \
	{                                                                              \
		"MAIL FROM:<p@test>", "250 ok\r\n"                                     \
	}
#define RCPT                                                                           \
	{                                                                              \
		"RCPT TO:<postmaster@test>", "250 ok\r\n"                              \
	}
#define RSET                                                                           \
	{                                                                              \
		"RSET", "250 ok\r\n"                                                   \
	}
#define BYE                                                                            \
	{                                                                              \
		"QUIT", "221 bye\r\n"                                                  \
	}
#define SUBJECT "CN=mx.test,O=Test"

static struct tls_tickets *tickets;
static struct tls_authorities *authorities;

struct row {
	const char *name;
	enum probe_kind kind;
	enum pool_tls tls;
	const char *shown; /* the server's certificate; NULL: it can not do TLS */
	struct fake_turn turns[FAKE_TURNS];
	const char *result;
	const char *heard;   /* by the server */
	const char *fault;   /* NULL: none */
	const char *subject; /* NULL: no certificate was seen */
	uint64_t size;       /* learnt; 0: nothing was */
	bool fallback;
	bool deaf; /* it hears what no script has */
};

#define NO_STARTTLS                                                                    \
	"a does not offer STARTTLS to 127.0.0.1: let it have a certificate, and "      \
	"offer "                                                                       \
	"TLS to us (smtpd_tls_security_level = may, tls_advertise_hosts)"
#define REFUSES                                                                        \
	"a offers, and then refuses, STARTTLS to 127.0.0.1: let it have a "            \
	"certificate, "                                                                \
	"and offer TLS to us (smtpd_tls_security_level = may, tls_advertise_hosts) "   \
	"(454 4.7.0 later)"
#define SPEAKS_CLEAR                                                                   \
	"a speaks SMTP in clear, and not TLS to 127.0.0.1: tls: implicit is for "      \
	"port 465 and its like: name that port, or say tls: require or verify, for "   \
	"STARTTLS"
#define SPEAKS_TLS                                                                     \
	"a speaks TLS before it greets 127.0.0.1: say tls: implicit, or name its "     \
	"port "                                                                        \
	"for SMTP in clear or STARTTLS (25, 587)"
#define SAYS_MORE                                                                      \
	"a says more than its reply to STARTTLS to 127.0.0.1: see whether somebody "   \
	"on "                                                                          \
	"the way puts words in its mouth"

static const struct row rows[] = {
	{"starttls: EHLO, STARTTLS, EHLO, QUIT",
	 PROBE_STARTTLS,
	 POOL_TLS_MAY,
	 "mx",
	 {GREETING, CLEAR, GO, SECURE, BYE},
	 "ok",
	 "EHLO mx.test|STARTTLS|EHLO mx.test|QUIT|",
	 NULL,
	 SUBJECT,
	 1000},
	{"starttls, where traffic has no TLS",
	 PROBE_STARTTLS,
	 POOL_TLS_OFF,
	 "mx",
	 {GREETING, CLEAR, GO, SECURE, BYE},
	 "ok",
	 "EHLO mx.test|STARTTLS|EHLO mx.test|QUIT|",
	 NULL,
	 SUBJECT,
	 1000},
	{"starttls: any certificate will do",
	 PROBE_STARTTLS,
	 POOL_TLS_MAY,
	 "expired",
	 {GREETING, CLEAR, GO, SECURE, BYE},
	 "ok",
	 "EHLO mx.test|STARTTLS|EHLO mx.test|QUIT|",
	 NULL,
	 SUBJECT,
	 1000},
	{"starttls: not offered, and QUIT all the same",
	 PROBE_STARTTLS,
	 POOL_TLS_MAY,
	 NULL,
	 {GREETING, WITHOUT, BYE},
	 "STARTTLS is not offered",
	 "EHLO mx.test|QUIT|",
	 NULL,
	 NULL,
	 0},
	{"starttls: not offered, and traffic needs it",
	 PROBE_STARTTLS,
	 POOL_TLS_REQUIRE,
	 NULL,
	 {GREETING, WITHOUT, BYE},
	 "STARTTLS is not offered",
	 "EHLO mx.test|QUIT|",
	 NO_STARTTLS,
	 NULL,
	 0},
	{"starttls: HELO offers nothing",
	 PROBE_STARTTLS,
	 POOL_TLS_MAY,
	 NULL,
	 {GREETING, {"EHLO", "502 what\r\n"}, {"HELO", "250 old\r\n"}, BYE},
	 "STARTTLS is not offered",
	 "EHLO mx.test|HELO mx.test|QUIT|",
	 NULL,
	 NULL,
	 0},
	{"starttls: refused for now",
	 PROBE_STARTTLS,
	 POOL_TLS_MAY,
	 NULL,
	 {GREETING, CLEAR, {"STARTTLS", "454 4.7.0 later\r\n"}, BYE},
	 "STARTTLS 454 4.7.0 later",
	 "EHLO mx.test|STARTTLS|QUIT|",
	 NULL,
	 NULL,
	 0},
	{"starttls: the server goes away",
	 PROBE_STARTTLS,
	 POOL_TLS_REQUIRE,
	 NULL,
	 {GREETING, CLEAR, {"STARTTLS", "421 4.3.2 later\r\n"}},
	 "STARTTLS 421 4.3.2 later",
	 "EHLO mx.test|STARTTLS|",
	 NULL,
	 NULL,
	 0},
	{"starttls: a 250 is not a 220",
	 PROBE_STARTTLS,
	 POOL_TLS_MAY,
	 NULL,
	 {GREETING, CLEAR, {"STARTTLS", "250 what\r\n"}, BYE},
	 "STARTTLS 250 what",
	 "EHLO mx.test|STARTTLS|QUIT|",
	 NULL,
	 NULL,
	 0},
	{"starttls: more behind the 220",
	 PROBE_STARTTLS,
	 POOL_TLS_MAY,
	 "mx",
	 {GREETING, CLEAR, {"STARTTLS", "220 go\r\n250 more\r\n"}},
	 "STARTTLS: spoke before the handshake",
	 "EHLO mx.test|STARTTLS|",
	 SAYS_MORE,
	 NULL,
	 0},
	{"starttls: no word in the handshake",
	 PROBE_STARTTLS,
	 POOL_TLS_MAY,
	 NULL,
	 {GREETING, CLEAR, GO},
	 "no TLS handshake in 10s",
	 "EHLO mx.test|STARTTLS|",
	 NULL,
	 NULL,
	 0},
	{"starttls: no answer behind it",
	 PROBE_STARTTLS,
	 POOL_TLS_MAY,
	 "mx",
	 {GREETING, CLEAR, GO, {"EHLO", NULL}},
	 "no reply to EHLO in 10s",
	 "EHLO mx.test|STARTTLS|EHLO mx.test|",
	 NULL,
	 SUBJECT,
	 0},
	{"ehlo: goes through TLS where traffic has to",
	 PROBE_EHLO,
	 POOL_TLS_REQUIRE,
	 "mx",
	 {GREETING, CLEAR, GO, SECURE, BYE},
	 "ok",
	 "EHLO mx.test|STARTTLS|EHLO mx.test|QUIT|",
	 NULL,
	 SUBJECT,
	 1000},
	{"ehlo: refused where traffic needs it",
	 PROBE_EHLO,
	 POOL_TLS_REQUIRE,
	 NULL,
	 {GREETING, CLEAR, {"STARTTLS", "454 4.7.0 later\r\n"}, BYE},
	 "STARTTLS 454 4.7.0 later",
	 "EHLO mx.test|STARTTLS|QUIT|",
	 REFUSES,
	 NULL,
	 0},
	{"ehlo, may: through TLS where it is offered",
	 PROBE_EHLO,
	 POOL_TLS_MAY,
	 "mx",
	 {GREETING, CLEAR, GO, SECURE, BYE},
	 "ok",
	 "EHLO mx.test|STARTTLS|EHLO mx.test|QUIT|",
	 NULL,
	 SUBJECT,
	 1000},
	{"ehlo, may: in clear where it is not",
	 PROBE_EHLO,
	 POOL_TLS_MAY,
	 NULL,
	 {GREETING, WITHOUT, BYE},
	 "ok",
	 "EHLO mx.test|QUIT|",
	 NULL,
	 NULL,
	 5},
	{"ehlo, may: in clear after a 454",
	 PROBE_EHLO,
	 POOL_TLS_MAY,
	 NULL,
	 {GREETING, CLEAR, {"STARTTLS", "454 4.7.0 later\r\n"}, BYE},
	 "ok",
	 "EHLO mx.test|STARTTLS|QUIT|",
	 NULL,
	 NULL,
	 5},
	{"ehlo, may: not after a 502",
	 PROBE_EHLO,
	 POOL_TLS_MAY,
	 NULL,
	 {GREETING, CLEAR, {"STARTTLS", "502 what\r\n"}, BYE},
	 "STARTTLS 502 what",
	 "EHLO mx.test|STARTTLS|QUIT|",
	 NULL,
	 NULL,
	 0},
	{"ehlo, may: with tls-fallback all is well in clear",
	 PROBE_EHLO,
	 POOL_TLS_MAY,
	 NULL,
	 {GREETING, CLEAR, BYE},
	 "ok",
	 "EHLO mx.test|QUIT|",
	 NULL,
	 NULL,
	 5,
	 .fallback = true},
	{"ehlo, off: no STARTTLS",
	 PROBE_EHLO,
	 POOL_TLS_OFF,
	 "mx",
	 {GREETING, CLEAR, BYE},
	 "ok",
	 "EHLO mx.test|QUIT|",
	 NULL,
	 NULL,
	 5},
	{"banner: no STARTTLS either",
	 PROBE_BANNER,
	 POOL_TLS_REQUIRE,
	 "mx",
	 {GREETING, BYE},
	 "ok",
	 "QUIT|",
	 NULL,
	 NULL,
	 0},
	{"rcpt: all of it behind TLS",
	 PROBE_RCPT,
	 POOL_TLS_VERIFY,
	 "mx",
	 {GREETING, CLEAR, GO, SECURE, MAIL, RCPT, RSET, BYE},
	 "ok",
	 "EHLO mx.test|STARTTLS|EHLO mx.test|MAIL FROM:<p@test>|RCPT "
	 "TO:<postmaster@test>|RSET|QUIT|",
	 NULL,
	 SUBJECT,
	 1000},
	{"verify: a good one",
	 PROBE_EHLO,
	 POOL_TLS_VERIFY,
	 "mx",
	 {GREETING, CLEAR, GO, SECURE, BYE},
	 "ok",
	 "EHLO mx.test|STARTTLS|EHLO mx.test|QUIT|",
	 NULL,
	 SUBJECT,
	 1000},
	{"verify: expired",
	 PROBE_EHLO,
	 POOL_TLS_VERIFY,
	 "expired",
	 {GREETING, CLEAR, GO},
	 "TLS: certificate verify failed: certificate has expired",
	 "EHLO mx.test|STARTTLS|",
	 "a: certificate has expired: let it have a new one, good for mx.test",
	 NULL,
	 0},
	{"verify: another name",
	 PROBE_EHLO,
	 POOL_TLS_VERIFY,
	 "second",
	 {GREETING, CLEAR, GO},
	 "TLS: certificate verify failed: hostname mismatch",
	 "EHLO mx.test|STARTTLS|",
	 "a: hostname mismatch: its certificate has to be good for mx.test",
	 NULL,
	 0},
	{"implicit: the greeting comes behind it",
	 PROBE_BANNER,
	 POOL_TLS_IMPLICIT,
	 "mx",
	 {GREETING, BYE},
	 "ok",
	 "QUIT|",
	 NULL,
	 SUBJECT,
	 0},
	{"implicit: ehlo",
	 PROBE_EHLO,
	 POOL_TLS_IMPLICIT,
	 "mx",
	 {GREETING, SECURE, BYE},
	 "ok",
	 "EHLO mx.test|QUIT|",
	 NULL,
	 SUBJECT,
	 1000},
	{"implicit: STARTTLS is not for it",
	 PROBE_EHLO,
	 POOL_TLS_IMPLICIT,
	 "mx",
	 {GREETING, CLEAR, BYE},
	 "ok",
	 "EHLO mx.test|QUIT|",
	 NULL,
	 SUBJECT,
	 5},
	{"implicit: a server that greets in clear",
	 PROBE_EHLO,
	 POOL_TLS_IMPLICIT,
	 NULL,
	 {GREETING},
	 "TLS: speaks SMTP in clear",
	 NULL,
	 SPEAKS_CLEAR,
	 NULL,
	 0,
	 .deaf = true},
	{"implicit: a server that refuses in clear",
	 PROBE_EHLO,
	 POOL_TLS_IMPLICIT,
	 NULL,
	 {{NULL, "554-no\r\n554 service\r\n"}},
	 "TLS: speaks SMTP in clear",
	 NULL,
	 SPEAKS_CLEAR,
	 NULL,
	 0,
	 .deaf = true},
	{"implicit: a server that speaks something else",
	 PROBE_EHLO,
	 POOL_TLS_IMPLICIT,
	 NULL,
	 {{NULL, "+OK who is there?\r\n"}},
	 "TLS: wrong version number",
	 NULL,
	 NULL,
	 NULL,
	 0,
	 .deaf = true},
	{"off: a server that says an alert, and no more",
	 PROBE_EHLO,
	 POOL_TLS_OFF,
	 NULL,
	 {{NULL, "\25\3\1"}},
	 "greeting: speaks TLS before its greeting",
	 "",
	 SPEAKS_TLS,
	 NULL,
	 0},
	{"require: a server that says an alert that could be a line",
	 PROBE_EHLO,
	 POOL_TLS_REQUIRE,
	 NULL,
	 {{NULL, "\25\3\3\1\2\2\n"}},
	 "greeting: speaks TLS before its greeting",
	 "",
	 SPEAKS_TLS,
	 NULL,
	 0},
	{"implicit: tcp is content with a connect",
	 PROBE_TCP,
	 POOL_TLS_IMPLICIT,
	 NULL,
	 {{NULL, NULL}},
	 "ok",
	 "",
	 NULL,
	 NULL,
	 0,
	 .deaf = true},
};

static int
set_up(void)
{
	struct tls_fault fault;

	if (pki_open(NULL) != 0 || tls_tickets_new(&tickets) != STATUS_OK)
		return -1;
	return tls_authorities_load(&authorities, pki_path("ca.pem"), &fault);
}

static void
tear_down(void)
{
	tls_authorities_unref(authorities);
	tls_tickets_free(tickets);
	pki_close(NULL);
}

static struct tls_server *
make_server_side(const char *shown)
{
	const char *const names[] = {shown, NULL};
	struct tls_server_settings settings = {.tickets = tickets,
					       .material = pki_material(names)};
	struct tls_server *server;
	struct tls_fault fault;

	assert_int_equal(tls_server_new(&server, &settings, &fault), STATUS_OK);
	tls_material_unref(settings.material);
	return server;
}

static struct tls_client *
make_client_side(const struct row *row)
{
	const struct tls_client_settings settings = {
		.authorities = row->tls == POOL_TLS_VERIFY ? authorities : NULL};
	struct tls_client *client;
	struct tls_fault fault;

	assert_int_equal(tls_client_new(&client, &settings, &fault), STATUS_OK);
	return client;
}

static struct server *
make_server(const struct endpoint *address)
{
	struct server_settings settings = {.name = SPAN("a"),
					   .address_text = SPAN("127.0.0.1:0"),
					   .address = *address,
					   .weight = 1};
	struct server *server = server_new(&settings, true);

	assert_non_null(server);
	return server;
}

static bool has_ended;

static void
ended(struct probe *probe)
{
	(void)probe;
	has_ended = true;
}

/* Time passes at once when the fake server says no more. */
static void
run_probe(struct probe *probe, const struct probe_plan *plan, struct server *server,
	  const struct fake *fake)
{
	struct loop *loop = fake->loop;
	int silent = 0;

	has_ended = false;
	probe_start(probe, plan, server, ended);
	for (int i = 0; i < ROUNDS && !has_ended; i++) {
		loop_round(loop, fake->silent ? 1 : ROUND);
		if (fake->silent && ++silent == 20)
			timer_wheel_advance(&loop->timers,
					    loop->now + plan->timeout + 100);
	}
	assert_true(has_ended);
}

static void
assert_record(const struct row *row, const struct probe_record *record)
{
	assert_string_equal(record->result, row->result);
	assert_int_equal(record->passed, !strcmp(row->result, "ok"));
	assert_int_equal(record->certificate.shown, row->subject != NULL);
	if (!row->subject)
		return;
	assert_string_equal(record->certificate.subject, row->subject);
	assert_non_null(strstr(record->certificate.issuer, "uthority"));
	assert_int_equal(record->certificate.ends, !strcmp(row->shown, "expired")
							   ? pki_end_of_expired()
							   : pki_end());
}

static void
assert_server(const struct row *row, const struct server *server)
{
	struct smtp_extensions known = {0};
	char fault[SERVER_FAULT_MAX];

	assert_int_equal(server_extensions(server, &known), row->size != 0);
	assert_int_equal(known.size, row->size);
	assert_int_equal(server_fault(server, fault), row->fault != NULL);
	if (row->fault)
		assert_string_equal(fault, row->fault);
}

static void
visits(void **state)
{
	const struct row *row = *state;
	struct tls_client *client = make_client_side(row);
	struct tls_server *tls = row->shown ? make_server_side(row->shown) : NULL;
	const struct probe_plan plan = {
		.kind = row->kind,
		.timeout = 10000,
		.tls = row->tls,
		.tls_fallback = row->fallback,
		.tls_name = SPAN("mx.test"),
		.tls_client = &client,
		.hostname = SPAN("mx.test"),
		.sender = SPAN("p@test"),
		.recipient = SPAN("postmaster@test"),
	};
	struct server *server;
	struct probe probe;
	struct loop loop;
	struct fake fake;

	assert_int_equal(loop_open(&loop), STATUS_OK);
	fake_open(&fake, &loop, row->turns);
	fake.tls = tls;
	fake.implicit = tls && row->tls == POOL_TLS_IMPLICIT;
	server = make_server(&fake.listener.address);
	probe_init(&probe, &loop);
	run_probe(&probe, &plan, server, &fake);
	for (int i = 0; i < ROUNDS && stream_is_open(&fake.stream) && !fake.deaf; i++)
		loop_round(&loop, ROUND);
	assert_record(row, &probe.record);
	assert_server(row, server);
	if (!row->deaf) {
		assert_true(span_equals(buffer_span(&fake.heard),
					span_from_string(row->heard)));
		assert_false(fake.unexpected);
	}
	probe_fini(&probe);
	server_unref(server);
	fake_close(&fake);
	loop_close(&loop);
	tls_server_free(tls);
	tls_client_free(client);
}

int
main(void)
{
	int failed;

	if (set_up() != 0)
		return 1;
	log_set_level(LOG_ERROR);
	failed = ROWS_RUN(rows, visits);
	tear_down();
	return failed;
}
