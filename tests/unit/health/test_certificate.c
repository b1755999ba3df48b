/* When it is said that a certificate ends. */
#include "../rows.h"
#include "balance/server.h"
#include "base/log.h"
#include "health/certificate.h"

#include <string.h>

#define DAY 86400
/* Seconds since 1970: 2026-11-25T12:00:00Z. */
#define NOW 1795608000

#define LOOKS 6

struct row {
	const char *name;
	int64_t left[LOOKS]; /* seconds, look by look */
	unsigned count;
	unsigned said;    /* how many of the looks said something */
	const char *days; /* of the last of them; NULL: any */
	int64_t begins;   /* seconds from the first look */
};

static const struct row rows[] = {
	{"long to go", {30 * DAY}, 1, 0},
	{"two weeks", {14 * DAY}, 1, 0},
	{"a second less", {14 * DAY - 1}, 1, 1, "days=13 "},
	{"once, and not again", {10 * DAY, 10 * DAY - 60, 9 * DAY, 8 * DAY}, 4, 1},
	{"at each limit",
	 {14 * DAY - 1, 7 * DAY - 1, 3 * DAY - 1, DAY - 1, -1},
	 5,
	 5,
	 "days=-1 "},
	{"several limits at once", {20 * DAY, 2 * DAY}, 2, 1, "days=2 "},
	{"the last day", {60}, 1, 1, "days=0 "},
	{"the last second", {0}, 1, 1, "days=0 "},
	{"it has ended", {-1}, 1, 1, "days=-1 "},
	{"long ago", {-DAY - 1}, 1, 1, "days=-2 "},
	{"ended, and not said again", {-1, -DAY, -30 * DAY}, 3, 1},
	{"a new one, and its end", {DAY, 90 * DAY, 13 * DAY, 12 * DAY}, 4, 2},
	{"not valid yet", {90 * DAY, 89 * DAY}, 2, 1, "days=90 ", 2 * DAY},
	{"valid from just now", {90 * DAY}, 1, 0},
	{"not valid yet, and soon no more", {10 * DAY}, 1, 1, "days=10 ", DAY},
};

static char last[1024];
static unsigned lines;

static void
keep_line(struct span line, enum log_level level)
{
	assert_int_equal(level, LOG_WARNING);
	memcpy(last, line.at, line.length);
	last[line.length] = 0;
	lines++;
}

static void
looks(void **state)
{
	const struct row *row = *state;
	struct server_settings settings = {.name = SPAN("hub1"),
					   .address_text = SPAN("192.0.2.1:25")};
	struct server *server = server_new(&settings, false);
	struct certificate_watch watch = {0};
	unsigned said = 0;

	assert_non_null(server);
	log_set_sink(keep_line);
	lines = 0;
	for (unsigned i = 0; i < row->count; i++) {
		struct probe_record record;

		probe_record_init(&record);
		probe_record_certificate(&record, SPAN("CN=hub1\n"), SPAN("CN=ca"),
					 NOW + row->begins, NOW + row->left[i]);
		said += certificate_look(&watch, server, &record.certificate,
					 NOW * 1000ll);
	}
	assert_int_equal(said, row->said);
	assert_int_equal(lines, row->said);
	if (row->days)
		assert_non_null(strstr(last, row->days));
	if (row->said)
		assert_non_null(strstr(last, "event=certificate pool=- server=hub1 "));
	server_unref(server);
}

static void
says_whose(void **state)
{
	struct server_settings settings = {.name = SPAN("hub1"),
					   .address_text = SPAN("192.0.2.1:25")};
	struct server *server = server_new(&settings, false);
	struct certificate_watch watch = {0};
	struct probe_record record;

	(void)state;
	assert_non_null(server);
	log_set_sink(keep_line);
	probe_record_init(&record);
	probe_record_certificate(&record, SPAN("CN=hub1\n"), SPAN("CN=ca"), NOW,
				 NOW + DAY);
	certificate_look(&watch, server, &record.certificate, NOW * 1000ll);
	assert_non_null(strstr(
		last, "why=\"CN=hub1?, signed by CN=ca, ends on 2026-11-26\"\n"));
	certificate_look(&watch, server, &record.certificate, (NOW + 3ll * DAY) * 1000);
	assert_non_null(strstr(last, "signed by CN=ca, ended on 2026-11-26\"\n"));
	server_unref(server);
}

static const struct remark_row {
	const char *name;
	int64_t begins, ends; /* seconds from now */
	const char *remark;
} remark_rows[] = {
	{"good", 0, 14 * DAY, ""},
	{"ends soon", -DAY, 14 * DAY - 1,
	 "CN=hub1, signed by CN=ca, ends on 2026-12-09"},
	{"ends now", -DAY, 0, "CN=hub1, signed by CN=ca, ends on 2026-11-25"},
	{"ended", -DAY, -1, "CN=hub1, signed by CN=ca, ended on 2026-11-25"},
	{"begins in a second", 1, 90 * DAY,
	 "CN=hub1, signed by CN=ca, is not valid before 2026-11-25"},
	{"ended before it begins", DAY, -DAY,
	 "CN=hub1, signed by CN=ca, ended on 2026-11-24"},
};

static void
remarks(void **state)
{
	const struct remark_row *row = *state;
	struct probe_certificate certificate = {
		.shown = true,
		.subject = "CN=hub1",
		.issuer = "CN=ca",
		.begins = NOW + row->begins,
		.ends = NOW + row->ends,
	};
	char text[CERTIFICATE_REMARK_MAX];
	bool found = certificate_remark(&certificate, NOW * 1000ll, text);

	assert_string_equal(text, row->remark);
	assert_int_equal(found, row->remark[0] != 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(says_whose)};

	return ROWS_RUN(rows, looks) + ROWS_RUN(remark_rows, remarks) +
	       cmocka_run_group_tests_name("certificate", tests, NULL, NULL);
}
