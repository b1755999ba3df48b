/* From a text to a snapshot: values arrive where the program looks for them. */
#include "config/limits.h"
#include "config/report.h"
#include "config/snapshot.h"
#include "rows.h"

#include <stdio.h>

#define BASE                                                                           \
	"hostname: mx.example\n"                                                       \
	"listeners: {in: {bind: [127.0.0.1:25, \"[::1]:25\"], pool: q}}\n"             \
	"pools:\n"                                                                     \
	"  p: {servers: {s: 10.0.0.1:25}}\n"                                           \
	"  q: {servers: {s: 10.0.0.2:25, t: hub.example:25}, balance: random}\n"

#define TLS                                                                            \
	"tls: {certificates: [{certificate: /c, key: /k}, {certificate: /d, key: /e}]"

static struct snapshot *
read_text(const char *text)
{
	struct snapshot *snapshot = NULL;
	struct report report;
	enum status status;

	report_init(&report, "file");
	status = snapshot_read_text(span_from_string(text), "file", &report, &snapshot);
	if (status != STATUS_OK)
		fail_msg("%s", report.count ? report.entries[0].message : "no memory");
	report_fini(&report);
	return snapshot;
}

static const struct row {
	const char *name;
	const char *text;                              /* before BASE */
	enum { OF_SNAPSHOT, OF_LISTENER, OF_POOL } of; /* the first listener and pool */
	size_t offset;
	size_t size;
	uint64_t value;
} rows[] = {
#define ROW(name, text, of, type, member, value)                                       \
	{                                                                              \
		name, text, of, offsetof(struct type, member),                         \
			sizeof(((struct type *)0)->member), value                      \
	}
	ROW("workers", "workers: 3\n", OF_SNAPSHOT, snapshot, workers, 3),
	ROW("shutdown-timeout", "", OF_SNAPSHOT, snapshot, shutdown_timeout, 60000),
	ROW("dns.resolver: system", "", OF_SNAPSHOT, snapshot, dns.mode, DNS_SYSTEM),
	ROW("dns.resolver: recursive", "dns: {resolver: recursive}\n", OF_SNAPSHOT,
	    snapshot, dns.mode, DNS_RECURSIVE),
	ROW("dns.resolver: addresses", "dns: {resolver: [127.0.0.1, \"::1\"]}\n",
	    OF_SNAPSHOT, snapshot, dns.server_count, 2),
	ROW("dns.client-names", "", OF_SNAPSHOT, snapshot, dns.client_names, true),
	ROW("dns.client-names: false", "dns: {client-names: false}\n", OF_SNAPSHOT,
	    snapshot, dns.client_names, false),
	ROW("admin.socket by default", "", OF_SNAPSHOT, snapshot,
	    admin.socket_is_default, true),
	ROW("admin.socket", "admin: {socket: /s}\n", OF_SNAPSHOT, snapshot,
	    admin.socket_is_default, false),
	ROW("admin.http is off", "", OF_SNAPSHOT, snapshot, admin.http.length, 0),
	ROW("log.to", "log: {to: journal}\n", OF_SNAPSHOT, snapshot, log.target,
	    LOG_TO_JOURNAL),
	ROW("log.to a file", "log: {to: /var/log/evenpost}\n", OF_SNAPSHOT, snapshot,
	    log.target, LOG_TO_FILE),
	ROW("log.format", "log: {format: json}\n", OF_SNAPSHOT, snapshot, log.format,
	    LOG_JSON),
	ROW("log.level", "log: {level: debug}\n", OF_SNAPSHOT, snapshot, log.level,
	    LOG_DEBUG),
	ROW("two pools", "", OF_SNAPSHOT, snapshot, pool_count, 2),
	ROW("tls.certificates are none", "", OF_SNAPSHOT, snapshot, tls.pair_count, 0),
	ROW("tls.certificates", TLS "}\n", OF_SNAPSHOT, snapshot, tls.pair_count, 2),
	ROW("tls.min-version", TLS "}\n", OF_SNAPSHOT, snapshot, tls.only_1_3, false),
	ROW("tls.min-version: 1.3", TLS ", min-version: \"1.3\"}\n", OF_SNAPSHOT,
	    snapshot, tls.only_1_3, true),
	ROW("bind", "", OF_LISTENER, listener_snapshot, bind_count, 2),
	ROW("mode", "", OF_LISTENER, listener_snapshot, mode, LISTENER_MESSAGE),
	ROW("accept-proxy is nobody", "", OF_LISTENER, listener_snapshot,
	    accept_proxy.count, 0),
	ROW("add-received", "", OF_LISTENER, listener_snapshot, add_received,
	    RECEIVED_AUTO),
	ROW("max-message-size", "", OF_LISTENER, listener_snapshot,
	    smtp.max_message_size, 52428800),
	ROW("max-recipients", "", OF_LISTENER, listener_snapshot, smtp.max_recipients,
	    1000),
	ROW("line-endings", "", OF_LISTENER, listener_snapshot, smtp.reject_bare,
	    false),
	ROW("max-connections", "", OF_LISTENER, listener_snapshot, max_connections,
	    50000),
	ROW("max-connections-per-client", "", OF_LISTENER, listener_snapshot,
	    max_connections_per_client, 100),
	ROW("timeouts.command", "", OF_LISTENER, listener_snapshot, timeouts.command,
	    300000),
	ROW("timeouts.data", "", OF_LISTENER, listener_snapshot, timeouts.data, 180000),
	ROW("timeouts.session is off", "", OF_LISTENER, listener_snapshot,
	    timeouts.session, 0),
	ROW("timeouts.idle is for connections", "", OF_LISTENER, listener_snapshot,
	    timeouts.idle, 0),
	ROW("identity", "", OF_POOL, pool_snapshot, identity, IDENTITY_NONE),
	ROW("greets", "", OF_POOL, pool_snapshot, greets, true),
	ROW("protocol", "", OF_POOL, pool_snapshot, protocol, MAIL_SMTP),
	ROW("hash-on", "", OF_POOL, pool_snapshot, hash_on, HASH_ON_RECIPIENT),
	ROW("health.probe", "", OF_POOL, pool_snapshot, health.kind, PROBE_EHLO),
	ROW("health.interval", "", OF_POOL, pool_snapshot, health.interval, 2000),
	ROW("health.down-interval is interval", "", OF_POOL, pool_snapshot,
	    health.down_interval, 2000),
	ROW("health.timeout", "", OF_POOL, pool_snapshot, health.timeout, 5000),
	ROW("reuse.idle", "", OF_POOL, pool_snapshot, reuse.idle, 30000),
	ROW("reuse.max-idle", "", OF_POOL, pool_snapshot, reuse.max_idle, 16),
	ROW("reuse.max-messages", "", OF_POOL, pool_snapshot, reuse.max_messages, 100),
	ROW("retry.attempts", "", OF_POOL, pool_snapshot, retry.attempts, 3),
	ROW("retry.buffer", "", OF_POOL, pool_snapshot, retry.buffer, 1048576),
	ROW("queue", "", OF_POOL, pool_snapshot, queue, 10000),
	ROW("timeouts.connect", "", OF_POOL, pool_snapshot, timeouts.connect, 5000),
	ROW("timeouts.greeting", "", OF_POOL, pool_snapshot, timeouts.greeting, 30000),
	ROW("timeouts.end", "", OF_POOL, pool_snapshot, timeouts.end, 600000),
#undef ROW
};

