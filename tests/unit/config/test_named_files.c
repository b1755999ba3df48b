/* Which files a configuration names, and where: of good ones and of such with faults.
 */
#include "config/check.h"
#include "config/named_files.h"
#include "rows.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define POOLS "pools: {p: {servers: {s: h.example:25}}}\n"
#define TLS "tls: {certificates: [{certificate: /c, key: /k}], ticket-keys: /t}\n"
#define OFFER "listeners: {in: {bind: 127.0.0.1:26, pool: p, tls: offer}}\n"
#define CLEAR "listeners: {in: {bind: 127.0.0.1:26, pool: p}}\n"
#define FILES_OF_TLS                                                                   \
	"clients-pair 0 1:36 tls.certificates[0].certificate /c "                      \
	"1:45 tls.certificates[0].key /k\n"                                            \
	"ticket-keys 0 1:64 tls.ticket-keys /t\n"
#define FILES_OF_POOL                                                                  \
	"servers-ca 0 3:11 pools.p.tls-ca /a\n"                                        \
	"servers-pair 0 4:20 pools.p.tls-certificate /c 4:33 pools.p.tls-key /k\n"     \
	"password 0 5:38 pools.p.auth.password-file /p of u\n"

static const struct row {
	const char *name;
	const char *text;
	const char *files; /* kind, index, and of each file place, setting and path */
} rows[] = {
	{"none", CLEAR POOLS, ""},
	{"of clients", TLS OFFER POOLS, FILES_OF_TLS},
	{"a second certificate",
	 "tls: {certificates: [{certificate: /c, key: /k},\n"
	 "  {key: /l, certificate: /d}]}\n" OFFER POOLS,
	 "clients-pair 0 1:36 tls.certificates[0].certificate /c "
	 "1:45 tls.certificates[0].key /k\n"
	 "clients-pair 1 2:26 tls.certificates[1].certificate /d "
	 "2:9 tls.certificates[1].key /l\n"},
	{"authorities of clients",
	 TLS POOLS "listeners:\n"
		   "  other: {bind: 127.0.0.1:27, pool: p}\n"
		   "  in: {bind: 127.0.0.1:26, pool: p, tls: offer,\n"
		   "    client-certificates: {ca: /a, verify: optional}}\n",
	 FILES_OF_TLS "clients-ca 1 6:31 listeners.in.client-certificates.ca /a\n"},
	{"of servers",
	 CLEAR "pools: {p: {servers: {s: h.example:25}, tls: verify,\n"
	       "  tls-ca: /a,\n"
	       "  tls-certificate: /c, tls-key: /k,\n"
	       "  auth: {username: u, password-file: /p}}}\n",
	 FILES_OF_POOL},
	{"the system's authorities",
	 CLEAR "pools: {p: {servers: {s: h.example:25}, tls: verify}}\n", ""},
	{"nobody uses them",
	 TLS CLEAR "pools: {p: {servers: {s: h.example:25},\n"
		   "  tls-ca: /a, tls-certificate: /c, tls-key: /k}}\n",
	 ""},
	{"any certificate will do",
	 CLEAR "pools: {p: {servers: {s: h.example:25}, tls: require, tls-ca: /a}}\n",
	 ""},
	{"clients are not asked",
	 TLS POOLS "listeners: {in: {bind: 127.0.0.1:26, pool: p, tls: offer,\n"
		   "  client-certificates: {ca: /a}}}\n",
	 FILES_OF_TLS},

	/* with faults */
	{"a fault elsewhere", TLS OFFER POOLS "wrong: 1\n", FILES_OF_TLS},
	{"no listeners at all", TLS POOLS, FILES_OF_TLS},
	{"listeners that are none", TLS POOLS "listeners: 5\n", FILES_OF_TLS},
	{"a misspelt mode of TLS",
	 TLS POOLS "listeners: {in: {bind: 127.0.0.1:26, pool: p, tls: ofer}}\n",
	 FILES_OF_TLS},
	{"a key is not named", "tls: {certificates: [{certificate: /c}]}\n" OFFER POOLS,
	 "clients-pair 0 1:36 tls.certificates[0].certificate /c\n"},
	{"a certificate is not named", "tls: {certificates: {key: /k}}\n" OFFER POOLS,
	 "clients-pair 0 1:27 tls.certificates[0].key /k\n"},
	{"neither is", "tls: {certificates: [{}]}\n" OFFER POOLS, ""},
	{"what is no path",
	 "tls: {certificates: {key: /k, certificate: c}}\n" OFFER POOLS,
	 "clients-pair 0 1:27 tls.certificates[0].key /k\n"},
	{"a misspelt way to verify",
	 CLEAR "pools: {p: {servers: {s: h.example:25}, tls: verfy, tls-ca: /a}}\n",
	 "servers-ca 0 2:61 pools.p.tls-ca /a\n"},
	{"a login without a name",
	 CLEAR "pools: {p: {servers: {s: h.example:25}, auth: {password-file: /p}}}\n",
	 "password 0 2:63 pools.p.auth.password-file /p of -\n"},
	{"a login without a file",
	 CLEAR "pools: {p: {servers: {s: h.example:25}, auth: {username: u}}}\n", ""},
};

