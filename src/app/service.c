#include "app/service.h"

#include "admin/admin.h"
#include "app/addresses.h"
#include "app/certificates.h"
#include "app/commands.h"
#include "app/identity.h"
#include "app/logger.h"
#include "app/notify.h"
#include "health/monitor.h"
#include "net/mailbox.h"
#include "net/resolver.h"
#include "proxy/connector.h"
#include "proxy/names.h"
#include "proxy/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct thread {
	struct service *service;
	struct worker *worker;
	pthread_t id;
	bool started;
	struct letter ended;
};

/* Milliseconds: how long the first clients wait for the first probes, and how often we
   look. They wait in the kernel's queue, for their greeting. */
#define GATE_PATIENCE 5000
#define GATE_LOOK 10

struct service {
	struct snapshot *snapshot;
	struct proxy proxy;
	struct thread *threads;
	uint32_t threads_running;
	struct loop loop;
	struct mailbox mailbox;
	sigset_t signal_set;
	struct loop_source signals;
	struct resolver *resolver;
	struct certificates *certificates;
	struct tls_contexts tls; /* of probes */
	struct monitor *monitor;
	struct addresses *addresses;
	struct admin *admin;
	struct timer gate; /* until the first probes are in */
	int64_t gate_closes;
	bool stopping;
	bool misconfigured; /* as only the files have shown that it names */
	bool failed;
	void (*on_ready)(void *with);
	void *with;
};

/* ---- signals ---- */

static void
ask_stop(struct service *service)
{
	service->stopping = true;
	notify_state("STOPPING=1");
	log_message(LOG_INFO, "stop", "asked to stop");
	admin_set_stopping(service->admin);
	for (uint32_t i = 0; i < service->proxy.worker_count; i++)
		worker_ask_stop(&service->proxy.workers[i]);
	if (service->threads_running == 0)
		loop_stop(&service->loop);
}

static void
take_signal(struct service *service, uint32_t number)
{
	switch (number) {
	case SIGTERM:
	case SIGINT:
		ask_stop(service);
		break;
	case SIGUSR1:
		logger_reopen();
		break;
	case SIGHUP:
		certificates_look(service->certificates);
		/* fall through */
	default:
		log_message(LOG_WARNING, "signal", "%s is not in this build yet",
			    number == SIGHUP ? "reload" : "upgrade");
		break;
	}
}

static void
on_signal(struct loop_source *source)
{
	struct service *service = CONTAINER_OF(source, struct service, signals);
	struct signalfd_siginfo taken;

	while (read(source->fd, &taken, sizeof(taken)) == sizeof(taken))
		take_signal(service, taken.ssi_signo);
}

