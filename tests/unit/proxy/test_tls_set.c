/* What TLS needs from files: what is loaded, and how each fault is told. */
#include "config/report.h"
#include "net/pki.h"
#include "proxy/tls_set.h"
#include "report_text.h"
#include "rows.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* What is said of the files, at the place of each; the caller frees it. */
static char *
print_refusals(const struct tls_refusals *refusals)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	struct refused_file refused;
	uint32_t at = 0;

	assert_non_null(out);
	while (tls_refusals_next(refusals, &at, &refused))
		fprintf(out, "%u:%u: %s: %s: %s\n", refused.name->place.line,
			refused.name->place.column, refused.name->setting,
			refused.name->path, refused.why);
	fclose(out);
	return text;
}

static void
assert_said(const struct tls_refusals *refusals, const char *expected)
{
	char *said = print_refusals(refusals);
	char *wanted = expand(expected);

	assert_string_equal(said, wanted);
	free(wanted);
	free(said);
}

static void
make_refusals(struct tls_refusals *refusals, const struct snapshot *snapshot)
{
	assert_int_equal(tls_refusals_init(refusals, &snapshot->named_files),
			 STATUS_OK);
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
	struct tls_refusals refusals;

	make_refusals(&refusals, snapshot);
	if (tls_set_load(&set, snapshot, tickets, &refusals) != STATUS_OK)
		fail_msg("%s", print_refusals(&refusals));
	tls_refusals_fini(&refusals);
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
	 "3:38: pools.p.auth.password-file: $empty.pem: there is no password in its "
	 "first line\n"},
	{"no certificate",
	 "tls: {certificates: [{certificate: $nowhere.pem, key: $mx.key}]}\n" OFFER
		 POOL,
	 "1:36: tls.certificates[0].certificate: $nowhere.pem: No such file or "
	 "directory\n"},
	{"no key",
	 "tls: {certificates: [" PAIR(
		 "mx") ",\n"
		       "  {certificate: $second.pem,\n   key: $nowhere.key}]}\n" OFFER
			       POOL,
	 "3:9: tls.certificates[1].key: $nowhere.key: No such file or directory\n"},
	{"the key of another",
	 "tls: {certificates: [{certificate: $mx-p256.pem,\n"
	 "  key: $second.key}]}\n" OFFER POOL,
	 "2:8: tls.certificates[0].key: $second.key: not the key of the certificate "
	 "in $mx-p256.pem: key values mismatch\n"},
	{"the same twice",
	 "tls: {certificates: [" PAIR("mx") ", " PAIR(
		 "second") ",\n"
			   "  {certificate: $second.pem, key: $second.key}]}\n" OFFER
				   POOL,
	 "2:17: tls.certificates[2].certificate: $second.pem: $second.pem has the "
	 "same names and the same kind of key\n"},
	{"no keys of tickets",
	 "tls: {certificates: [" PAIR("mx") "],\n"
					    "  ticket-keys: $empty.pem}\n" OFFER POOL,
	 "2:16: tls.ticket-keys: $empty.pem: wanted 1 to 8 keys of 80 bytes each\n"},
	{"no authority of clients", MX ASKING "empty.pem}}}\n" POOL,
	 "3:47: listeners.in.client-certificates.ca: $empty.pem: no certificate in "
	 "PEM form in it\n"},
	{"no authority of servers", CLEAR VERIFY "tls-ca: $nowhere.pem}}\n",
	 "3:11: pools.p.tls-ca: $nowhere.pem: No such file or directory\n"},
	{"no certificate for servers",
	 CLEAR VERIFY "tls-certificate: $empty.pem, tls-key: $client.key}}\n",
	 "3:20: pools.p.tls-certificate: $empty.pem: no certificate in PEM form in "
	 "it\n"},
	{"a key for servers that is another's",
	 CLEAR VERIFY "tls-key: $stranger.key, tls-certificate: $client.pem}}\n",
	 "3:12: pools.p.tls-key: $stranger.key: not the key of the certificate in "
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
	 "3:21: tls.certificates[0].certificate: $nowhere.pem: No such file or "
	 "directory\n"
	 "4:13: tls.certificates[1].key: $encrypted.key: the key is protected by a "
	 "password; store it without one\n"
	 "6:21: tls.certificates[3].certificate: $disorder.pem: certificate 1 is not "
	 "signed by certificate 2; the chain stands in order behind the certificate\n"
	 "7:16: tls.ticket-keys: $nowhere.keys: No such file or directory\n"
	 "10:10: listeners.in.client-certificates.ca: $mx.key: no certificate in PEM "
	 "form in it\n"
	 "15:13: pools.p.tls-ca: $nowhere.pem: No such file or directory\n"
	 "17:14: pools.p.tls-key: $nowhere.key: No such file or directory\n"},
};

