/* What TLS needs from files: what is loaded, and how each fault is told. */
#include "config/report.h"
#include "net/pki.h"
#include "proxy/tls_set.h"
#include "rows.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define DAY 86400

/* $ stands for the folder of the files. */
#define OFFER "listeners: {in: {bind: 127.0.0.1:26, pool: p, tls: offer}}\n"
#define CLEAR "listeners: {in: {bind: 127.0.0.1:26, pool: p}}\n"
#define ASKING                                                                         \
	"listeners: {in: {bind: 127.0.0.1:26, pool: p, tls: offer,\n"                  \
	"  client-certificates: {verify: optional, ca: $"
#define POOL "pools: {p: {servers: {s: h.example:25}}}\n"
#define VERIFY "pools: {p: {servers: {s: h.example:25}, tls: verify,\n  "
#define PAIR(name) "{certificate: $" name ".pem, key: $" name ".key}"
#define MX "tls: {certificates: [" PAIR("mx") "]}\n"

static char *
expand(const char *text)
{
	char *expanded = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&expanded, &length);

	assert_non_null(out);
	for (; *text; text++) {
		if (*text == '$')
			fputs(pki_path(""), out);
		else
			putc(*text, out);
	}
	fclose(out);
	return expanded;
}

static struct snapshot *
read_snapshot(const char *text)
{
	char *expanded = expand(text);
	struct snapshot *snapshot = NULL;
	struct report report;
	enum status status;

	report_init(&report, "");
	status = snapshot_read_text(span_from_string(expanded), "", &report, &snapshot);
	if (status != STATUS_OK)
		fail_msg("%s", report.count ? report.entries[0].message : "no memory");
	report_fini(&report);
	free(expanded);
	return snapshot;
}

/* What is said, in the order of the lines; the caller frees it. */
static char *
print_report(struct report *report)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	assert_non_null(out);
	report_sort(report);
	for (uint32_t i = 0; i < report->count; i++)
		report_print_entry(report, &report->entries[i], out);
	fclose(out);
	return text;
}

static void
assert_said(struct report *report, const char *expected)
{
	char *said = print_report(report);
	char *wanted = expand(expected);

	assert_string_equal(said, wanted);
	free(wanted);
	free(said);
}

static struct tls_tickets *
make_tickets(void)
{
	struct tls_tickets *tickets = NULL;

	assert_int_equal(tls_tickets_new(&tickets), STATUS_OK);
	return tickets;
}

/* A set of a text without faults. */
static struct tls_set *
load(const struct snapshot *snapshot, struct tls_tickets *tickets)
{
	struct tls_set *set = NULL;
	struct report report;

	report_init(&report, "f");
	if (tls_set_load(&set, snapshot, tickets, &report) != STATUS_OK)
		fail_msg("%s", report.entries[0].message);
	report_fini(&report);
	return set;
}

