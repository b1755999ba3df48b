#include "app/status_text.h"
#include "rows.h"

#include <string.h>

/* 2026-11-23T18:00:00Z */
#define NOW 1795456800

#define STATUS_OF(listeners)                                                           \
	"{\"version\":\"1.2.3\",\"pid\":42,\"started\":\"2026-11-23T15:00:00.123Z\","  \
	"\"hostname\":\"mx.example\",\"listeners\":[" listeners "]}"
#define LISTENER                                                                       \
	"{\"name\":\"inbound\",\"bind\":[\"192.0.2.1:25\",\"[2001:db8::1]:25\"],"      \
	"\"mode\":\"message\",\"pool\":\"hubs\",\"sessions\":1209,\"active\":3}"
#define OTHER                                                                          \
	"{\"name\":\"x\",\"bind\":[\"192.0.2.1:26\"],\"mode\":\"connection\","         \
	"\"pool\":\"gateways\",\"sessions\":0,\"active\":0}"

#define POOL_OF(servers)                                                               \
	"[{\"name\":\"hubs\",\"balance\":\"round-robin\",\"servers\":[" servers "]}]"
#define SERVER(state, rest)                                                            \
	"{\"name\":\"hub1\",\"address\":\"192.0.2.11:25\",\"state\":\"" state "\","    \
	"\"weight\":3,\"active\":2,\"messages\":1200,\"share_wanted\":0.75,"           \
	"\"share\":0.0123,\"failures\":{\"connect\":1,\"lost\":2,\"5xx\":40}," rest    \
	"}"
#define PROBE(result, at)                                                              \
	"\"last_probe\":{\"result\":\"" result "\",\"took_ms\":3.14,\"at\":\"" at      \
	"\",\"transcript\":[]}"
#define SHOWING(remark)                                                                \
	"\"last_probe\":{\"result\":\"ok\",\"took_ms\":3.14,\"at\":\"" RECENT          \
	"\",\"certificate\":{\"subject\":\"CN=hub1\",\"remark\":" remark "}}"
#define RECENT "2026-11-23T17:59:55.900Z"

#define ROW(state, probe)                                                              \
	"  hub1    192.0.2.11:25  " state "       3  75.0 %  1.23 %       2      1200" \
	"        43  " probe "\n"