static void
loads(void **state)
{
	const struct row *row = *state;
	struct snapshot *snapshot = read_snapshot(row->text);
	struct tls_tickets *tickets = make_tickets();
	struct tls_set *set = NULL;
	struct tls_refusals refusals;

	make_refusals(&refusals, snapshot);
	assert_int_equal(tls_set_load(&set, snapshot, tickets, &refusals),
			 *row->says ? STATUS_INVALID : STATUS_OK);
	assert_said(&refusals, row->says);
	tls_refusals_fini(&refusals);
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

	(void)state;
	assert_null(tls_set_material(set));
	tls_set_unref(set);
	snapshot_unref(snapshot);
}

/* ---- files that change ---- */

#define EVERYTHING                                                                     \
	"tls: {certificates: [" PAIR("one") ", " PAIR(                                 \
		"two") "],\n"                                                          \
		       "  ticket-keys: $two.keys}\n"                                   \
		       "listeners: {in: {bind: 127.0.0.1:26, pool: p, tls: offer,\n"   \
		       "  client-certificates: {verify: optional, ca: "                \
		       "$authority.pem}}}\n"                                           \
		       "pools:\n"                                                      \
		       "  p: {servers: {s: h.example:25}, tls: verify, tls-ca: "       \
		       "$authority.pem,\n"                                             \
		       "    tls-certificate: $shown.pem, tls-key: $shown.key,\n"       \
		       "    auth: {username: u, password-file: $word}}\n"              \
		       "  system: {servers: {s: h.example:25}, tls: verify}\n"

/* As they stand in the configuration. */
enum { ONE, TWO, TICKETS, CLIENTS_CA, SERVERS_CA, SHOWN, WORD, FILES };

struct change {
	struct snapshot *snapshot;
	struct tls_tickets *tickets;
	struct tls_refusals refusals;
	struct tls_set *before;
	struct tls_set *after;
};

static void
put_pair(const char *name, const char *of)
{
	char file[2][64];

	for (int i = 0; i < 2; i++) {
		const char *end = i ? "key" : "pem";

		snprintf(file[0], sizeof(file[0]), "%s.%s", name, end);
		snprintf(file[1], sizeof(file[1]), "%s.%s", of, end);
		pki_link(file[0], file[1]);
	}
}

static void
change_begin(struct change *change)
{
	put_pair("one", "mx");
	put_pair("two", "second");
	put_pair("shown", "client");
	pki_link("authority.pem", "ca.pem");
	pki_link("word", "password");
	*change = (struct change){.snapshot = read_snapshot(EVERYTHING),
				  .tickets = make_tickets()};
	assert_int_equal(change->snapshot->named_files.count, FILES);
	make_refusals(&change->refusals, change->snapshot);
	change->before = load(change->snapshot, change->tickets);
}

/* Reads these again. */
static void
change_take(struct change *change, unsigned files)
{
	bool wanted[FILES];

	for (unsigned i = 0; i < FILES; i++)
		wanted[i] = files >> i & 1;
	tls_set_unref(change->after);
	assert_int_equal(tls_set_renew(&change->after, change->before, change->snapshot,
				       wanted, &change->refusals),
			 STATUS_OK);
}

static void
change_end(struct change *change)
{
	tls_set_unref(change->after);
	tls_set_unref(change->before);
	tls_refusals_fini(&change->refusals);
	tls_tickets_free(change->tickets);
	snapshot_unref(change->snapshot);
}

