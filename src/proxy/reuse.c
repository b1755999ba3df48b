#include "proxy/reuse.h"

#include "proxy/upstream.h"
#include "proxy/worker.h"

enum {
	/*
	 * A warm connection for which clients of its own worker wait carries as many
	 * before another worker has its place: a new one costs commands and time.
	 */
	TURN_MESSAGES = 8,
	/*
	 * Milliseconds for which more connections than max-idle are kept: where many
	 * clients send at once they are not idle, but between two messages, and each
	 * would be made anew for the next one.
	 */
	SURPLUS_IDLE = 1000,
};

bool
server_connection_take(struct server *server)
{
	uint32_t max =
		atomic_load_explicit(&server->max_connections, memory_order_relaxed);
	uint32_t open = atomic_load(&server->connections);

	do {
		if (max && open >= max)
			return false;
	} while (!atomic_compare_exchange_weak(&server->connections, &open, open + 1));
	return true;
}

void
server_connection_put(struct server *server)
{
	atomic_fetch_sub(&server->connections, 1);
}

static bool
is_at_cap(const struct server *server)
{
	uint32_t max =
		atomic_load_explicit(&server->max_connections, memory_order_relaxed);

	return max && atomic_load(&server->connections) >= max;
}

static void
tell_others(const struct reuse *reuse, void (*tell)(struct worker *worker))
{
	struct proxy *proxy = reuse->worker->proxy;

	for (uint32_t i = 0; i < proxy->worker_count; i++) {
		if (&proxy->workers[i] != reuse->worker)
			tell(&proxy->workers[i]);
	}
}

static void
nudge_others(const struct reuse *reuse)
{
	tell_others(reuse, worker_nudge);
}

/* Without those that have a try just now. */
static uint32_t
count_waiting(const struct reuse *reuse, const struct pool *pool)
{
	uint32_t count = 0;

	LIST_EACH (&reuse->waiting, at)
		count += CONTAINER_OF(at, struct waiter, link)->pool == pool;
	return count;
}

/*
 * Whether a connection that ends here makes room for another worker's line. Each who
 * waits for the pool has the same chance: a worker that always had its own first could
 * keep the others waiting for ever.
 */
static bool
is_others_turn(const struct reuse *reuse, const struct pool *pool)
{
	uint32_t all = atomic_load(&pool->waiting);
	uint32_t own = count_waiting(reuse, pool);

	return reuse->worker->proxy->worker_count > 1 && all > own &&
	       worker_random(reuse->worker) % all >= own;
}

/* Gives up idle connections to full servers of the pool, as many as are waited for. */
static void
give_up_idle_of(struct reuse *reuse, const struct pool *pool)
{
	uint32_t waiting = atomic_load(&pool->waiting);

	LIST_EACH (&reuse->idle, at) {
		struct upstream *upstream = CONTAINER_OF(at, struct upstream, link);

		if (waiting == 0)
			break;
		if (upstream->pool->pool != pool || !is_at_cap(upstream->server))
			continue;
		upstream_quit(upstream);
		waiting--;
	}
}

static void
give_up_idle(struct reuse *reuse)
{
	const struct snapshot *snapshot = reuse->worker->proxy->snapshot;

	for (uint32_t i = 0; i < snapshot->pool_count; i++)
		give_up_idle_of(reuse, snapshot->pools[i].pool);
}

/*
 * Lets the waiting have another try, each once, the earliest first; who finds nothing
 * stays in line, and counted. False: there was nothing for any of them.
 */
static bool
serve_waiting(struct reuse *reuse)
{
	struct list round;
	bool served = false;

	list_init(&round);
	while (!list_is_empty(&reuse->waiting)) {
		struct list *first = list_first(&reuse->waiting);

		list_remove(first);
		list_append(&round, first);
	}
	while (!list_is_empty(&round)) {
		struct list *first = list_first(&round);
		struct waiter *waiter = CONTAINER_OF(first, struct waiter, link);

		list_remove(first);
		if (waiter->place_freed(waiter))
			served = true;
		else
			list_append(&reuse->waiting, first);
	}
	/* what none of ours can use may serve another's */
	give_up_idle(reuse);
	return served;
}

/* A place was freed here: if it is none for us, it may be one for others. */
static void
retry_waiting(struct loop_task *task)
{
	struct reuse *reuse = CONTAINER_OF(task, struct reuse, retry);

	if (!list_is_empty(&reuse->waiting) && !serve_waiting(reuse))
		nudge_others(reuse);
}

void
reuse_init(struct reuse *reuse, struct worker *worker)
{
	reuse->worker = worker;
	list_init(&reuse->idle);
	list_init(&reuse->waiting);
	reuse->idle_count = 0;
	reuse->retry = (struct loop_task){.run = retry_waiting};
}

/* ---- idle connections ---- */

struct upstream *
reuse_take(struct reuse *reuse, const struct server *server,
	   const struct session *session)
{
	LIST_EACH (&reuse->idle, at) {
		struct upstream *upstream = CONTAINER_OF(at, struct upstream, link);

		if (upstream->server != server || upstream->session != session)
			continue;
		if (stream_is_hung_up(&upstream->stream)) {
			upstream_close(upstream);
			continue;
		}
		reuse_forget(reuse, upstream);
		return upstream;
	}
	return NULL;
}

