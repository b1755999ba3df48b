#include "proxy/worker.h"

#include "config/limits.h"
#include "proxy/journal.h"
#include "proxy/session.h"
#include "proxy/transaction.h"
#include "proxy/tunnel.h"
#include "proxy/upstream.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>

#define SPARE_BLOCKS 256 /* 4 MiB, and as much in lumps */
#define SPARE_PIPES 32

static_assert(LIMIT_READ == CHAIN_LUMP_SIZE, "a full read is a lump");

struct worker_listener {
	struct listener listener;
	struct worker *worker;
	const struct listener_snapshot *settings;
	char farewell[320]; /* for a client that there is no descriptor for */
};

uint64_t
worker_random(struct worker *worker)
{
	uint64_t x = worker->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	worker->random = x;
	return x * 0x2545f4914f6cdd1du;
}

uint64_t
worker_next_number(struct worker *worker)
{
	return worker->session_number++ * worker->proxy->worker_count + worker->index;
}

void
worker_print_id(const struct worker *worker, uint64_t number, char text[SESSION_ID_MAX])
{
	snprintf(text, SESSION_ID_MAX, "%04x-%llx", worker->proxy->tag & 0xffff,
		 (unsigned long long)number);
}

bool
worker_give_scratch(struct worker *worker, struct chain *chain)
{
	char *fresh = chain_lump_take(&worker->blocks);

	if (!fresh)
		return false;
	chain_append_lump(chain, worker->scratch);
	worker->scratch = fresh;
	return true;
}

/* ---- the dead ---- */

static void
reap(struct loop_task *task)
{
	struct worker *worker = CONTAINER_OF(task, struct worker, reap);

	LIST_EACH (&worker->dead_transactions, at) {
		list_remove(at);
		transaction_free(CONTAINER_OF(at, struct transaction, link));
	}
	LIST_EACH (&worker->dead_upstreams, at) {
		list_remove(at);
		upstream_free(CONTAINER_OF(at, struct upstream, link));
	}
	LIST_EACH (&worker->dead_sessions, at) {
		list_remove(at);
		session_free(CONTAINER_OF(at, struct session, link));
	}
	LIST_EACH (&worker->dead_tunnels, at) {
		list_remove(at);
		tunnel_free(CONTAINER_OF(at, struct tunnel, link));
	}
	LIST_EACH (&worker->dead_entrances, at) {
		list_remove(at);
		entrance_free(CONTAINER_OF(at, struct entrance, link));
	}
	worker_check_stopped(worker);
}

void
worker_reap_later(struct worker *worker)
{
	loop_defer(&worker->loop, &worker->reap);
}

/* ---- stopping ---- */

void
worker_check_stopped(struct worker *worker)
{
	if (worker->stopping && list_is_empty(&worker->live_sessions) &&
	    list_is_empty(&worker->live_tunnels) &&
	    list_is_empty(&worker->live_upstreams))
		loop_stop(&worker->loop);
}

static void
close_listeners(struct worker *worker)
{
	for (uint32_t i = 0; i < worker->listener_count; i++)
		listener_close(&worker->listeners[i].listener);
}

/* shutdown-timeout is over: what is in flight is cut; its clients keep their messages.
 */
static void
on_stop_timeout(struct timer *timer)
{
	struct worker *worker = CONTAINER_OF(timer, struct worker, stop_timer);

	log_message(LOG_WARNING, "stop", "shutdown-timeout is over, sessions are cut");
	loop_stop(&worker->loop);
}

/*
 * No new clients; those without a message in flight hear 421 at once, the others when
 * the final reply has been given. The loop ends with the last of them. A second call
 * ends it now.
 */
static void
worker_stop(struct letter *letter)
{
	struct worker *worker = CONTAINER_OF(letter, struct worker, stop_letter);

	atomic_store(&worker->stop_told, false);
	if (worker->stopping || atomic_load(&worker->stop_asked) > 1)
		loop_stop(&worker->loop);
	if (worker->stopping)
		return;
	worker->stopping = true;
	for (uint32_t i = 0; i < worker->listener_count; i++)
		listener_turn_away(&worker->listeners[i].listener);
	close_listeners(worker);
	reuse_close_all(&worker->reuse);
	loop_timer_start(&worker->loop, &worker->stop_timer,
			 worker->proxy->snapshot->shutdown_timeout);
	LIST_EACH (&worker->live_entrances, at)
		entrance_close(CONTAINER_OF(at, struct entrance, link));
	LIST_EACH (&worker->live_sessions, at) {
		session_stop(CONTAINER_OF(at, struct session, link));
	}
	LIST_EACH (&worker->live_tunnels, at)
		tunnel_stop(CONTAINER_OF(at, struct tunnel, link));
	worker_check_stopped(worker);
}