/* Whether the two sets have one and the same of that file. */
static bool
is_kept(const struct change *change, unsigned file)
{
	const struct tls_holding *before = &tls_set_holdings(change->before)->of[file];
	const struct tls_holding *after = &tls_set_holdings(change->after)->of[file];

	return before->pair == after->pair &&
	       before->authorities == after->authorities &&
	       before->smarthost == after->smarthost;
}

static void
assert_taken(const struct change *change, unsigned files)
{
	for (unsigned i = 0; i < FILES; i++)
		if (i != TICKETS)
			assert_int_equal(!is_kept(change, i), files >> i & 1);
}

static void
what_is_not_wanted_is_kept(void **state)
{
	struct change change;

	(void)state;
	change_begin(&change);
	put_pair("one", "wild");
	change_take(&change, 0);
	assert_taken(&change, 0);
	assert_said(&change.refusals, "");
	change_end(&change);
}

static void
each_is_taken_by_itself(void **state)
{
	static const unsigned wants[] = {1 << ONE, 1 << TWO, 1 << SHOWN, 1 << WORD,
					 1 << CLIENTS_CA | 1 << SERVERS_CA};
	struct change change;

	(void)state;
	change_begin(&change);
	for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
		change_take(&change, wants[i]);
		assert_taken(&change, wants[i]);
		assert_said(&change.refusals, "");
	}
	/* who trusts the same still shares it */
	assert_ptr_equal(tls_set_clients(change.after, &change.snapshot->listeners[0]),
			 tls_set_servers(change.after, &change.snapshot->pools[0]));
	change_end(&change);
}

static void
what_is_bad_holds_up_nothing_else(void **state)
{
	struct change change;
	const struct pool_snapshot *pool;

	(void)state;
	change_begin(&change);
	pool = &change.snapshot->pools[0];
	put_pair("one", "wild");
	pki_link("two.key", "wild.key");
	pki_link("authority.pem", "empty.pem");
	pki_link("shown.pem", "garbage.pem");
	pki_link("word", "empty.pem");
	change_take(&change, (1 << FILES) - 1);
	assert_taken(&change, 1 << ONE);
	assert_said(
		&change.refusals,
		"1:163: tls.certificates[1].key: $two.key: not the key of the "
		"certificate in $two.pem: key values mismatch\n"
		"4:47: listeners.in.client-certificates.ca: $authority.pem: no "
		"certificate in PEM form in it\n"
		"6:56: pools.p.tls-ca: $authority.pem: no certificate in PEM form "
		"in it\n"
		"7:22: pools.p.tls-certificate: $shown.pem: certificate 1 cannot be "
		"read: wrong tag\n"
		"8:40: pools.p.auth.password-file: $word: there is no password in "
		"its first line\n");
	assert_int_equal(tls_material_count(tls_set_material(change.after)), 2);
	assert_non_null(tls_set_shown(change.after, pool));
	assert_ptr_equal(tls_set_smarthost(change.after, pool),
			 tls_set_smarthost(change.before, pool));
	assert_non_null(tls_set_servers(change.after, &change.snapshot->pools[1]));
	change_end(&change);
}

static void
what_is_mended_is_refused_no_more(void **state)
{
	struct change change;

	(void)state;
	change_begin(&change);
	pki_link("word", "empty.pem");
	change_take(&change, 1 << WORD);
	assert_int_equal(tls_refusals_count(&change.refusals), 1);
	change_take(&change, 1 << ONE); /* of that one nothing new is known */
	assert_int_equal(tls_refusals_count(&change.refusals), 1);
	pki_link("word", "password");
	change_take(&change, 1 << WORD);
	assert_int_equal(tls_refusals_count(&change.refusals), 0);
	assert_taken(&change, 1 << WORD);
	change_end(&change);
}

/* The one that is new is at fault, wherever it stands. */
static void
a_new_pair_that_clashes_is_refused(void **state)
{
	struct change change;

	(void)state;
	change_begin(&change);
	put_pair("one", "second");
	change_take(&change, 1 << ONE);
	assert_taken(&change, 0);
	assert_said(&change.refusals,
		    "1:36: tls.certificates[0].certificate: $one.pem: $two.pem has the "
		    "same names and the same kind of key\n");
	put_pair("one", "mx");
	put_pair("two", "mx");
	change_take(&change, 1 << ONE | 1 << TWO);
	assert_taken(&change, 1 << ONE);
	change_end(&change);
}

