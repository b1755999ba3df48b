/* evenpost status: what the evenpost that runs says of its listeners and servers. */
#include "app/commands.h"
#include "app/daemon.h"
#include "app/status_text.h"
#include "config/snapshot.h"

#include <getopt.h>
#include <time.h>

struct request {
	const char *file;   /* NULL: the default one */
	const char *socket; /* NULL: what the file says */
	bool json;
};

static const char usage[] =
	"usage: evenpost status [-c FILE | --socket PATH] [--json]\n"
	"\n"
	"Shows the listeners, pools and servers of the evenpost that runs.\n"
	"\n"
	"  -c, --config FILE  says where admin.socket is; "
	"default " SNAPSHOT_PATH_DEFAULT "\n"
	"      --socket PATH  admin.socket itself; no file is read\n"
	"      --json         {\"status\": ..., \"pools\": ...}, as the API says it\n"
	"\n"
	"Exit status: 0 done, 64 usage, 69 evenpost can't be reached, 77 permission,\n"
	"78 the configuration has errors.\n";

static const struct option options[] = {
	{"config", required_argument, NULL, 'c'},
	{"socket", required_argument, NULL, 's'},
	{"json", no_argument, NULL, 'j'},
	{"help", no_argument, NULL, 'h'},
	{0},
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
			request->file = optarg;
			break;
		case 's':
			request->socket = optarg;
			break;
		case 'j':
			request->json = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_DONE;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc && !(request->file && request->socket))
		return -1;
	fputs(usage, stderr);
	return EXIT_USAGE;
}

static enum exit_code
print_json(json_t *status, json_t *pools)
{
	json_t *answer = json_pack("{s:O, s:O?}", "status", status, "pools", pools);
	int failed = !answer || json_dumpf(answer, stdout,
					   JSON_INDENT(2) | JSON_REAL_PRECISION(6));

	putchar('\n');
	json_decref(answer);
	return failed ? EXIT_SYSTEM : EXIT_DONE;
}

static enum exit_code
show(const struct request *request, json_t *status, const json_t *pools)
{
	json_t *array = json_object_get(pools, "pools");

	if (request->json)
		return print_json(status, array);
	status_text_print(status, array, time(NULL), stdout);
	return EXIT_DONE;
}

int
command_status(int argc, char **argv)
{
	struct request request = {0};
	char socket_path[DAEMON_SOCKET_MAX];
	json_t *status = NULL;
	json_t *pools = NULL;
	int code = read_options(argc, argv, &request);

	if (code >= 0)
		return code;
	code = daemon_find_socket(request.socket, request.file, socket_path);
	if (code == EXIT_DONE)
		code = daemon_get(socket_path, "/api/v1/status", &status);
	if (code == EXIT_DONE)
		code = daemon_get(socket_path, "/api/v1/pools", &pools);
	if (code == EXIT_DONE)
		code = show(&request, status, pools);
	json_decref(status);
	json_decref(pools);
	return code;
}
