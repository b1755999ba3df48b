#include "app/commands.h"
#include "app/configuration.h"
#include "app/service.h"
#include "config/report.h"

#include <getopt.h>
#include <stdio.h>

static const char usage[] = "Usage: evenpost run [-c FILE]\n"
			    "Works in the foreground until SIGTERM or SIGINT.\n\n"
			    "  -c, --config FILE   (" SNAPSHOT_PATH_DEFAULT ")\n"
			    "  -h, --help\n";

/* Advice is for check: here only what keeps us from working is shown. */
static void
print_errors(struct report *report)
{
	for (uint32_t i = 0; i < report->count; i++) {
		if (report->entries[i].kind == REPORT_ERROR)
			report_print_entry(report, &report->entries[i], stderr);
	}
}

static int
run_file(const char *path)
{
	struct snapshot *snapshot;
	struct report report;
	enum status status;

	report_init(&report, path);
	status = configuration_read(path, &report, &snapshot);
	print_errors(&report);
	report_fini(&report);
	if (status != STATUS_OK) {
		snapshot_unref(snapshot);
		return EXIT_CONFIGURATION;
	}
	return service_run(snapshot, NULL, NULL);
}

int
command_run(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{0}};
	const char *path = SNAPSHOT_PATH_DEFAULT;

	for (;;) {
		switch (getopt_long(argc, argv, "c:h", options, NULL)) {
		case 'c':
			path = optarg;
			continue;
		case 'h':
			fputs(usage, stdout);
			return EXIT_DONE;
		case -1:
			break;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
		break;
	}
	if (optind < argc) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	return run_file(path);
}