void
worker_ask_stop(struct worker *worker)
{
	atomic_fetch_add(&worker->stop_asked, 1);
	if (!atomic_exchange(&worker->stop_told, true))
		mailbox_post(&worker->mailbox, &worker->stop_letter);
}

/* ---- nudging ---- */

static void
on_nudge(struct letter *letter)
{
	struct worker *worker = CONTAINER_OF(letter, struct worker, nudge_letter);

	atomic_store(&worker->nudged, false);
	reuse_nudged(&worker->reuse, atomic_exchange(&worker->offered, false));
}

void
worker_nudge(struct worker *worker)
{
	if (!atomic_exchange(&worker->nudged, true))
		mailbox_post(&worker->mailbox, &worker->nudge_letter);
}

void
worker_offer(struct worker *worker)
{
	atomic_store(&worker->offered, true);
	worker_nudge(worker);
}

/* ---- TLS ---- */

const struct tls_server *
worker_tls_server(const struct worker *worker, const struct listener_snapshot *listener)
{
	return worker->tls.servers ? worker->tls.servers[listener->index] : NULL;
}

const struct tls_client *
worker_tls_client(const struct worker *worker, const struct pool_snapshot *pool)
{
	return worker->tls.clients ? worker->tls.clients[pool->index] : NULL;
}

struct smarthost *
worker_smarthost(const struct worker *worker, const struct pool_snapshot *pool)
{
	assert(worker->tls.smarthosts && worker->tls.smarthosts[pool->index]);
	return worker->tls.smarthosts[pool->index];
}

struct tls_session *
worker_tls_session(struct worker *worker, const struct server *server,
		   const struct pool_snapshot *pool)
{
	return tls_contexts_session(&worker->tls, pool, server);
}

/* The set was loaded and checked already: what fails here is memory. */
static void
on_tls(struct letter *letter)
{
	struct worker *worker = CONTAINER_OF(letter, struct worker, tls_letter);
	struct tls_fault fault;
	struct tls_set *set;

	atomic_store(&worker->tls_told, false);
	set = atomic_exchange(&worker->tls_wanted, NULL);
	if (set && tls_contexts_take(&worker->tls, set, &fault) != STATUS_OK)
		log_message(LOG_ERROR, "tls", "%s", fault.text);
	tls_set_unref(set);
}

void
worker_take_tls(struct worker *worker, struct tls_set *set)
{
	tls_set_unref(atomic_exchange(&worker->tls_wanted, tls_set_ref(set)));
	if (!atomic_exchange(&worker->tls_told, true))
		mailbox_post(&worker->mailbox, &worker->tls_letter);
}

/* ---- life ---- */

static uint64_t
seed(uint32_t index)
{
	uint64_t value = 0;

	if (getrandom(&value, sizeof(value), GRND_NONBLOCK) != sizeof(value))
		value = (uint64_t)loop_microseconds();
	return (value ^ index) | 1;
}

/*
 * The kernel gives the lowest descriptor that is free, so its number tells how many
 * are in use. An eighth is kept back: clients that do nothing but sit there must not
 * keep those that send from their servers.
 */
static int
client_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur > INT_MAX)
		return INT_MAX;
	return (int)(limit.rlim_cur - limit.rlim_cur / 8);
}

