/* evenpost check: all errors and advice of a configuration file at once. */
#include "app/commands.h"
#include "app/configuration.h"
#include "config/report.h"
#include "config/snapshot.h"

#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>

struct check {
	const char *path;
	bool json;
	bool quiet; /* errors alone */
};

static const char usage[] =
	"usage: evenpost check [-c FILE] [--json] [-q]\n"
	"\n"
	"Reads a configuration file, and the certificates, passwords and tokens that\n"
	"it names, and reports all errors and advice at once.\n"
	"\n"
	"  -c, --config FILE  the file; default " SNAPSHOT_PATH_DEFAULT "\n"
	"      --json         the report as JSON\n"
	"  -q, --quiet        errors alone: no advice, no summary\n"
	"\n"
	"Exit status: 0 the file is good, 78 it has errors, 64 usage.\n";

static const struct option options[] = {
	{"config", required_argument, NULL, 'c'},
	{"json", no_argument, NULL, 'j'},
	{"quiet", no_argument, NULL, 'q'},
	{"help", no_argument, NULL, 'h'},
	{0},
};

/* -1: go on; else the exit code. */
static int
read_options(int argc, char **argv, struct check *check)
{
	int option;

	optind = 0;
	while ((option = getopt_long(argc, argv, "c:qh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			check->path = optarg;
			break;
		case 'j':
			check->json = true;
			break;
		case 'q':
			check->quiet = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_DONE;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	fputs(usage, stderr);
	return EXIT_USAGE;
}

static bool
is_wanted(const struct check *check, const struct report_entry *entry)
{
	return entry->kind == REPORT_ERROR || !check->quiet;
}

/* A path is bytes, and JSON is UTF-8. */
static json_t *
make_file(const struct report *report)
{
	json_t *file = json_string(report->file);

	return file ? file : json_string("?");
}

static json_t *
make_entry(const struct report *report, const struct report_entry *entry)
{
	return json_pack("{s:o, s:I, s:I, s:s, s:s}", "file", make_file(report), "line",
			 (json_int_t)entry->place.line, "column",
			 (json_int_t)entry->place.column, "path", entry->path,
			 "message", entry->message);
}

static json_t *
make_entries(const struct check *check, const struct report *report,
	     enum report_kind kind)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < report->count; i++) {
		const struct report_entry *entry = &report->entries[i];

		if (entry->kind == kind && is_wanted(check, entry))
			json_array_append_new(array, make_entry(report, entry));
	}
	return array;
}

static json_t *
make_memory(const struct snapshot *snapshot)
{
	json_t *array = json_array();

	for (uint32_t i = 0; snapshot && i < snapshot->listener_count; i++) {
		const struct listener_snapshot *listener = &snapshot->listeners[i];
		uint64_t session = snapshot_session_memory(snapshot, listener);
		uint64_t all = snapshot_listener_memory(snapshot, listener);

		json_array_append_new(array, json_pack("{s:s%, s:I, s:I}", "listener",
						       listener->name.at,
						       listener->name.length, "session",
						       (json_int_t)session, "all",
						       (json_int_t)all));
	}
	return array;
}

static void
print_json(const struct check *check, const struct report *report,
	   const struct snapshot *snapshot)
{
	json_t *answer = json_pack("{s:b, s:o, s:o, s:o}", "ok", report->errors == 0,
				   "errors", make_entries(check, report, REPORT_ERROR),
				   "advice", make_entries(check, report, REPORT_ADVICE),
				   "memory", make_memory(snapshot));

	json_dumpf(answer, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(answer);
}

/* "1.4 MB": at most five digits and a unit. */
static const char *
print_bytes(uint64_t bytes, char text[32])
{
	static const char *const units[] = {"bytes", "KB", "MB", "GB", "TB", "PB"};
	double amount = (double)bytes;
	size_t unit = 0;

	while (amount >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		amount /= 1024;
		unit++;
	}
	snprintf(text, 32, "%.*f %s", unit && amount < 100 ? 1 : 0, amount,
		 units[unit]);
	return text;
}

static const char *
plural(uint32_t count, const char *suffix)
{
	return count == 1 ? "" : suffix;
}

static void
print_summary(const struct report *report, const struct snapshot *snapshot)
{
	char one[32];
	char all[32];

	for (uint32_t i = 0; snapshot && i < snapshot->listener_count; i++) {
		const struct listener_snapshot *listener = &snapshot->listeners[i];

		printf("listener %.*s: at most %s a session, %s for all %" PRIu32
		       " connections\n",
		       SPAN_ARGS(listener->name),
		       print_bytes(snapshot_session_memory(snapshot, listener), one),
		       print_bytes(snapshot_listener_memory(snapshot, listener), all),
		       listener->max_connections);
	}
	printf("%s: %" PRIu32 " error%s, %" PRIu32 " piece%s of advice\n", report->file,
	       report->errors, plural(report->errors, "s"), report->advice,
	       plural(report->advice, "s"));
}

static void
print_text(const struct check *check, const struct report *report,
	   const struct snapshot *snapshot)
{
	for (uint32_t i = 0; i < report->count; i++)
		if (is_wanted(check, &report->entries[i]))
			report_print_entry(report, &report->entries[i], stdout);
	if (!check->quiet)
		print_summary(report, snapshot);
}

int
command_check(int argc, char **argv)
{
	struct check check = {.path = SNAPSHOT_PATH_DEFAULT};
	struct snapshot *snapshot = NULL;
	struct report report;
	enum status status;
	int code = read_options(argc, argv, &check);

	if (code >= 0)
		return code;
	report_init(&report, check.path);
	status = configuration_read(check.path, &report, &snapshot);
	if (check.json)
		print_json(&check, &report, snapshot);
	else
		print_text(&check, &report, snapshot);
	code = status == STATUS_OK ? EXIT_DONE : EXIT_CONFIGURATION;
	snapshot_unref(snapshot);
	report_fini(&report);
	return code;
}
