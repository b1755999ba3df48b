#include "world.h"

#include "config/report.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

/* Milliseconds after which a test hangs: no test waits for anything near as long. */
#define PATIENCE 20000

/* ---- its begin ---- */

static char *
print_settings(const struct world *world, const struct world_plan *plan)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert(out);
	fprintf(out, "hostname: evenpost.example\ndns: {client-names: false}\n"
		     "listeners:\n");
	for (unsigned i = 0; i < world->proxy.worker_count; i++)
		fprintf(out,
			"  in%u: {bind: \"127.0.0.1:0\", pool: p, add-received: "
			"never}\n",
			i);
	fprintf(out, "pools:\n  p:\n    health: {probe: none}\n%s    servers:\n",
		plan->pool ? plan->pool : "");
	for (unsigned i = 0; i < plan->backends; i++) {
		char address[ENDPOINT_TEXT_MAX];

		endpoint_print(&world->backends[i].address, address);
		fprintf(out, "      %s: {address: \"%s\"%s%s}\n",
			world->backends[i].name, address, plan->servers ? ", " : "",
			plan->servers ? plan->servers : "");
	}
	fclose(out);
	return text;
}

static void
read_settings(struct world *world, const struct world_plan *plan)
{
	char *text = print_settings(world, plan);
	struct report report;

	report_init(&report, "world");
	if (snapshot_read_text(span_from_string(text), "world", &report,
			       &world->snapshot) != STATUS_OK) {
		for (uint32_t i = 0; i < report.count; i++)
			report_print_entry(&report, &report.entries[i], stderr);
		abort();
	}
	report_fini(&report);
	free(text);
}

static void
open_worker(struct world *world, unsigned index)
{
	const struct listener_snapshot *listener = &world->snapshot->listeners[index];
	struct worker *worker = &world->workers[index];
	int fd;

	assert(tally_init(&world->tallies[index], world->snapshot, listener) ==
	       STATUS_OK);
	assert(worker_init(worker, &world->proxy, index) == STATUS_OK);
	worker->random = index + 1;
	assert(listener_bind(&listener->bind[0], &fd) == STATUS_OK);
	assert(worker_listen(worker, listener, fd, &world->addresses[index]) ==
	       STATUS_OK);
}

static void
write_mails(struct world *world, const struct world_plan *plan)
{
	struct chance chance = {plan->seed};

	world->mail_count = plan->mails;
	world->mails = calloc(plan->mails, sizeof(*world->mails));
	assert(world->mails);
	for (uint32_t i = 0; i < plan->mails; i++)
		mail_write(&world->mails[i], i, plan->largest ? plan->largest : 2000,
			   &chance);
}

void
world_open(struct world *world, const struct world_plan *plan)
{
	*world = (struct world){.backend_count = plan->backends};
	world->proxy.worker_count = plan->workers ? plan->workers : 1;
	log_set_level(LOG_ERROR);
	assert(loop_open(&world->loop) == STATUS_OK);
	write_mails(world, plan);
	for (unsigned i = 0; i < plan->backends; i++)
		backend_open(&world->backends[i], &world->loop, i, world->mails,
			     world->mail_count);
	read_settings(world, plan);
	world->proxy.snapshot = world->snapshot;
	world->proxy.tallies = world->tallies;
	world->proxy.workers = world->workers;
	for (unsigned i = 0; i < world->proxy.worker_count; i++)
		open_worker(world, i);
}

struct sender *
world_send(struct world *world, unsigned worker, uint32_t first, uint32_t step,
	   struct chance chance)
{
	struct sender *sender = &world->senders[world->sender_count++];
	struct endpoint source;
	char text[16];

	assert(world->sender_count <= WORLD_SENDERS_MAX);
	snprintf(text, sizeof(text), "127.0.1.%u", world->sender_count);
	assert(endpoint_read_address(span_from_string(text), 0, &source));
	sender_init(sender, &world->loop, &world->addresses[worker], &source,
		    world->mails, first, step, world->mail_count, chance);
	sender_start(sender);
	return sender;
}

/* ---- its course ---- */

static bool
has_work(const struct loop *loop)
{
	return !list_is_empty(&loop->tasks);
}

/* Until one of the loops has something to do, or some time has passed. */
static void
wait_for_events(const struct world *world)
{
	struct pollfd loops[WORLD_WORKERS_MAX + 1] = {
		{.fd = world->loop.epoll, .events = POLLIN}};
	bool busy = has_work(&world->loop);
	unsigned count = 1;

	for (unsigned i = 0; i < world->proxy.worker_count; i++) {
		const struct worker *worker = &world->workers[i];

		if (worker->loop.stopping)
			continue;
		busy |= has_work(&worker->loop);
		loops[count++] =
			(struct pollfd){.fd = worker->loop.epoll, .events = POLLIN};
	}
	if (!busy)
		poll(loops, count, TIMER_TICK);
}