static const struct row {
	const char *name;
	const char *text;
	const char *says;
} rows[] = {
	{"one pair", MX OFFER POOL, ""},
	{"RSA and P-256 side by side",
	 "tls: {certificates: [" PAIR("mx") ", " PAIR("mx-p256") "]}\n" OFFER POOL, ""},
	{"expired: the owner decides",
	 "tls: {certificates: [" PAIR("expired") "]}\n" OFFER POOL, ""},
	{"keys of tickets",
	 "tls: {certificates: [" PAIR("mx") "], ticket-keys: $two.keys}\n" OFFER POOL,
	 ""},
	{"authorities of clients", MX ASKING "ca.pem}}}\n" POOL, ""},
	{"authorities of servers", CLEAR VERIFY "tls-ca: $ca.pem}}\n", ""},
	{"the system's authorities", CLEAR VERIFY "}}\n", ""},
	{"a certificate for servers",
	 CLEAR VERIFY "tls-certificate: $client.pem, tls-key: $client.key}}\n", ""},
	{"files that nobody uses",
	 "tls: {certificates: [{certificate: /nowhere, key: /nowhere}],\n"
	 "  ticket-keys: /nowhere}\n" CLEAR "pools: {p: {servers: {s: h.example:25},\n"
	 "  tls-ca: /nowhere, tls-certificate: /nowhere, tls-key: /nowhere}}\n",
	 ""},
	{"an authority where any certificate will do",
	 CLEAR "pools: {p: {servers: {s: h.example:25}, tls: require,\n"
	       "  tls-ca: /nowhere}}\n",
	 ""},

	{"a login",
	 CLEAR "pools: {p: {servers: {s: h.example:25},\n"
	       "  auth: {username: u, password-file: $password}}}\n",
	 ""},

	{"no password",
	 CLEAR "pools: {p: {servers: {s: h.example:25},\n"
	       "  auth: {username: u, password-file: $empty.pem}}}\n",
	 "f:3:38: pools.p.auth.password-file: $empty.pem: there is no password in its "
	 "first line\n"},
	{"no certificate",
	 "tls: {certificates: [{certificate: $nowhere.pem, key: $mx.key}]}\n" OFFER
		 POOL,
	 "f:1:36: tls.certificates[0].certificate: $nowhere.pem: No such file or "
	 "directory\n"},
	{"no key",
	 "tls: {certificates: [" PAIR(
		 "mx") ",\n"
		       "  {certificate: $second.pem,\n   key: $nowhere.key}]}\n" OFFER
			       POOL,
	 "f:3:9: tls.certificates[1].key: $nowhere.key: No such file or directory\n"},
	{"the key of another",
	 "tls: {certificates: [{certificate: $mx-p256.pem,\n"
	 "  key: $second.key}]}\n" OFFER POOL,
	 "f:2:8: tls.certificates[0].key: $second.key: not the key of the certificate "
	 "in $mx-p256.pem: key values mismatch\n"},
	{"the same twice",
	 "tls: {certificates: [" PAIR("mx") ", " PAIR(
		 "second") ",\n"
			   "  {certificate: $second.pem, key: $second.key}]}\n" OFFER
				   POOL,
	 "f:2:17: tls.certificates[2].certificate: $second.pem: $second.pem has the "
	 "same names and the same kind of key\n"},
	{"no keys of tickets",
	 "tls: {certificates: [" PAIR("mx") "],\n"
					    "  ticket-keys: $empty.pem}\n" OFFER POOL,
	 "f:2:16: tls.ticket-keys: $empty.pem: wanted 1 to 8 keys of 80 bytes each\n"},
	{"no authority of clients", MX ASKING "empty.pem}}}\n" POOL,
	 "f:3:47: listeners.in.client-certificates.ca: $empty.pem: no certificate in "
	 "PEM form in it\n"},
	{"no authority of servers", CLEAR VERIFY "tls-ca: $nowhere.pem}}\n",
	 "f:3:11: pools.p.tls-ca: $nowhere.pem: No such file or directory\n"},
	{"no certificate for servers",
	 CLEAR VERIFY "tls-certificate: $empty.pem, tls-key: $client.key}}\n",
	 "f:3:20: pools.p.tls-certificate: $empty.pem: no certificate in PEM form in "
	 "it\n"},
	{"a key for servers that is another's",
	 CLEAR VERIFY "tls-key: $stranger.key, tls-certificate: $client.pem}}\n",
	 "f:3:12: pools.p.tls-key: $stranger.key: not the key of the certificate in "
	 "$client.pem: key values mismatch\n"},
	{"all at once",
	 "tls:\n  certificates:\n"
	 "    - {certificate: $nowhere.pem, key: $mx.key}\n"
	 "    - {key: $encrypted.key, certificate: $mx.pem}\n"
	 "    - " PAIR(
		 "second") "\n"
			   "    - {certificate: $disorder.pem, key: $disorder.key}\n"
			   "  ticket-keys: $nowhere.keys\n"
			   "listeners:\n"
			   "  in: {bind: 127.0.0.1:26, pool: p, tls: offer, "
			   "client-certificates:\n"
			   "    {ca: $mx.key, verify: required}}\n"
			   "pools:\n  p:\n    servers: {s: h.example:25}\n    tls: "
			   "verify\n"
			   "    tls-ca: $nowhere.pem\n    tls-certificate: "
			   "$client.pem\n"
			   "    tls-key: $nowhere.key\n",
	 "f:3:21: tls.certificates[0].certificate: $nowhere.pem: No such file or "
	 "directory\n"
	 "f:4:13: tls.certificates[1].key: $encrypted.key: the key is protected by a "
	 "password; store it without one\n"
	 "f:6:21: tls.certificates[3].certificate: $disorder.pem: certificate 1 is not "
	 "signed by certificate 2; the chain stands in order behind the certificate\n"
	 "f:7:16: tls.ticket-keys: $nowhere.keys: No such file or directory\n"
	 "f:10:10: listeners.in.client-certificates.ca: $mx.key: no certificate in PEM "
	 "form in it\n"
	 "f:15:13: pools.p.tls-ca: $nowhere.pem: No such file or directory\n"
	 "f:17:14: pools.p.tls-key: $nowhere.key: No such file or directory\n"},
};