static uint64_t
read_member(const void *base, size_t offset, size_t size)
{
	uint64_t value = 0;

	/* Little-endian, as every machine it is tested on. */
	memcpy(&value, (const char *)base + offset, size);
	return value;
}

static void
test_row(void **state)
{
	const struct row *row = *state;
	char text[2048];
	struct snapshot *snapshot;
	const void *bases[3];

	snprintf(text, sizeof(text), "%s%s", row->text, BASE);
	snapshot = read_text(text);
	bases[OF_SNAPSHOT] = snapshot;
	bases[OF_LISTENER] = snapshot->listeners;
	bases[OF_POOL] = snapshot->pools;
	assert_int_equal(read_member(bases[row->of], row->offset, row->size),
			 row->value);
	snapshot_unref(snapshot);
}

/* A listener and its pool, each with some more keys. */
static struct snapshot *
read_pair(const char *listener, const char *pool)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "listeners: {in: {bind: 127.0.0.1:25, pool: p%s}}\n"
		 "pools: {p: {servers: {s: 10.0.0.1:25}%s}}\n",
		 listener, pool);
	return read_text(text);
}

static const struct identity_row {
	const char *name; /* as the file says it */
	enum identity_method identity;
	bool is_personal;
	bool received[3]; /* whether a line is added: by add_received */
	bool names;       /* whether clients are looked up without a line */
} identities[] = {
	{"proxy-v1", IDENTITY_PROXY_V1, true, {false, true, false}, false},
	{"proxy-v2", IDENTITY_PROXY_V2, true, {false, true, false}, false},
	{"xclient", IDENTITY_XCLIENT, true, {false, true, false}, true},
	{"xforward", IDENTITY_XFORWARD, false, {true, true, false}, true},
	{"transparent", IDENTITY_TRANSPARENT, true, {false, true, false}, false},
	{"header", IDENTITY_HEADER, false, {true, true, true}, false},
	{"none", IDENTITY_NONE, false, {true, true, false}, false},
};