static const struct row {
	const char *name;
	const char *status;
	const char *pools;
	const char *text; /* is in the output */
} rows[] = {
	{"the program", STATUS_OF(""), "[]",
	 "evenpost 1.2.3 at mx.example, process 42, up 3 h\n\n"},
	{"no file is refused", "{\"refused_files\":[]}", "[]", "up 0 s\n\nLISTENER"},
	{"files that are refused",
	 "{\"refused_files\":[{\"file\":\"/c\",\"path\":\"tls.certificates[0].key\","
	 "\"why\":\"no key\"},{\"file\":\"\\u001b\"}]}",
	 "[]",
	 "up 0 s\n\n! refused file: tls.certificates[0].key: /c: no key\n"
	 "! refused file: -: ?: -\n\nLISTENER"},
	{"listeners, aligned", STATUS_OF(LISTENER "," OTHER), "[]",
	 "\n\n"
	 "LISTENER  MODE        ADDRESS                         POOL      "
	 "SESSIONS NOW  TOTAL\n"
	 "inbound   message     192.0.2.1:25, [2001:db8::1]:25  hubs      "
	 "           3   1209\n"
	 "x         connection  192.0.2.1:26                    gateways  "
	 "           0      0\n"},
	{"a pool", STATUS_OF(""),
	 POOL_OF(SERVER("up", "\"fault\":null") "," SERVER("ejected",
							   "\"fault\":null")),
	 "\npool hubs: round-robin, 1 of 2 up\n  SERVER  ADDRESS "},
	{"a server", STATUS_OF(""),
	 POOL_OF(SERVER("up", "\"fault\":null," PROBE("ok", RECENT))),
	 "\n  SERVER  ADDRESS        STATE  WEIGHT  WANTED    REAL  ACTIVE  MESSAGES"
	 "  FAILURES  LAST PROBE\n" ROW("up   ", "ok, 3.1 ms, 5 s ago")},
	{"a server that was not probed", STATUS_OF(""),
	 POOL_OF(SERVER("down", "\"last_probe\":null")), ROW("down ", "none yet")},
	{"a server that is down", STATUS_OF(""),
	 POOL_OF(SERVER("down", PROBE("connect refused", RECENT))),
	 ROW("down ", "failed, 3.1 ms, 5 s ago") "    ! last probe: connect refused\n"},
	{"a fault", STATUS_OF(""),
	 POOL_OF(SERVER("up", "\"fault\":\"hub1 does not announce XCLIENT\"," PROBE(
				      "ok", RECENT))),
	 ROW("up   ", "ok, 3.1 ms, 5 s ago") "    ! fault: hub1 does not announce "
					     "XCLIENT\n"},
	{"a fault and a probe that failed", STATUS_OF(""),
	 POOL_OF(SERVER("down", "\"fault\":\"f\"," PROBE("r", RECENT))),
	 "ago\n    ! fault: f\n    ! last probe: r\n"},
	{"a certificate", STATUS_OF(""),
	 POOL_OF(SERVER("up", SHOWING("\"CN=hub1, ends on 2026-11-26\""))),
	 ROW("up   ", "ok, 3.1 ms, 5 s ago") "    ! certificate: CN=hub1, ends on "
					     "2026-11-26\n"},
	{"a certificate that is good", STATUS_OF(""),
	 POOL_OF(SERVER("up", SHOWING("null")) "," SERVER("up", "\"fault\":null")),
	 ROW("up   ", "ok, 3.1 ms, 5 s ago") "  hub1 "},
	{"no server plays tricks with a certificate", STATUS_OF(""),
	 POOL_OF(SERVER("up", SHOWING("\"CN=\\u001b[2J\""))),
	 "! certificate: CN=?[2J\n"},
	{"an old probe", STATUS_OF(""),
	 POOL_OF(SERVER("maint", PROBE("ok", "2026-11-20T18:00:00.000Z"))),
	 "ok, 3.1 ms, 3 d ago\n"},
	{"a clock that went back", STATUS_OF(""),
	 POOL_OF(SERVER("up", PROBE("ok", "2026-11-23T18:00:07.000Z"))),
	 "ok, 3.1 ms, 0 s ago\n"},
	{"no server plays tricks with a result", STATUS_OF(""),
	 POOL_OF(SERVER("down", PROBE("\\u001b[2J\\u009b1m\\r\\nhub2  up", RECENT))),
	 "! last probe: ?[2J??1m??hub2  up\n"},
	{"nor with a fault", STATUS_OF(""),
	 POOL_OF(SERVER("up", "\"fault\":\"a\\u0007\\u202eb\"")), "! fault: a????b\n"},
	{"nor with a state", STATUS_OF(""),
	 POOL_OF(SERVER("\\u001b", "\"fault\":null")), "  ?      "},
	{"what is missing", "{}", "[{\"servers\":[{}]}]",
	 "evenpost - at -, process 0, up 0 s\n"},
	{"a server without anything", "{}", "[{\"servers\":[{}]}]",
	 "\npool -: -, 0 of 1 up\n"
	 "  SERVER  ADDRESS  STATE  WEIGHT  WANTED   REAL  ACTIVE  MESSAGES  FAILURES"
	 "  LAST PROBE\n"
	 "  -       -        -           0   0.0 %  0.0 %       0         0         0"
	 "  none yet\n"},
	{"no pool", "[]", "{}", "up 0 s\n"},
};

static json_t *
load(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);

	assert_non_null(value);
	return value;
}

/* The caller frees it. */
static char *
print(const json_t *status, const json_t *pools)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	assert_non_null(out);
	status_text_print(status, pools, NOW, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void
test_row(void **state)
{
	const struct row *row = *state;
	json_t *status = load(row->status);
	json_t *pools = load(row->pools);
	char *text = print(status, pools);

	if (!strstr(text, row->text))
		fail_msg("%s\nis not in\n%s", row->text, text);
	free(text);
	json_decref(status);
	json_decref(pools);
}

#define MANY 5000

/* A line for each of them and, in a pool, four more. */
static void
test_many_servers(void **state)
{
	json_t *server = load(SERVER("up", "\"fault\":null"));
	json_t *pools = load(POOL_OF(""));
	json_t *servers = json_object_get(json_array_get(pools, 0), "servers");
	json_t *status = load(STATUS_OF(""));
	unsigned lines = 0;
	char *text;

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		json_array_append(servers, server);
	text = print(status, pools);
	for (const char *at = text; *at; at++)
		lines += *at == '\n';
	assert_int_equal(lines, 6 + MANY);
	free(text);
	json_decref(status);
	json_decref(pools);
	json_decref(server);
}

/* A listener with more addresses than a cell can hold. */
static void
test_cut(void **state)
{
	json_t *status = load(STATUS_OF(LISTENER));
	json_t *binds = json_object_get(
		json_array_get(json_object_get(status, "listeners"), 0), "bind");
	json_t *pools = load("[]");
	char *text;

	(void)state;
	for (unsigned i = 0; i < 200; i++)
		json_array_append_new(binds, json_string("192.0.2.1:25"));
	text = print(status, pools);
	assert_non_null(strstr(text, "  hubs  "));
	free(text);
	json_decref(status);
	json_decref(pools);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_servers),
		cmocka_unit_test(test_cut),
	};

	return ROWS_RUN(rows, test_row) + cmocka_run_group_tests(tests, NULL, NULL);
}
