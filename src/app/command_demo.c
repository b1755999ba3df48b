#include "app/commands.h"
#include "app/service.h"
#include "base/cleanup.h"
#include "base/number.h"
#include "config/report.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define SERVERS 3
#define SERVER_NAMES "red", "green", "blue"

static const char usage[] =
	"Usage: evenpost demo\n"
	"Runs a listener on 127.0.0.1:2525 without any configuration file, three test\n"
	"servers, a gentle stream of mail through them, and the page\n"
	"http://127.0.0.1:8025. Ends with Ctrl-C, or after DEMO_SECONDS.\n";

/* %s: the ports of the servers. */
static const char configuration[] = "hostname: demo.evenpost.example\n"
				    "admin: {http: 127.0.0.1:8025, socket: off}\n"
				    "log: {level: warning}\n"
				    "shutdown-timeout: 5s\n"
				    "listeners:\n"
				    "  demo: {bind: 127.0.0.1:2525, pool: colours}\n"
				    "pools:\n"
				    "  colours:\n"
				    "    servers:\n"
				    "      red: %s\n"
				    "      green: %s\n"
				    "      blue: %s\n";

struct demo {
	char tools[PATH_MAX]; /* the folder of our own program and its tools */
	pid_t servers[SERVERS];
	char addresses[SERVERS][64];
	pid_t sender;
};

static bool
find_tools(struct demo *demo)
{
	ssize_t length =
		readlink("/proc/self/exe", demo->tools, sizeof(demo->tools) - 1);

	if (length < 0)
		return false;
	demo->tools[length] = 0;
	dirname(demo->tools);
	return true;
}

/* Starts a tool; its standard output goes to fd. -1 with a word about it on failure. */
static pid_t
start_tool(const struct demo *demo, const char *name, char *const *arguments, int fd)
{
	char path[PATH_MAX + 32];
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int error;

	snprintf(path, sizeof(path), "%s/%s", demo->tools, name);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	error = posix_spawn(&pid, path, &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (error == 0)
		return pid;
	fprintf(stderr, "evenpost demo: %s: %s\n", path, strerror(error));
	return -1;
}

/* The sink's first line: "listening 127.0.0.1:PORT". */
static bool
read_address(int fd, char address[64])
{
	char line[128];
	int own = dup(fd);
	FILE *stream = own >= 0 ? fdopen(own, "r") : NULL;
	bool good;

	if (!stream) {
		cleanup_close(&own);
		return false;
	}
	good = fgets(line, sizeof(line), stream) &&
	       sscanf(line, "listening %63s", address) == 1;
	fclose(stream);
	return good;
}

static bool
start_server(struct demo *demo, int index)
{
	static char *const names[SERVERS] = {SERVER_NAMES};
	char name[64];
	char *arguments[] = {(char *)"evenpost-sink",
			     (char *)"--listen",
			     (char *)"127.0.0.1:0",
			     (char *)"--name",
			     name,
			     NULL};
	int ends[2];
	bool good;

	if (pipe2(ends, O_CLOEXEC))
		return false;
	snprintf(name, sizeof(name), "%s.demo.example", names[index]);
	demo->servers[index] = start_tool(demo, "evenpost-sink", arguments, ends[1]);
	close(ends[1]);
	good = demo->servers[index] > 0 &&
	       read_address(ends[0], demo->addresses[index]);
	close(ends[0]);
	return good;
}

static void
print_tour(const struct demo *demo)
{
	printf("\nevenpost is balancing mail between three test servers.\n\n"
	       "  look   http://127.0.0.1:8025/         shares, live\n"
	       "         http://127.0.0.1:8025/metrics  for Prometheus\n"
	       "  send   swaks --server 127.0.0.1:2525 --to you@example.com\n"
	       "         (or any mail program; nothing leaves this machine)\n"
	       "  break  kill %d    the server \"red\" dies; no client notices\n\n"
	       "Ctrl-C ends it.\n",
	       (int)demo->servers[0]);
	fflush(stdout);
}

/* Two long connections: what a balancer of connections would never spread evenly. */
static void
on_ready(void *with)
{
	struct demo *demo = with;
	char *arguments[] = {(char *)"evenpost-load",
			     (char *)"--connections",
			     (char *)"2",
			     (char *)"--seconds",
			     (char *)"86400",
			     (char *)"--rate",
			     (char *)"20/s",
			     (char *)"--size",
			     (char *)"2k",
			     (char *)"127.0.0.1:2525",
			     NULL};

	demo->sender = start_tool(demo, "evenpost-load", arguments, STDERR_FILENO);
	print_tour(demo);
}

static void
end_tool(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

static void
end_tools(struct demo *demo)
{
	end_tool(demo->sender);
	for (int i = 0; i < SERVERS; i++)
		end_tool(demo->servers[i]);
}

static int
run(struct demo *demo)
{
	char text[sizeof(configuration) + sizeof(demo->addresses)];
	struct snapshot *snapshot;
	struct report report;
	enum status status;
	int length = snprintf(text, sizeof(text), configuration, demo->addresses[0],
			      demo->addresses[1], demo->addresses[2]);

	report_init(&report, "demo");
	status = snapshot_read_text(span_of(text, (size_t)length), "demo", &report,
				    &snapshot);
	report_fini(&report);
	if (status != STATUS_OK)
		return EXIT_CONFIGURATION;
	return service_run(snapshot, on_ready, demo);
}

/* The end by the clock is the end by Ctrl-C. */
static void
limit_time(void)
{
	const char *text = getenv("DEMO_SECONDS");
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGTERM};
	struct itimerspec when = {0};
	uint64_t seconds;
	timer_t timer;

	if (!text || !number_read(span_from_string(text), INT32_MAX, &seconds))
		return;
	when.it_value.tv_sec = (time_t)seconds;
	if (seconds > 0 && timer_create(CLOCK_MONOTONIC, &event, &timer) == 0)
		timer_settime(timer, 0, &when, NULL);
}

int
command_demo(int argc, char **argv)
{
	struct demo demo = {0};
	int code = EXIT_SYSTEM;
	bool good;

	(void)argv;
	if (argc > 1) {
		fputs(usage, stdout);
		return EXIT_USAGE;
	}
	good = find_tools(&demo);
	for (int i = 0; i < SERVERS && good; i++)
		good = start_server(&demo, i);
	limit_time();
	if (good)
		code = run(&demo);
	end_tools(&demo);
	return code;
}