static void
test_identity(void **state)
{
	static const char *const words[] = {"auto", "always", "never"};
	const struct identity_row *row = *state;
	char pool[64];

	snprintf(pool, sizeof(pool), ", identity: %s", row->name);
	assert_int_equal(identity_is_personal(row->identity), row->is_personal);
	for (enum add_received i = RECEIVED_AUTO; i <= RECEIVED_NEVER; i++) {
		struct snapshot *snapshot;
		const struct listener_snapshot *listener;
		char text[64];

		snprintf(text, sizeof(text), ", add-received: %s", words[i]);
		snapshot = read_pair(text, pool);
		listener = snapshot->listeners;
		assert_int_equal(listener->add_received, i);
		assert_int_equal(listener->pools[0]->identity, row->identity);
		assert_int_equal(listener_adds_received(listener, listener->pools[0]),
				 row->received[i]);
		assert_int_equal(listener_names_clients(snapshot, listener),
				 row->names || row->received[i]);
		snapshot_unref(snapshot);
	}
}

static void
test_names_nobody_wants(void **state)
{
	struct snapshot *snapshot = read_text(
		"dns: {client-names: false}\n"
		"listeners: {in: {bind: 127.0.0.1:25, pool: p}}\n"
		"pools: {p: {servers: {s: 10.0.0.1:25}, identity: xclient}}\n");

	(void)state;
	assert_false(listener_names_clients(snapshot, snapshot->listeners));
	snapshot_unref(snapshot);
	snapshot = read_pair(", mode: connection", "");
	assert_false(listener_names_clients(snapshot, snapshot->listeners));
	snapshot_unref(snapshot);
}

static void
test_accept_proxy(void **state)
{
	struct snapshot *snapshot =
		read_pair(", accept-proxy: [192.0.2.10, 10.0.0.0/8]", "");
	const struct network_set *set = &snapshot->listeners->accept_proxy;
	struct endpoint endpoint;

	(void)state;
	assert_int_equal(set->count, 2);
	assert_true(endpoint_read(SPAN("192.0.2.10:25"), &endpoint));
	assert_true(network_set_has(set, &endpoint));
	assert_true(endpoint_read(SPAN("10.1.2.3:25"), &endpoint));
	assert_true(network_set_has(set, &endpoint));
	assert_true(endpoint_read(SPAN("192.0.2.11:25"), &endpoint));
	assert_false(network_set_has(set, &endpoint));
	snapshot_unref(snapshot);
}

static const struct listener_tls_row {
	const char *name; /* as the file says it */
	enum listener_tls tls;
	enum smtp_tls_policy smtp;
} listener_tls[] = {
	{"off", LISTENER_TLS_OFF, SMTP_TLS_OFF},
	{"offer", LISTENER_TLS_OFFER, SMTP_TLS_OFFERED},
	{"require", LISTENER_TLS_REQUIRE, SMTP_TLS_REQUIRED},
	{"implicit", LISTENER_TLS_IMPLICIT, SMTP_TLS_OFF},
};

static void
test_listener_tls(void **state)
{
	const struct listener_tls_row *row = *state;
	char text[256];
	struct snapshot *snapshot;
	const struct listener_snapshot *listener;

	snprintf(text, sizeof(text),
		 TLS "}\npools: {p: {servers: {s: 10.0.0.1:25}}}\n"
		     "listeners: {in: {bind: 127.0.0.1:26, pool: p, tls: %s}}\n",
		 row->name);
	snapshot = read_text(text);
	listener = snapshot->listeners;
	assert_int_equal(listener->tls, row->tls);
	assert_int_equal(listener->smtp.tls, row->smtp);
	assert_int_equal(listener->client_verify, CLIENT_VERIFY_OFF);
	assert_int_equal(listener->rates[RATE_HANDSHAKES].count, 0);
	snapshot_unref(snapshot);
}