void
reuse_forget(struct reuse *reuse, struct upstream *upstream)
{
	if (upstream->bound) {
		server_put_held(upstream->server);
		return;
	}
	if (!list_is_linked(&upstream->link))
		return;
	list_remove(&upstream->link);
	reuse->idle_count--;
}

static bool
has_idle(const struct reuse *reuse, const struct server *server, uint32_t count)
{
	LIST_EACH (&reuse->idle, at) {
		if (count == 0)
			break;
		if (CONTAINER_OF(at, struct upstream, link)->server == server)
			count--;
	}
	return count == 0;
}

/* This worker's part of max-idle; at least one. */
static uint32_t
idle_allowance(const struct reuse *reuse, const struct pool_snapshot *pool)
{
	uint32_t workers = reuse->worker->proxy->worker_count;
	uint32_t part = pool->reuse.max_idle / workers;

	return pool->reuse.max_idle && part == 0 ? 1 : part;
}

/* Milliseconds for which it may be idle. */
static int64_t
idle_time(const struct reuse *reuse, const struct upstream *upstream)
{
	const struct pool_snapshot *pool = upstream->pool;
	bool surplus = has_idle(reuse, upstream->server, idle_allowance(reuse, pool));

	return surplus && pool->reuse.idle > SURPLUS_IDLE ? SURPLUS_IDLE
							  : pool->reuse.idle;
}

/* Whether it goes, so that another worker can have its place. */
static bool
is_given_away(const struct reuse *reuse, struct upstream *upstream)
{
	bool wanted_here = !list_is_empty(&reuse->waiting);

	upstream->given_away = (upstream->messages >= TURN_MESSAGES || !wanted_here) &&
			       is_at_cap(upstream->server) &&
			       is_others_turn(reuse, upstream->pool->pool);
	return upstream->given_away;
}

/* It told the server about a client who has gone, or who is another by now. */
static bool
is_nobodys_use(const struct upstream *upstream)
{
	return upstream->personal && !upstream->session;
}

/* Its client alone may use it, and has no other: it is nobody's to take or to end. */
static void
keep_bound(struct reuse *reuse, struct upstream *upstream)
{
	server_hold(upstream->server);
	upstream->state = UPSTREAM_IDLE;
	upstream_await_nothing(upstream);
	reuse_place_freed(reuse, upstream->pool->pool);
}

void
reuse_put(struct reuse *reuse, struct upstream *upstream)
{
	const struct pool_snapshot *pool = upstream->pool;

	if (upstream->bound && upstream->session) {
		keep_bound(reuse, upstream);
		return;
	}
	if (reuse->worker->stopping || is_nobodys_use(upstream) ||
	    (pool->reuse.max_messages &&
	     upstream->messages >= pool->reuse.max_messages) ||
	    pool->reuse.max_idle == 0 || is_given_away(reuse, upstream)) {
		upstream_quit(upstream);
		return;
	}
	upstream->state = UPSTREAM_IDLE;
	upstream->reused = true;
	upstream_await(upstream, idle_time(reuse, upstream));
	list_prepend(&reuse->idle, &upstream->link);
	reuse->idle_count++;
	reuse_place_freed(reuse, pool->pool);
}

void
reuse_close_all(struct reuse *reuse)
{
	while (!list_is_empty(&reuse->idle))
		upstream_quit(
			CONTAINER_OF(list_first(&reuse->idle), struct upstream, link));
}

/* ---- waiting for a place ---- */

void
reuse_wait(struct reuse *reuse, struct waiter *waiter, struct pool *pool)
{
	waiter->pool = pool;
	list_append(&reuse->waiting, &waiter->link);
	atomic_fetch_add(&pool->waiting, 1);
	/* before places are looked at again, as in reuse_place_freed() */
	atomic_thread_fence(memory_order_seq_cst);
	/* Idle connections to a server that we could use may be another client's, or
	   another worker's. Once only: workers that all wait would wake each other for
	   ever. */
	give_up_idle_of(reuse, pool);
	nudge_others(reuse);
}

void
reuse_stop_waiting(struct waiter *waiter)
{
	if (!waiter->pool)
		return;
	atomic_fetch_sub(&waiter->pool->waiting, 1);
	waiter->pool = NULL;
	list_remove(&waiter->link);
}

void
reuse_place_freed(struct reuse *reuse, struct pool *pool)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&pool->waiting) == 0)
		return;
	if (!list_is_empty(&reuse->waiting))
		loop_defer(&reuse->worker->loop, &reuse->retry);
	else
		nudge_others(reuse);
}

void
reuse_connection_ended(struct reuse *reuse, struct pool *pool, bool given_away)
{
	if (!given_away && !is_others_turn(reuse, pool))
		reuse_place_freed(reuse, pool);
	else if (atomic_load(&pool->waiting) > 0)
		tell_others(reuse, worker_offer);
}

void
reuse_nudged(struct reuse *reuse, bool offered)
{
	serve_waiting(reuse);
	/* it may have been of no use to us, and who offered it waits as well */
	if (offered)
		nudge_others(reuse);
}