static const char *const kinds[] = {
	[NAMED_CLIENTS_PAIR] = "clients-pair", [NAMED_TICKET_KEYS] = "ticket-keys",
	[NAMED_CLIENTS_CA] = "clients-ca",     [NAMED_SERVERS_CA] = "servers-ca",
	[NAMED_SERVERS_PAIR] = "servers-pair", [NAMED_PASSWORD] = "password",
};

static void
print_name(const struct file_name *name, FILE *out)
{
	if (name->path)
		fprintf(out, " %u:%u %s %s", name->place.line, name->place.column,
			name->setting, name->path);
}

/* The caller frees it. */
static char *
print_files(const struct named_files *files)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	assert_non_null(out);
	for (uint32_t i = 0; i < files->count; i++) {
		const struct named_file *file = &files->at[i];

		fprintf(out, "%s %u", kinds[file->kind], file->index);
		print_name(&file->file, out);
		print_name(&file->key, out);
		if (file->username.length)
			fprintf(out, " of %.*s", SPAN_ARGS(file->username));
		fputc('\n', out);
	}
	fclose(out);
	return text;
}

static void
collects(void **state)
{
	const struct row *row = *state;
	struct arena arena = {0};
	struct section *root = NULL;
	struct named_files files;
	struct report report;
	enum status status;
	char *said;

	report_init(&report, "");
	status = settings_check(span_from_string(row->text), &arena, &report, &root);
	assert_true(status == STATUS_OK || status == STATUS_INVALID);
	assert_non_null(root);
	assert_int_equal(named_files_collect(root, &arena, &files), STATUS_OK);
	said = print_files(&files);
	assert_string_equal(said, row->files);
	free(said);
	report_fini(&report);
	arena_reset(&arena);
}

static void
keys_and_passwords_are_secret(void **state)
{
	static const struct {
		enum named_kind kind;
		const char *path; /* NULL: none is */
	} secrets[] = {
		{NAMED_CLIENTS_PAIR, "/k"}, {NAMED_SERVERS_PAIR, "/k"},
		{NAMED_TICKET_KEYS, "/f"},  {NAMED_PASSWORD, "/f"},
		{NAMED_CLIENTS_CA, NULL},   {NAMED_SERVERS_CA, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		const struct named_file file = {.kind = secrets[i].kind,
						.file = {.path = "/f"},
						.key = {.path = "/k"}};
		const struct file_name *secret = named_file_secret(&file);

		assert_true(!secret == !secrets[i].path);
		if (secret)
			assert_string_equal(secret->path, secrets[i].path);
	}
}

static void
what_everybody_can_read_or_write_is_told(void **state)
{
	static const mode_t modes[] = {0600, 0640, 0644, 0602};
	static const bool told[] = {false, false, true, true};
	char path[] = "/tmp/evenpost-secret-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < 4; i++) {
		const struct file_name name = {path, "a.b", {2, 3}};
		struct report report;

		assert_int_equal(fchmod(fd, modes[i]), 0);
		report_init(&report, "");
		file_name_advise(&name, &report);
		assert_int_equal(report.advice, told[i]);
		report_fini(&report);
	}
	close(fd);
	unlink(path);
}

/* What is wrong with it is said elsewhere. */
static void
a_file_that_is_not_there_is_no_secret(void **state)
{
	const struct file_name names[] = {{"/nonexistent/file", "a", {1, 1}}, {0}};
	struct report report;

	(void)state;
	report_init(&report, "");
	file_name_advise(&names[0], &report);
	file_name_advise(&names[1], &report);
	assert_int_equal(report.count, 0);
	report_fini(&report);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_and_passwords_are_secret),
		cmocka_unit_test(what_everybody_can_read_or_write_is_told),
		cmocka_unit_test(a_file_that_is_not_there_is_no_secret),
	};

	return ROWS_RUN(rows, collects) + cmocka_run_group_tests(tests, NULL, NULL);
}