/* Paths go to libc. */
static void
assert_path(struct span path, const char *expected)
{
	assert_string_equal(path.at, expected);
	assert_int_equal(path.length, strlen(expected));
}

static void
test_clients_of_tls(void **state)
{
	struct snapshot *snapshot =
		read_text("tls: {certificates: [{certificate: /c, key: /k},\n"
			  " {certificate: /d, key: /e}], ticket-keys: /t}\n"
			  "pools: {p: {servers: {s: 10.0.0.1:25}}}\n"
			  "listeners: {in: {bind: 127.0.0.1:26, pool: p, tls: offer,\n"
			  " client-certificates: {ca: /a, verify: optional},\n"
			  " handshake-rate: 20/m}}\n");
	const struct listener_snapshot *listener = snapshot->listeners;

	(void)state;
	assert_int_equal(snapshot->tls.pair_count, 2);
	assert_path(snapshot->tls.pairs[0].key, "/k");
	assert_path(snapshot->tls.pairs[1].certificate, "/d");
	assert_path(snapshot->tls.pairs[1].key, "/e");
	assert_path(snapshot->tls.ticket_keys, "/t");
	assert_path(listener->client_ca, "/a");
	assert_int_equal(listener->client_verify, CLIENT_VERIFY_OPTIONAL);
	assert_int_equal(listener->rates[RATE_HANDSHAKES].count, 20);
	assert_int_equal(listener->rates[RATE_HANDSHAKES].period, 60000);
	snapshot_unref(snapshot);
}

static const struct listener_rate_row {
	const char *name; /* as the file says it */
	enum listener_rate which;
	struct rate rate;
} listener_rates[] = {
	{"connection-rate: 100/s", RATE_CONNECTIONS, {100, 1000}},
	{"handshake-rate: 20/m", RATE_HANDSHAKES, {20, 60000}},
	{"message-rate: 60/m", RATE_MESSAGES, {60, 60000}},
	{"recipient-rate: 500/h", RATE_RECIPIENTS, {500, 3600000}},
	{"user-message-rate: 1/h", RATE_USER_MESSAGES, {1, 3600000}},
	{"user-recipient-rate: 2/h", RATE_USER_RECIPIENTS, {2, 3600000}},
};

/* Each from its own key, and no other with it. */
static void
test_listener_rate(void **state)
{
	const struct listener_rate_row *row = *state;
	struct snapshot *snapshot;
	char text[64];

	snprintf(text, sizeof(text), ", auth-failures: off, %s", row->name);
	snapshot = read_pair(text, "");
	for (unsigned i = 0; i < LISTENER_RATE_COUNT; i++) {
		struct rate expected = i == row->which ? row->rate : (struct rate){0};

		assert_int_equal(snapshot->listeners[0].rates[i].count, expected.count);
		assert_int_equal(snapshot->listeners[0].rates[i].period,
				 expected.period);
	}
	snapshot_unref(snapshot);
}

static const struct listener_auth_row {
	const char *name; /* as the file says it */
	bool auth;
	bool needs_tls;
	struct rate failures;
} listener_auth[] = {
	{"off", false, false, {20, 3600000}},
	{"relay", true, true, {20, 3600000}},
	{"relay-insecure", true, false, {20, 3600000}},
	{"relay, auth-failures: 3/m", true, true, {3, 60000}},
	{"relay, auth-failures: off", true, true, {0, 0}},
};

static void
test_listener_auth(void **state)
{
	const struct listener_auth_row *row = *state;
	char text[64];
	struct snapshot *snapshot;
	const struct listener_snapshot *listener;

	snprintf(text, sizeof(text), ", auth: %s", row->name);
	snapshot = read_pair(text, "");
	listener = snapshot->listeners;
	assert_int_equal(listener->auth, row->auth);
	assert_int_equal(listener->smtp.auth, row->auth);
	assert_int_equal(listener->smtp.auth_needs_tls, row->needs_tls);
	assert_int_equal(listener->rates[RATE_FAILED_LOGINS].count,
			 row->failures.count);
	assert_int_equal(listener->rates[RATE_FAILED_LOGINS].period,
			 row->failures.period);
	snapshot_unref(snapshot);
}