enum status
worker_init(struct worker *worker, struct proxy *proxy, uint32_t index)
{
	struct tls_fault fault = {"out of memory"};
	uint32_t listeners = 0;
	enum status status;

	*worker = (struct worker){
		.proxy = proxy,
		.index = index,
		.client_descriptors = client_descriptors(),
		.random = seed(index),
	};
	for (uint32_t i = 0; i < proxy->snapshot->listener_count; i++)
		listeners += proxy->snapshot->listeners[i].bind_count;
	chain_pool_init(&worker->blocks, SPARE_BLOCKS);
	pipe_pool_init(&worker->pipes, SPARE_PIPES);
	worker->scratch = chain_lump_take(&worker->blocks);
	worker->listeners = calloc(listeners, sizeof(*worker->listeners));
	if (!worker->scratch || (listeners && !worker->listeners))
		return STATUS_NO_MEMORY;
	slab_init(&worker->sessions, sizeof(struct session));
	slab_init(&worker->tunnels, sizeof(struct tunnel));
	slab_init(&worker->transactions, sizeof(struct transaction));
	slab_init(&worker->upstreams, sizeof(struct upstream));
	list_init(&worker->live_sessions);
	list_init(&worker->live_tunnels);
	list_init(&worker->live_entrances);
	list_init(&worker->live_upstreams);
	list_init(&worker->dead_sessions);
	list_init(&worker->dead_tunnels);
	list_init(&worker->dead_entrances);
	list_init(&worker->dead_transactions);
	list_init(&worker->dead_upstreams);
	worker->reap.run = reap;
	worker->stop_letter.open = worker_stop;
	worker->nudge_letter.open = on_nudge;
	worker->tls_letter.open = on_tls;
	timer_init(&worker->stop_timer, on_stop_timeout);
	reuse_init(&worker->reuse, worker);
	name_cache_init(&worker->name_cache, proxy->names, &worker->mailbox,
			&worker->loop);
	status = tls_contexts_init(&worker->tls, proxy->snapshot, proxy->tls, &fault);
	if (status != STATUS_OK) {
		log_message(LOG_ERROR, "tls", "%s", fault.text);
		return status;
	}
	status = loop_open(&worker->loop);
	return status == STATUS_OK ? mailbox_open(&worker->mailbox, &worker->loop)
				   : status;
}

static void
accepted(struct listener *listener, int fd, const struct endpoint *peer)
{
	struct worker_listener *own =
		CONTAINER_OF(listener, struct worker_listener, listener);

	entrance_open(own->worker, own->settings, fd, peer);
}

enum status
worker_listen(struct worker *worker, const struct listener_snapshot *settings, int fd,
	      struct endpoint *address)
{
	struct worker_listener *own = &worker->listeners[worker->listener_count++];
	int length = snprintf(own->farewell, sizeof(own->farewell),
			      "421 4.3.2 %.*s Too busy, try again later\r\n",
			      SPAN_ARGS(settings->smtp.hostname));
	enum status status;

	own->worker = worker;
	own->settings = settings;
	status = listener_open(&own->listener, &worker->loop, fd,
			       span_of(own->farewell, (size_t)length), accepted);
	*address = own->listener.address;
	return status;
}

void
worker_run(struct worker *worker)
{
	loop_run(&worker->loop);
}

void
worker_fini(struct worker *worker)
{
	close_listeners(worker);
	LIST_EACH (&worker->live_entrances, at)
		entrance_close(CONTAINER_OF(at, struct entrance, link));
	LIST_EACH (&worker->live_sessions, at) {
		session_kill(CONTAINER_OF(at, struct session, link));
	}
	LIST_EACH (&worker->live_tunnels, at)
		tunnel_kill(CONTAINER_OF(at, struct tunnel, link));
	/* those too that were sent an end of data: nobody will hear the answer */
	LIST_EACH (&worker->live_upstreams, at) {
		upstream_cut(CONTAINER_OF(at, struct upstream, live));
	}
	reap(&worker->reap);
	mailbox_close(&worker->mailbox);
	name_cache_fini(&worker->name_cache);
	tls_set_unref(atomic_exchange(&worker->tls_wanted, NULL));
	tls_contexts_fini(&worker->tls);
	loop_close(&worker->loop);
	slab_fini(&worker->sessions);
	slab_fini(&worker->tunnels);
	slab_fini(&worker->transactions);
	slab_fini(&worker->upstreams);
	if (worker->scratch)
		chain_lump_put(&worker->blocks, worker->scratch);
	chain_pool_fini(&worker->blocks);
	pipe_pool_fini(&worker->pipes);
	free(worker->listeners);
}
