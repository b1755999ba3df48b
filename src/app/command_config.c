/* evenpost config: what can be written in a configuration file, and what is in force.
 */
#include "app/commands.h"
#include "config/check.h"
#include "config/dump.h"
#include "config/reference.h"
#include "config/schema.h"
#include "config/snapshot.h"

#include <getopt.h>

static const char usage[] =
	"usage: evenpost config schema\n"
	"       evenpost config dump [-c FILE] [--json]\n"
	"       evenpost config reference [--manual]\n"
	"\n"
	"schema     a JSON Schema (draft 2020-12) of the file, for editors\n"
	"dump       the configuration in force, every default filled in\n"
	"reference  all keys as Markdown, or as a manual page for scdoc\n"
	"\n"
	"  -c, --config FILE  the file; default " SNAPSHOT_PATH_DEFAULT "\n"
	"      --json         JSON in place of YAML\n"
	"      --manual       a manual page in place of Markdown\n";

struct request {
	const char *path;
	bool json;
	bool manual;
};

static const struct option options[] = {
	{"config", required_argument, NULL, 'c'},
	{"json", no_argument, NULL, 'j'},
	{"manual", no_argument, NULL, 'm'},
	{"help", no_argument, NULL, 'h'},
	{0},
};

static int
print_json(json_t *value)
{
	int failed = !value || json_dumpf(value, stdout, JSON_INDENT(2));

	putchar('\n');
	json_decref(value);
	return failed ? EXIT_SYSTEM : EXIT_DONE;
}

static int
print_schema(const struct request *request)
{
	(void)request;
	return print_json(schema_new());
}

static int
print_reference(const struct request *request)
{
	if (request->manual)
		reference_print_manual(stdout);
	else
		reference_print_markdown(stdout);
	return EXIT_DONE;
}

static void
print_errors(const struct report *report)
{
	for (uint32_t i = 0; i < report->count; i++)
		if (report->entries[i].kind == REPORT_ERROR)
			report_print_entry(report, &report->entries[i], stderr);
}

static int
print_root(const struct request *request, const struct section *root)
{
	json_t *dump = dump_new(root);

	if (request->json || !dump)
		return print_json(dump);
	dump_print_yaml(dump, stdout);
	json_decref(dump);
	return EXIT_DONE;
}

static int
print_dump(const struct request *request)
{
	int code = EXIT_CONFIGURATION;
	struct arena arena = {0};
	struct section *root;
	struct report report;
	struct span text;

	report_init(&report, request->path);
	if (settings_load(request->path, &arena, &report, &text) == STATUS_OK &&
	    settings_check(text, &arena, &report, &root) == STATUS_OK)
		code = print_root(request, root);
	print_errors(&report);
	report_fini(&report);
	arena_reset(&arena);
	return code;
}

static const struct {
	const char *name;
	int (*run)(const struct request *request);
} topics[] = {
	{"schema", print_schema},
	{"dump", print_dump},
	{"reference", print_reference},
};

/* -1: go on; else the exit code. */
static int
read_options(int argc, char **argv, struct request *request)
{
	int option;

	optind = 0;
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			request->path = optarg;
			break;
		case 'j':
			request->json = true;
			break;
		case 'm':
			request->manual = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_DONE;
		default:
			return EXIT_USAGE;
		}
	}
	return optind + 1 == argc ? -1 : EXIT_USAGE;
}

int
command_config(int argc, char **argv)
{
	struct request request = {.path = SNAPSHOT_PATH_DEFAULT};
	int code = read_options(argc, argv, &request);

	for (size_t i = 0; code < 0 && i < sizeof(topics) / sizeof(topics[0]); i++)
		if (!strcmp(argv[optind], topics[i].name))
			return topics[i].run(&request);
	if (code < 0)
		code = EXIT_USAGE;
	if (code == EXIT_USAGE)
		fputs(usage, stderr);
	return code;
}