static const struct pool_tls_row {
	const char *name; /* as the file says it */
	enum pool_tls tls;
	bool verifies;
} pool_tls[] = {
	{"off", POOL_TLS_OFF, false},
	{"may", POOL_TLS_MAY, false},
	{"may, tls-ca: /a", POOL_TLS_MAY, false},
	{"require", POOL_TLS_REQUIRE, false},
	{"require, tls-name: hub.example", POOL_TLS_REQUIRE, false},
	{"verify", POOL_TLS_VERIFY, true},
	{"implicit", POOL_TLS_IMPLICIT, false},
	{"implicit, tls-ca: /a", POOL_TLS_IMPLICIT, true},
	{"implicit, tls-name: hub.example", POOL_TLS_IMPLICIT, true},
};

static void
test_pool_tls(void **state)
{
	const struct pool_tls_row *row = *state;
	char pool[64];
	struct snapshot *snapshot;

	snprintf(pool, sizeof(pool), ", tls: %s", row->name);
	snapshot = read_pair("", pool);
	assert_int_equal(snapshot->pools->tls, row->tls);
	assert_int_equal(pool_verifies_tls(snapshot->pools), row->verifies);
	assert_false(snapshot->pools->tls_fallback);
	snapshot_unref(snapshot);
}

static void
test_servers_of_tls(void **state)
{
	struct snapshot *snapshot = read_pair(
		"",
		", tls: may, tls-ca: /a, tls-name: hub.example, tls-certificate: /c,"
		" tls-key: /k, tls-fallback: true");
	const struct pool_snapshot *pool = snapshot->pools;

	(void)state;
	assert_path(pool->tls_ca, "/a");
	assert_path(pool->tls_name, "hub.example");
	assert_path(pool->tls_certificate, "/c");
	assert_path(pool->tls_key, "/k");
	assert_true(pool->tls_fallback);
	snapshot_unref(snapshot);
}

static void
test_pool_auth(void **state)
{
	struct snapshot *snapshot =
		read_pair("", ", auth: {username: u@x.example, password-file: /p}");

	(void)state;
	assert_path(snapshot->pools->auth_username, "u@x.example");
	assert_path(snapshot->pools->auth_password_file, "/p");
	snapshot_unref(snapshot);
	snapshot = read_pair("", "");
	assert_true(span_is_empty(snapshot->pools->auth_username));
	snapshot_unref(snapshot);
}

static const struct connection_row {
	const char *name;
	const char *listener;
	int64_t idle;
} connections[] = {
	{"idle is longer than a server's patience", "", 900000},
	{"idle is what command says", ", timeouts: {command: 30m}", 1800000},
	{"idle is what it says", ", timeouts: {command: 30m, idle: 11m}", 660000},
};

static void
test_connection(void **state)
{
	const struct connection_row *row = *state;
	char text[128];
	struct snapshot *snapshot;
	const struct listener_snapshot *listener;

	snprintf(text, sizeof(text), ", mode: connection%s", row->listener);
	snapshot = read_pair(text, ", greets: false");
	listener = snapshot->listeners;
	assert_int_equal(listener->mode, LISTENER_CONNECTION);
	assert_int_equal(listener->timeouts.idle, row->idle);
	assert_false(listener->pools[0]->greets);
	/* unlimited */
	assert_int_equal(listener->pools[0]->pool->servers[0]->max_connections, 0);
	snapshot_unref(snapshot);
}

static void
test_texts(void **state)
{
	struct snapshot *snapshot = read_text("user: mail\n" BASE);

	(void)state;
	assert_true(span_equals(snapshot->hostname, SPAN("mx.example")));
	assert_true(
		span_equals(snapshot->listeners->smtp.hostname, SPAN("mx.example")));
	assert_true(span_equals(snapshot->user, SPAN("mail")));
	assert_true(
		span_equals(snapshot->admin.socket, SPAN("/run/evenpost/admin.sock")));
	assert_int_equal(snapshot->admin.socket.at[snapshot->admin.socket.length], 0);
	snapshot_unref(snapshot);
}

static void
test_pool(void **state)
{
	struct snapshot *snapshot = read_text(BASE);
	const struct pool *pool = snapshot->listeners->pools[0]->pool;
	struct endpoint address;

	(void)state;
	assert_int_equal(snapshot->listeners->pool_count, 1);
	assert_ptr_equal(snapshot->listeners->pools[0], &snapshot->pools[1]);
	assert_true(snapshot->pools[1].used);
	assert_false(snapshot->pools[0].used);
	assert_string_equal(pool->name, "q");
	assert_string_equal(strategy_name(pool->strategy), "random");
	assert_int_equal(pool->server_count, 2);
	assert_string_equal(pool->servers[0]->name, "s");
	assert_true(server_address(pool->servers[0], &address));
	/* A host name is for the resolver. */
	assert_string_equal(pool->servers[1]->address_text, "hub.example:25");
	assert_false(server_address(pool->servers[1], &address));
	snapshot_unref(snapshot);
}