static void
loads(void **state)
{
	const struct row *row = *state;
	struct snapshot *snapshot = read_snapshot(row->text);
	struct tls_tickets *tickets = make_tickets();
	struct tls_set *set = NULL;
	struct report report;

	report_init(&report, "f");
	assert_int_equal(tls_set_load(&set, snapshot, tickets, &report),
			 *row->says ? STATUS_INVALID : STATUS_OK);
	assert_said(&report, row->says);
	assert_int_equal(report.advice, 0);
	report_fini(&report);
	tls_set_unref(set);
	tls_tickets_free(tickets);
	snapshot_unref(snapshot);
}

static void
who_needs_something_finds_it(void **state)
{
	struct snapshot *snapshot =
		read_snapshot("tls: {certificates: [" PAIR("mx") ", " PAIR(
			"second") "]}\n"
				  "listeners:\n"
				  "  offers: {bind: 127.0.0.1:26, pool: clear, tls: "
				  "offer}\n"
				  "  asks: {bind: 127.0.0.1:27, pool: clear, tls: "
				  "require,\n"
				  "    client-certificates: {ca: $ca.pem, verify: "
				  "required}}\n"
				  "pools:\n"
				  "  clear: {servers: {s: h.example:25}}\n"
				  "  verifies: {servers: {s: h.example:25}, tls: "
				  "verify,\n"
				  "    tls-ca: $ca.pem}\n"
				  "  shows: {servers: {s: h.example:25}, tls: may,\n"
				  "    tls-certificate: $client.pem, tls-key: "
				  "$client.key}\n");
	struct tls_tickets *tickets = make_tickets();
	struct tls_set *set = load(snapshot, tickets);
	const struct listener_snapshot *listeners = snapshot->listeners;
	const struct pool_snapshot *pools = snapshot->pools;

	(void)state;
	assert_int_equal(tls_material_count(tls_set_material(set)), 2);
	assert_ptr_equal(tls_set_tickets(set), tickets);
	assert_null(tls_set_clients(set, &listeners[0]));
	assert_non_null(tls_set_clients(set, &listeners[1]));
	assert_null(tls_set_servers(set, &pools[0]));
	/* who trusts the same shares it */
	assert_ptr_equal(tls_set_servers(set, &pools[1]),
			 tls_set_clients(set, &listeners[1]));
	assert_null(tls_set_servers(set, &pools[2]));
	assert_null(tls_set_shown(set, &pools[1]));
	assert_int_equal(tls_material_count(tls_set_shown(set, &pools[2])), 1);
	tls_set_unref(set);
	tls_tickets_free(tickets);
	snapshot_unref(snapshot);
}

static void
references_keep_it(void **state)
{
	struct snapshot *snapshot = read_snapshot(MX OFFER POOL);
	struct tls_tickets *tickets = make_tickets();
	struct tls_set *set = load(snapshot, tickets);

	(void)state;
	assert_ptr_equal(tls_set_ref(set), set);
	tls_set_unref(set);
	assert_int_equal(tls_material_count(tls_set_material(set)), 1);
	tls_set_unref(set);
	tls_set_unref(NULL);
	tls_tickets_free(tickets);
	snapshot_unref(snapshot);
}

static void
nothing_is_needed_without_tls(void **state)
{
	struct snapshot *snapshot = read_snapshot(CLEAR POOL);
	struct tls_set *set = load(snapshot, NULL);
	const char *paths[8];

	(void)state;
	assert_null(tls_set_material(set));
	assert_true(tls_set_paths_max(snapshot) <= 8);
	assert_int_equal(tls_set_paths(snapshot, paths), 0);
	tls_set_unref(set);
	snapshot_unref(snapshot);
}