/* Before any thread is made, so that all of them leave signals to the control loop. */
static void
block_signals(sigset_t *set)
{
	static const int taken[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(set);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		sigaddset(set, taken[i]);
	sigprocmask(SIG_BLOCK, set, NULL);
}

static enum status
watch_signals(struct service *service)
{
	int fd = signalfd(-1, &service->signal_set, SFD_NONBLOCK | SFD_CLOEXEC);

	if (fd < 0)
		return STATUS_SYSTEM;
	return loop_add(&service->loop, &service->signals, fd, on_signal);
}

/* ---- sockets ---- */

/* As many descriptors as the system lets us have. */
static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void
log_refusal(const struct listener_snapshot *listener, const struct endpoint *address,
	    enum status status)
{
	char text[ENDPOINT_TEXT_MAX];

	endpoint_print(address, text);
	log_message(LOG_ERROR, "listen", "%.*s: %s: %s", SPAN_ARGS(listener->name),
		    text,
		    status == STATUS_NO_MEMORY ? "out of memory" : strerror(errno));
}

/*
 * One socket a worker. Of TCP each has its own, and those after the first share the
 * port that the first has got; a path can be bound once, and all accept from the same.
 */
static enum status
open_socket(const struct endpoint *address, int first, int *fd)
{
	if (first < 0)
		return listener_bind(address, fd);
	if (endpoint_family(address) != AF_UNIX)
		return listener_join(address, fd);
	*fd = fcntl(first, F_DUPFD_CLOEXEC, 0);
	return *fd < 0 ? STATUS_SYSTEM : STATUS_OK;
}

static enum status
listen_at(struct service *service, const struct listener_snapshot *listener,
	  const struct endpoint *configured)
{
	struct endpoint address = *configured;
	enum status status = STATUS_OK;
	int fd = -1;

	for (uint32_t i = 0; i < service->proxy.worker_count && status == STATUS_OK;
	     i++) {
		struct worker *worker = &service->proxy.workers[i];

		status = open_socket(&address, fd, &fd);
		if (status == STATUS_OK)
			status = worker_listen(worker, listener, fd, &address);
	}
	if (status != STATUS_OK)
		log_refusal(listener, configured, status);
	return status;
}

static enum status
listen_all(struct service *service)
{
	const struct snapshot *snapshot = service->snapshot;
	enum status status = STATUS_OK;

	for (uint32_t i = 0; i < snapshot->listener_count; i++) {
		const struct listener_snapshot *listener = &snapshot->listeners[i];

		for (uint32_t j = 0; j < listener->bind_count && status == STATUS_OK;
		     j++)
			status = listen_at(service, listener, &listener->bind[j]);
	}
	return status;
}

/* ---- threads ---- */

static void *
run_worker(void *argument)
{
	struct thread *thread = argument;

	worker_run(thread->worker);
	mailbox_post(&thread->service->mailbox, &thread->ended);
	return NULL;
}

static void
worker_ended(struct letter *letter)
{
	struct thread *thread = CONTAINER_OF(letter, struct thread, ended);
	struct service *service = thread->service;

	if (--service->threads_running == 0)
		loop_stop(&service->loop);
}

static enum status
start_threads(struct service *service)
{
	for (uint32_t i = 0; i < service->proxy.worker_count; i++) {
		struct thread *thread = &service->threads[i];

		thread->service = service;
		thread->worker = &service->proxy.workers[i];
		thread->ended.open = worker_ended;
		if (pthread_create(&thread->id, NULL, run_worker, thread))
			return STATUS_SYSTEM;
		thread->started = true;
		service->threads_running++;
	}
	return STATUS_OK;
}

static void
join_threads(struct service *service)
{
	for (uint32_t i = 0; i < service->proxy.worker_count; i++) {
		if (service->threads[i].started)
			pthread_join(service->threads[i].id, NULL);
	}
}

/* ---- life ---- */

static enum status
init_proxy(struct service *service)
{
	struct proxy *proxy = &service->proxy;
	struct snapshot *snapshot = service->snapshot;
	enum status status = STATUS_OK;

	proxy->snapshot = snapshot;
	proxy->tallies = calloc(snapshot->listener_count, sizeof(*proxy->tallies));
	proxy->workers = calloc(snapshot->workers, sizeof(*proxy->workers));
	service->threads = calloc(snapshot->workers, sizeof(*service->threads));
	if (!proxy->tallies || !proxy->workers || !service->threads)
		return STATUS_NO_MEMORY;
	if (getrandom(&proxy->tag, sizeof(proxy->tag), GRND_NONBLOCK) < 0)
		proxy->tag = (uint32_t)getpid();
	for (uint32_t i = 0; i < snapshot->listener_count && status == STATUS_OK; i++)
		status = tally_init(&proxy->tallies[i], snapshot,
				    &snapshot->listeners[i]);
	for (uint32_t i = 0; i < snapshot->workers && status == STATUS_OK; i++) {
		status = worker_init(&proxy->workers[i], proxy, i);
		proxy->worker_count++;
	}
	return status;
}

/* One for all that the control thread asks, so that it has one cache. */
static enum status
open_resolver(struct service *service)
{
	static const enum resolver_mode modes[] = {[DNS_SYSTEM] = RESOLVER_SYSTEM,
						   [DNS_RECURSIVE] = RESOLVER_RECURSIVE,
						   [DNS_ADDRESSES] = RESOLVER_FORWARD};
	const struct snapshot *snapshot = service->snapshot;

	return resolver_open(&service->resolver, &service->loop,
			     modes[snapshot->dns.mode], snapshot->dns.servers,
			     snapshot->dns.server_count);
}

/* Before the workers, who begin with them. */
static enum status
open_certificates(struct service *service)
{
	struct tls_fault fault;
	enum status status = certificates_open(&service->certificates, &service->loop,
					       service->snapshot);

	service->misconfigured = status == STATUS_INVALID;
	if (status != STATUS_OK)
		return status;
	service->proxy.tls = certificates_set(service->certificates);
	status = tls_contexts_init(&service->tls, service->snapshot, service->proxy.tls,
				   &fault);
	if (status != STATUS_OK)
		log_message(LOG_ERROR, "tls", "%s", fault.text);
	return status;
}

static enum status
open_control(struct service *service)
{
	enum status status = mailbox_open(&service->mailbox, &service->loop);

	if (status == STATUS_OK)
		status = watch_signals(service);
	if (status == STATUS_OK)
		status = open_resolver(service);
	if (status == STATUS_OK)
		status = names_open(&service->proxy.names, &service->loop,
				    service->resolver, NAMES_PATIENCE);
	if (status == STATUS_OK)
		status = open_certificates(service);
	if (status == STATUS_OK)
		status = init_proxy(service);
	return status;
}

/* ---- certificates ---- */

static void
take_tls(struct tls_set *set, void *with)
{
	struct service *service = with;
	struct tls_fault fault;

	for (uint32_t i = 0; i < service->proxy.worker_count; i++)
		worker_take_tls(&service->proxy.workers[i], set);
	if (tls_contexts_take(&service->tls, set, &fault) != STATUS_OK)
		log_message(LOG_ERROR, "tls", "%s", fault.text);
	admin_take_tls(service->admin, set);
}

/* Whether clients are to connect to servers from their own addresses. */
static bool
is_transparent(const struct snapshot *snapshot)
{
	for (uint32_t i = 0; i < snapshot->pool_count; i++)
		if (snapshot->pools[i].used &&
		    snapshot->pools[i].identity == IDENTITY_TRANSPARENT)
			return true;
	return false;
}

/* What needs the rights we were started with; then they are dropped. */
static enum status
open_doors(struct service *service)
{
	enum status status = listen_all(service);

	service->monitor = monitor_new(&service->loop);
	if (!service->monitor)
		return STATUS_NO_MEMORY;
	if (status == STATUS_OK)
		status = admin_open(&service->admin, &service->loop, &service->proxy,
				    service->monitor);
	if (status == STATUS_OK)
		status = identity_drop(service->snapshot->user,
				       is_transparent(service->snapshot));
	if (status != STATUS_OK)
		return status;
	admin_take_tls(service->admin, certificates_set(service->certificates));
	admin_show_refusals(service->admin,
			    certificates_refusals(service->certificates));
	certificates_watch(service->certificates, take_tls, service);
	return STATUS_OK;
}

/* With the rights that are left, which are the workers'. Those with names: later. */
static void
check_servers(const struct snapshot *snapshot)
{
	for (uint32_t i = 0; i < snapshot->pool_count; i++) {
		const struct pool_snapshot *pool = &snapshot->pools[i];

		for (uint32_t j = 0; j < pool->pool->server_count; j++)
			connector_check(pool, pool->pool->servers[j]);
	}
}

static enum status
watch_servers(struct service *service)
{
	enum status status = addresses_open(&service->addresses, &service->loop,
					    service->resolver, service->snapshot);

	if (status == STATUS_OK)
		status = monitor_watch(service->monitor, service->snapshot,
				       service->tls.clients);
	if (status != STATUS_OK)
		log_message(LOG_ERROR, "start", "control: %s", status_name(status));
	return status;
}

static void
close_all(struct service *service)
{
	admin_close(service->admin);
	addresses_close(service->addresses);
	names_close(service->proxy.names); /* gives back to the workers: before them */
	resolver_close(service->resolver);
	monitor_free(service->monitor);
	tls_contexts_fini(&service->tls);
	for (uint32_t i = 0; i < service->proxy.worker_count; i++)
		worker_fini(&service->proxy.workers[i]);
	if (service->proxy.tallies) {
		for (uint32_t i = 0; i < service->snapshot->listener_count; i++)
			tally_fini(&service->proxy.tallies[i]);
	}
	free(service->proxy.tallies);
	free(service->proxy.workers);
	free(service->threads);
	certificates_close(service->certificates); /* the workers have let go */
	mailbox_close(&service->mailbox);
	if (service->signals.loop) {
		int fd = service->signals.fd;

		loop_remove(&service->signals);
		close(fd);
	}
	loop_close(&service->loop);
	snapshot_unref(service->snapshot);
}

static void
announce(const struct service *service)
{
	log_message(LOG_INFO, "start",
		    "evenpost %s, %u workers, %u listeners, %u pools", EVENPOST_VERSION,
		    service->proxy.worker_count, service->snapshot->listener_count,
		    service->snapshot->pool_count);
	notify_state("READY=1");
}

/* Whether each server has been seen once: an early message would find nobody. */
static bool
servers_are_known(const struct service *service)
{
	const struct snapshot *snapshot = service->snapshot;

	for (uint32_t i = 0; i < snapshot->pool_count; i++) {
		const struct pool_snapshot *pool = &snapshot->pools[i];

		if (pool->used && !pool_is_observed(pool->pool))
			return false;
	}
	return true;
}

static void
open_gate(struct service *service)
{
	if (start_threads(service) != STATUS_OK) {
		log_message(LOG_ERROR, "start", "threads: %s", strerror(errno));
		service->failed = true;
		ask_stop(service);
		return;
	}
	announce(service);
	if (service->on_ready)
		service->on_ready(service->with);
}

static void
look_at_gate(struct timer *timer)
{
	struct service *service = CONTAINER_OF(timer, struct service, gate);

	if (service->stopping)
		return;
	if (servers_are_known(service) || service->loop.now >= service->gate_closes)
		open_gate(service);
	else
		loop_timer_start(&service->loop, timer, GATE_LOOK);
}

static void
wait_at_gate(struct service *service)
{
	timer_init(&service->gate, look_at_gate);
	service->gate_closes = service->loop.now + GATE_PATIENCE;
	loop_timer_start(&service->loop, &service->gate, 0);
}

static enum status
start(struct service *service)
{
	enum status status = open_control(service);

	if (status == STATUS_OK)
		status = open_doors(service);
	if (status == STATUS_OK)
		check_servers(service->snapshot);
	if (status == STATUS_OK)
		status = watch_servers(service);
	return status;
}

static int
exit_code_of(const struct service *service, enum status status)
{
	if (status == STATUS_OK)
		return EXIT_DONE;
	if (service->misconfigured)
		return EXIT_CONFIGURATION;
	return status == STATUS_DENIED ? EXIT_PERMISSION : EXIT_SYSTEM;
}

int
service_run(struct snapshot *snapshot, void (*on_ready)(void *with), void *with)
{
	struct service service = {
		.snapshot = snapshot, .on_ready = on_ready, .with = with};
	enum status status;

	block_signals(&service.signal_set);
	raise_descriptor_limit();
	log_set_format(snapshot->log.format);
	log_set_level(snapshot->log.level);
	if (logger_open(snapshot->log.target, snapshot->log.path.at) != STATUS_OK ||
	    loop_open(&service.loop) != STATUS_OK) {
		log_message(LOG_ERROR, "start", "%s", strerror(errno));
		snapshot_unref(snapshot);
		return EXIT_SYSTEM;
	}
	status = start(&service);
	if (status == STATUS_OK) {
		wait_at_gate(&service);
		loop_run(&service.loop);
		join_threads(&service);
		log_message(LOG_INFO, "stop", "stopped");
		status = service.failed ? STATUS_SYSTEM : STATUS_OK;
	}
	close_all(&service);
	logger_close();
	return exit_code_of(&service, status);
}