static void
test_server(void **state)
{
	struct snapshot *snapshot =
		read_text("listeners: {in: {bind: 127.0.0.1:25, pool: p}}\n"
			  "pools: {p: {servers: {s: {address: 10.0.0.1:25, weight: 7,\n"
			  " preference: 20, max-connections: unlimited,\n"
			  " source: 10.0.0.9}}, slow-start: 30s, health: {rise: 4},\n"
			  " passive: {failures: 0, max-ejected: 20%}}}\n");
	const struct pool *pool = snapshot->pools->pool;
	const struct server *server = pool->servers[0];

	(void)state;
	assert_int_equal(server->weight, 7);
	assert_int_equal(server->preference, 20);
	assert_int_equal(server->max_connections, 0);
	assert_int_not_equal(server->source.length, 0);
	assert_int_equal(pool->rules.rise, 4);
	assert_int_equal(pool->rules.fall, 3);
	assert_true(pool->rules.probed);
	assert_int_equal(pool->rules.passive_failures, 0);
	assert_int_equal(pool->rules.max_ejected, 20);
	assert_int_equal(pool->rules.slow_start, 30000);
	snapshot_unref(snapshot);
}

/* Two servers with 40 places each hold 80 transactions, however many clients wait. */
static void
test_memory(void **state)
{
	struct snapshot *snapshot = read_text(BASE);
	const struct listener_snapshot *listener = snapshot->listeners;
	uint64_t waiting = LIMIT_SESSION + LIMIT_SESSION_INPUT + LIMIT_SESSION_OUTPUT;
	uint64_t session = snapshot_session_memory(snapshot, listener);

	(void)state;
	assert_true(session > waiting + listener->pools[0]->retry.buffer);
	assert_int_equal(snapshot_listener_memory(snapshot, listener),
			 50000 * waiting + 80 * (session - waiting));
	snapshot_unref(snapshot);
}

/* Bytes that pass are kept nowhere but between two reads. */
static void
test_connection_memory(void **state)
{
	struct snapshot *snapshot =
		read_pair(", mode: connection, max-connections: 1000", "");
	const struct listener_snapshot *listener = snapshot->listeners;

	(void)state;
	assert_int_equal(snapshot_session_memory(snapshot, listener), LIMIT_TUNNEL);
	assert_int_equal(snapshot_listener_memory(snapshot, listener),
			 1000 * LIMIT_TUNNEL);
	snapshot_unref(snapshot);
}

static void
test_references(void **state)
{
	struct snapshot *snapshot = read_text(BASE);

	(void)state;
	assert_ptr_equal(snapshot_ref(snapshot), snapshot);
	snapshot_unref(snapshot);
	assert_int_equal(snapshot->pool_count, 2);
	snapshot_unref(snapshot);
}

static void
test_errors(void **state)
{
	struct snapshot *snapshot = NULL;
	struct report report;

	(void)state;
	report_init(&report, "file");
	assert_int_equal(snapshot_read_text(SPAN("a: b"), "file", &report, &snapshot),
			 STATUS_INVALID);
	assert_null(snapshot);
	assert_int_equal(report.errors, 3);
	report_fini(&report);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_nobody_wants),
		cmocka_unit_test(test_accept_proxy),
		cmocka_unit_test(test_clients_of_tls),
		cmocka_unit_test(test_servers_of_tls),
		cmocka_unit_test(test_pool_auth),
		cmocka_unit_test(test_connection_memory),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_server),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_errors),
	};

	return ROWS_RUN(rows, test_row) + ROWS_RUN(identities, test_identity) +
	       ROWS_RUN(listener_tls, test_listener_tls) +
	       ROWS_RUN(listener_rates, test_listener_rate) +
	       ROWS_RUN(listener_auth, test_listener_auth) +
	       ROWS_RUN(pool_tls, test_pool_tls) +
	       ROWS_RUN(connections, test_connection) +
	       cmocka_run_group_tests(tests, NULL, NULL);
}
