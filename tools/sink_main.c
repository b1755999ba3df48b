#include "tools/sink_session.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#define FAREWELL SPAN("421 4.3.2 Out of descriptors\r\n")

static const char *const command_names[SINK_COMMAND_COUNT] = {
	[SINK_HELLO] = "ehlo",      [SINK_STARTTLS] = "starttls",
	[SINK_MAIL] = "mail",       [SINK_RCPT] = "rcpt",
	[SINK_DATA] = "data",       [SINK_BDAT] = "bdat",
	[SINK_RSET] = "rset",       [SINK_QUIT] = "quit",
	[SINK_XCLIENT] = "xclient", [SINK_REFUSED] = "refused",
};

void
sink_report(const struct sink *sink)
{
	const struct sink_totals *totals = &sink->totals;

	printf("{\"connections\":%" PRIu64 ",\"turned_away\":%" PRIu64
	       ",\"open\":%" PRIu32 ",\"transactions\":%" PRIu64
	       ",\"messages\":%" PRIu64 ",\"recipients\":%" PRIu64 ",\"bytes\":%" PRIu64
	       ",\"handshakes\":%" PRIu64 ",\"resumed\":%" PRIu64
	       ",\"handshakes_failed\":%" PRIu64 ",\"faults\":%" PRIu64
	       ",\"commands\":{",
	       totals->connections, totals->turned_away, sink->sessions.used,
	       totals->transactions, totals->messages, totals->recipients,
	       totals->bytes, totals->handshakes, totals->resumed,
	       totals->handshakes_failed, sink->options->faults.done);
	for (unsigned at = 0; at < SINK_COMMAND_COUNT; at++)
		printf("%s\"%s\":%" PRIu64, at ? "," : "", command_names[at],
		       totals->commands[at]);
	printf("}}\n");
	fflush(stdout);
}

static _Noreturn void
sink_fail(const char *what, const char *name)
{
	fprintf(stderr, "evenpost-sink: %s %s: %s\n", what, name, strerror(errno));
	exit(EX_OSERR);
}

static void
signals_ready(struct loop_source *source)
{
	struct sink *sink = CONTAINER_OF(source, struct sink, signals);
	struct signalfd_siginfo signal;

	source->ready = 0;
	if (read(source->fd, &signal, sizeof(signal)) != sizeof(signal))
		return;
	if (signal.ssi_signo == SIGUSR1)
		sink_report(sink);
	else
		loop_stop(&sink->loop);
}

static void
signals_watch(struct sink *sink)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0 || loop_add_level(&sink->loop, &sink->signals, fd, signals_ready))
		sink_fail("signals", "");
}

static void
signals_close(struct sink *sink)
{
	int fd = sink->signals.fd;

	loop_remove(&sink->signals);
	close(fd);
}

static void
sink_accepted(struct listener *listener, int fd, const struct endpoint *peer)
{
	(void)peer;
	session_open(CONTAINER_OF(listener, struct sink_listener, listener)->sink, fd);
}

static void
sink_listen(struct sink *sink, const struct endpoint *address)
{
	struct sink_listener *slot = &sink->listeners[sink->listener_count++];
	char text[ENDPOINT_TEXT_MAX];
	int fd;

	endpoint_print(address, text);
	slot->sink = sink;
	if (listener_bind(address, &fd) ||
	    listener_open(&slot->listener, &sink->loop, fd, FAREWELL, sink_accepted))
		sink_fail("listen on", text);
	endpoint_print(&slot->listener.address, text);
	printf("listening %s\n", text);
	fflush(stdout);
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
sink_open(struct sink *sink, struct sink_options *options)
{
	sink->options = options;
	sink->smtp = (struct smtp_server_options){
		.hostname = span_from_string(options->name),
		.max_message_size = options->offered.size,
		.max_recipients = UINT32_MAX,
		.max_errors = UINT32_MAX,
		.max_idle_commands = UINT32_MAX,
		.lmtp = options->lmtp,
		.tls = options->tls == SINK_TLS_STARTTLS ? SMTP_TLS_OFFERED
							 : SMTP_TLS_OFF,
	};
	list_init(&sink->open);
	slab_init(&sink->sessions, sizeof(struct session));
	if (loop_open(&sink->loop))
		sink_fail("loop", "");
	if (store_open(&sink->store, options->maildir, options->journal))
		sink_fail("store",
			  options->maildir ? options->maildir : options->journal);
	sink_tls_open(sink);
	sink->keeps_envelope = options->lmtp || store_is_open(&sink->store);
	signals_watch(sink);
	for (unsigned at = 0; at < options->listen_count; at++)
		sink_listen(sink, &options->listen[at]);
}

static void
sink_close(struct sink *sink)
{
	for (unsigned at = 0; at < sink->listener_count; at++)
		listener_close(&sink->listeners[at].listener);
	LIST_EACH (&sink->open, at)
		session_free(CONTAINER_OF(at, struct session, link));
	signals_close(sink);
	store_close(&sink->store);
	sink_tls_close(sink);
	slab_fini(&sink->sessions);
	loop_close(&sink->loop);
}

int
main(int argc, char **argv)
{
	static struct sink_options options;
	static struct sink sink;

	sink_options_read(argc, argv, &options);
	descriptors_raise();
	sink_open(&sink, &options);
	loop_run(&sink.loop);
	if (options.stats)
		sink_report(&sink);
	sink_close(&sink);
	sink_options_fini(&options);
	return EX_OK;
}