static void
all_files_are_named(void **state)
{
	static const char *const expected[] = {"/c", "/k", "/t", "/a",
					       "/b", "/p", "/d", "/e"};
	struct snapshot *snapshot = read_snapshot(
		"tls: {certificates: [{certificate: /c, key: /k}], ticket-keys: /t}\n"
		"listeners: {in: {bind: 127.0.0.1:26, pool: p, tls: offer,\n"
		"  client-certificates: {ca: /a, verify: required}}}\n"
		"pools: {p: {servers: {s: h.example:25}, tls: verify, tls-ca: /b,\n"
		"  tls-certificate: /d, tls-key: /e,\n"
		"  auth: {username: u, password-file: /p}}}\n");
	const char *paths[16];

	(void)state;
	assert_true(tls_set_paths_max(snapshot) <= 16);
	assert_int_equal(tls_set_paths(snapshot, paths), 8);
	for (size_t i = 0; i < 8; i++)
		assert_string_equal(paths[i], expected[i]);
	snapshot_unref(snapshot);
}

/* The days are not known beforehand: what is said is looked for, not compared. */
static void
assert_advice(const char *text, int64_t now, uint32_t count, const char *says)
{
	struct snapshot *snapshot = read_snapshot(text);
	struct tls_tickets *tickets = make_tickets();
	struct tls_set *set = load(snapshot, tickets);
	struct report report;
	char *said;

	report_init(&report, "f");
	tls_set_advise(set, snapshot, now, &report);
	assert_int_equal(report.errors, 0);
	assert_int_equal(report.advice, count);
	said = print_report(&report);
	if (!strstr(said, says))
		fail_msg("%s is not in %s", says, said);
	free(said);
	report_fini(&report);
	tls_set_unref(set);
	tls_tickets_free(tickets);
	snapshot_unref(snapshot);
}

static void
an_end_is_told_in_time(void **state)
{
	(void)state;
	assert_advice(MX OFFER POOL, pki_end() - 14 * DAY, 0, "");
	assert_advice(MX OFFER POOL, pki_end() - 14 * DAY + 1, 1,
		      "f:1:36: tls.certificates[0].certificate: advice: ");
	assert_advice(MX OFFER POOL, pki_end() - 1, 1, "mx.pem: expires on 2");
	assert_advice(MX OFFER POOL, pki_end(), 1, "mx.pem: expired on 2");
}

static void
an_end_towards_servers_is_told_too(void **state)
{
	(void)state;
	assert_advice(CLEAR VERIFY
		      "tls-certificate: $client.pem, tls-key: $client.key}}\n",
		      pki_end(), 1, "f:3:20: pools.p.tls-certificate: advice: ");
}

static void
a_password_for_everybody_is_told(void **state)
{
	(void)state;
	pki_write("exposed", "secret\n", 7);
	assert_int_equal(chmod(pki_path("exposed"), 0644), 0);
	assert_advice(CLEAR "pools: {p: {servers: {s: h.example:25},\n"
			    "  auth: {username: u, password-file: $exposed}}}\n",
		      pki_end(), 1, "f:3:38: pools.p.auth.password-file: advice: ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_needs_something_finds_it),
		cmocka_unit_test(references_keep_it),
		cmocka_unit_test(nothing_is_needed_without_tls),
		cmocka_unit_test(all_files_are_named),
		cmocka_unit_test(an_end_is_told_in_time),
		cmocka_unit_test(an_end_towards_servers_is_told_too),
		cmocka_unit_test(a_password_for_everybody_is_told),
	};
	int failed;

	if (pki_open(NULL) != 0)
		return 1;
	pki_write("two.keys", (char[2 * TLS_TICKETS_KEY_SIZE]){0},
		  2 * TLS_TICKETS_KEY_SIZE);
	pki_write("password", "secret\n", 7);
	assert_int_equal(chmod(pki_path("password"), 0600), 0);
	failed = ROWS_RUN(rows, loads) +
		 cmocka_run_group_tests_name("tls set", tests, NULL, NULL);
	pki_close(NULL);
	return failed;
}