static void
two_pairs_may_change_places(void **state)
{
	struct change change;

	(void)state;
	change_begin(&change);
	put_pair("one", "second");
	put_pair("two", "mx");
	change_take(&change, 1 << ONE | 1 << TWO);
	assert_taken(&change, 1 << ONE | 1 << TWO);
	assert_said(&change.refusals, "");
	change_end(&change);
}

/* ---- advice ---- */

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
	tls_holdings_advise(tls_set_holdings(set), now, &report);
	assert_int_equal(report.errors, 0);
	assert_int_equal(report.advice, count);
	said = report_text(&report);
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
		      "1:36: tls.certificates[0].certificate: advice: ");
	assert_advice(MX OFFER POOL, pki_end() - 1, 1, "mx.pem: expires on 2");
	assert_advice(MX OFFER POOL, pki_end(), 1, "mx.pem: expired on 2");
}

static void
an_end_towards_servers_is_told_too(void **state)
{
	(void)state;
	assert_advice(CLEAR VERIFY
		      "tls-certificate: $client.pem, tls-key: $client.key}}\n",
		      pki_end(), 1, "3:20: pools.p.tls-certificate: advice: ");
}

static void
a_begin_in_the_future_is_told(void **state)
{
	static const char text[] =
		"tls: {certificates: [" PAIR("future") "]}\n" OFFER POOL;

	(void)state;
	assert_advice(text, pki_begin_of_future() - 1, 1,
		      "tls.certificates[0].certificate: advice: ");
	assert_advice(text, pki_begin_of_future() - 1, 1,
		      "future.pem: not valid before 2");
	assert_advice(text, pki_begin_of_future(), 0, "");
}

static void
a_key_for_everybody_is_told(void **state)
{
	(void)state;
	assert_int_equal(chmod(pki_path("wild.key"), 0644), 0);
	assert_advice("tls: {certificates: [" PAIR("wild") "]}\n" OFFER POOL,
		      pki_end() - 20 * DAY, 1, "tls.certificates[0].key: advice: ");
	assert_int_equal(chmod(pki_path("wild.key"), 0600), 0);
}

static void
a_password_for_everybody_is_told(void **state)
{
	(void)state;
	pki_write("exposed", "secret\n", 7);
	assert_int_equal(chmod(pki_path("exposed"), 0644), 0);
	assert_advice(CLEAR "pools: {p: {servers: {s: h.example:25},\n"
			    "  auth: {username: u, password-file: $exposed}}}\n",
		      pki_end(), 1, "3:38: pools.p.auth.password-file: advice: ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_needs_something_finds_it),
		cmocka_unit_test(references_keep_it),
		cmocka_unit_test(nothing_is_needed_without_tls),
		cmocka_unit_test(what_is_not_wanted_is_kept),
		cmocka_unit_test(each_is_taken_by_itself),
		cmocka_unit_test(what_is_bad_holds_up_nothing_else),
		cmocka_unit_test(what_is_mended_is_refused_no_more),
		cmocka_unit_test(a_new_pair_that_clashes_is_refused),
		cmocka_unit_test(two_pairs_may_change_places),
		cmocka_unit_test(an_end_is_told_in_time),
		cmocka_unit_test(an_end_towards_servers_is_told_too),
		cmocka_unit_test(a_begin_in_the_future_is_told),
		cmocka_unit_test(a_key_for_everybody_is_told),
		cmocka_unit_test(a_password_for_everybody_is_told),
	};
	int failed;

	if (pki_open(NULL) != 0)
		return 1;
	pki_write("two.keys", (char[2 * TLS_TICKETS_KEY_SIZE]){0},
		  2 * TLS_TICKETS_KEY_SIZE);
	pki_write("password", "secret\n", 7);
	assert_int_equal(chmod(pki_path("password"), 0600), 0);
	assert_int_equal(chmod(pki_path("two.keys"), 0600), 0);
	failed = ROWS_RUN(rows, loads) +
		 cmocka_run_group_tests_name("tls set", tests, NULL, NULL);
	pki_close(NULL);
	return failed;
}
