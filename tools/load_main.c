#include "tools/load_connection.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

/* Connections that may be starting at once: less than a usual backlog. */
#define STARTING_MAX 256
/* … of idle ones with TLS: a handshake that goes on costs its server more memory than
 * the session that it leaves, and that is what they are opened for. */
#define SHAKING_MAX 16

static _Noreturn void
load_die(const char *what, const char *name)
{
	fprintf(stderr, "evenpost-load: %s %s: %s\n", what, name, strerror(errno));
	exit(EX_OSERR);
}

uint64_t
load_due(const struct load *load, uint64_t number)
{
	const struct rate *rate = &load->options->rate;

	if (rate->count == 0)
		return 0;
	return load->begin + number * (uint64_t)rate->period * 1000 / rate->count;
}

static bool
load_is_late(const struct load *load)
{
	uint64_t end = load->begin + (uint64_t)load->options->duration * 1000;

	if (load->options->duration == 0)
		return false;
	return loop_microseconds() >= end || load_due(load, load->taken) >= end;
}

bool
load_take(struct load *load, uint64_t *number)
{
	const struct load_options *options = load->options;

	if (load->stopping || load_is_late(load) ||
	    (options->messages && load->taken == options->messages))
		return false;
	*number = load->taken++;
	return true;
}

static uint32_t
starting_max(const struct load_options *options)
{
	return options->idle && options->tls != LOAD_TLS_OFF ? SHAKING_MAX
							     : STARTING_MAX;
}

static void
load_start_more(struct load *load)
{
	while (load->started < load->options->connections &&
	       load->starting < starting_max(load->options) && !load->stopping) {
		load->starting++;
		load->running++;
		connection_start(&load->connections[load->started++]);
	}
}

void
load_started_one(struct load *load)
{
	load->starting--;
	load_start_more(load);
	if (load->options->idle && load->starting == 0) {
		printf("idle %u\n", load->running);
		fflush(stdout);
	}
}

void
load_ended_one(struct load *load)
{
	if (--load->running == 0)
		loop_stop(&load->loop);
}

static void
signals_ready(struct loop_source *source)
{
	struct load *load = CONTAINER_OF(source, struct load, signals);
	struct signalfd_siginfo signal;

	source->ready = 0;
	if (read(source->fd, &signal, sizeof(signal)) != sizeof(signal))
		return;
	load->stopping = true;
	loop_stop(&load->loop);
}

static void
signals_watch(struct load *load)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0 || loop_add_level(&load->loop, &load->signals, fd, signals_ready))
		load_die("signals", "");
}

static void
signals_close(struct load *load)
{
	int fd = load->signals.fd;

	loop_remove(&load->signals);
	close(fd);
}

/* As many connections as the system allows us. */
static void
descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void
load_open(struct load *load, const struct load_options *options)
{
	load->options = options;
	if (loop_open(&load->loop))
		load_die("loop", "");
	signals_watch(load);
	load_tls_open(load);
	if (load_content_make(&load->content, options))
		load_die("body", options->body ? options->body : "");
	if (options->log && !(load->log = fopen(options->log, "we")))
		load_die("log", options->log);
	load->connections = calloc(options->connections, sizeof(*load->connections));
	if (!load->connections)
		load_die("connections", "");
	for (uint32_t at = 0; at < options->connections; at++)
		connection_init(&load->connections[at], load);
}

static void
load_run(struct load *load)
{
	load->begin = loop_microseconds();
	load_start_more(load);
	if (load->running)
		loop_run(&load->loop);
	load->end = loop_microseconds();
	for (uint32_t at = 0; at < load->started; at++)
		connection_stop(&load->connections[at]);
}

static void
load_close(struct load *load)
{
	for (uint32_t at = 0; at < load->options->connections; at++)
		connection_free(&load->connections[at]);
	free(load->connections);
	if (load->log && fclose(load->log) != 0)
		load_die("log", load->options->log);
	load_content_free(&load->content);
	load_tls_close(load);
	signals_close(load);
	loop_close(&load->loop);
}

int
main(int argc, char **argv)
{
	static struct load_options options;
	static struct load load;
	bool complete;

	load_options_read(argc, argv, &options);
	descriptors_raise();
	load_open(&load, &options);
	load_run(&load);
	load_report(&load);
	complete = load.totals.failed == 0 && load.totals.recipients_failed == 0 &&
		   (options.idle || load.totals.accepted > 0);
	if (options.idle)
		complete = load.totals.failure_kinds == 0;
	load_close(&load);
	return complete ? EXIT_SUCCESS : EXIT_FAILURE;
}