void
world_round(struct world *world)
{
	wait_for_events(world);
	for (unsigned i = 0; i < world->backend_count; i++)
		backend_tick(&world->backends[i]);
	loop_round(&world->loop, 0);
	for (unsigned i = 0; i < world->proxy.worker_count; i++) {
		if (!world->workers[i].loop.stopping)
			loop_round(&world->workers[i].loop, 0);
	}
}

bool
world_run(struct world *world, bool (*done)(const struct world *world))
{
	uint64_t deadline = loop_microseconds() + PATIENCE * 1000;

	while (!done(world)) {
		if (loop_microseconds() > deadline)
			return false;
		world_round(world);
	}
	return true;
}

bool
world_is_sent(const struct world *world)
{
	for (unsigned i = 0; i < world->sender_count; i++)
		if (!sender_is_done(&world->senders[i]))
			return false;
	return true;
}

bool
world_is_quiet(const struct world *world)
{
	if (!world_is_sent(world))
		return false;
	for (unsigned i = 0; i < world->proxy.worker_count; i++) {
		const struct worker *worker = &world->workers[i];

		if (worker->sessions.used || worker->transactions.used ||
		    worker->upstreams.used != worker->reuse.idle_count)
			return false;
	}
	return true;
}

bool
world_is_calm(const struct world *world)
{
	for (unsigned i = 0; i < world->proxy.worker_count; i++) {
		const struct worker *worker = &world->workers[i];

		if (has_work(&worker->loop) || atomic_load(&worker->nudged))
			return false;
	}
	return true;
}

static bool
has_stopped(const struct world *world)
{
	for (unsigned i = 0; i < world->proxy.worker_count; i++)
		if (!world->workers[i].loop.stopping)
			return false;
	return world_is_sent(world);
}

void
world_ask_stop(struct world *world)
{
	if (world->stopping)
		return; /* a second time would be a cut */
	world->stopping = true;
	for (unsigned i = 0; i < world->sender_count; i++)
		world->senders[i].expects_farewell = true;
	for (unsigned i = 0; i < world->proxy.worker_count; i++)
		worker_ask_stop(&world->workers[i]);
}

bool
world_stop(struct world *world)
{
	world_ask_stop(world);
	return world_run(world, has_stopped);
}

void
world_close(struct world *world)
{
	for (unsigned i = 0; i < world->proxy.worker_count; i++) {
		worker_fini(&world->workers[i]);
		tally_fini(&world->tallies[i]);
	}
	for (unsigned i = 0; i < world->sender_count; i++)
		sender_fini(&world->senders[i]);
	for (unsigned i = 0; i < world->backend_count; i++)
		backend_close(&world->backends[i]);
	for (uint32_t i = 0; i < world->mail_count; i++)
		mail_fini(&world->mails[i]);
	free(world->mails);
	loop_close(&world->loop);
	snapshot_unref(world->snapshot);
}

/* ---- what is wrong with it ---- */

struct server *
world_server(const struct world *world, unsigned index)
{
	return world->snapshot->pools[0].pool->servers[index];
}

struct server_tally *
world_tally(struct world *world, unsigned index)
{
	return tally_server(&world->tallies[0], &world->snapshot->pools[0],
			    world_server(world, index));
}

const char *
world_fault(const struct world *world)
{
	for (unsigned i = 0; i < world->sender_count; i++)
		if (world->senders[i].complaint)
			return world->senders[i].complaint;
	for (unsigned i = 0; i < world->backend_count; i++)
		if (world->backends[i].complaint)
			return world->backends[i].complaint;
	return NULL;
}

static const char *
worker_remains(const struct worker *worker)
{
	if (worker->sessions.used)
		return "a session is left";
	if (worker->transactions.used)
		return "a transaction is left";
	if (worker->upstreams.used || !list_is_empty(&worker->live_upstreams))
		return "a connection to a server is left";
	if (worker->blocks.used)
		return "a block of content is left";
	/* the one of shutdown-timeout */
	if (worker->loop.timers.running > timer_is_running(&worker->stop_timer))
		return "a timer is left";
	return NULL;
}

const char *
world_remains(const struct world *world)
{
	const struct pool *pool = world->snapshot->pools[0].pool;

	for (unsigned i = 0; i < world->proxy.worker_count; i++) {
		const char *remains = worker_remains(&world->workers[i]);

		if (remains)
			return remains;
		if (atomic_load(&world->tallies[i].active))
			return "a client is counted still";
	}
	if (atomic_load(&pool->waiting))
		return "somebody is counted as waiting";
	for (uint32_t i = 0; i < pool->server_count; i++) {
		if (atomic_load(&pool->servers[i]->active))
			return "a place is taken still";
		if (atomic_load(&pool->servers[i]->connections))
			return "a connection is counted still";
	}
	return NULL;
}
