/*
 * reuse: the warm connections of one worker, by server, and those that wait for a free
 * place at a pool. A connection that told its server who the client is serves that
 * client's session alone (upstream->session); the others serve anyone. One that is
 * bound to its client's login is in no list while it is idle: its session finds it.
 *
 * A place is free when server_take() and server_connection_take() both succeed. Whoever
 * frees one while anybody waits nudges: its own waiters, or the other workers', as
 * chance will have it. A worker that is nudged also gives up idle connections to
 * servers that others wait for.
 *
 * Owner: the worker. Thread: owner.
 */
#ifndef EVENPOST_PROXY_REUSE_H
#define EVENPOST_PROXY_REUSE_H

#include "balance/pool.h"
#include "base/list.h"
#include "net/loop.h"

struct session;
struct upstream;
struct worker;

/* Who waits for a free place; embedded in what needs it. */
struct waiter {
	struct list link;
	struct pool *pool; /* waited for; NULL: it does not wait */
	/* A place may be free. False: not for this one, it waits on. */
	bool (*place_freed)(struct waiter *waiter);
};

struct reuse {
	struct worker *worker;
	struct list idle;    /* struct upstream, the latest used first */
	struct list waiting; /* struct waiter, the earliest first */
	uint32_t idle_count;
	struct loop_task retry;
};

void reuse_init(struct reuse *reuse, struct worker *worker);

/*
 * A warm connection to the server, the latest used, or NULL. session: whose it has to
 * be; NULL: one that is nobody's.
 */
struct upstream *reuse_take(struct reuse *reuse, const struct server *server,
			    const struct session *session);
/* A connection that is ready for another transaction. It is kept, or told to quit. */
void reuse_put(struct reuse *reuse, struct upstream *upstream);
/* It is idle no more: it is going away. A place that was held for its client is given
 * up.
 */
void reuse_forget(struct reuse *reuse, struct upstream *upstream);

/*
 * Waits for a free place at the pool; waiter->place_freed() is called. One may have
 * been freed in the meantime: look once more behind this.
 */
void reuse_wait(struct reuse *reuse, struct waiter *waiter, struct pool *pool);
/* Does nothing to one that does not wait. */
void reuse_stop_waiting(struct waiter *waiter);

/* A place at the pool may be free now. */
void reuse_place_freed(struct reuse *reuse, struct pool *pool);
/* A connection to a server of the pool has ended. given_away: for others' sake. */
void reuse_connection_ended(struct reuse *reuse, struct pool *pool, bool given_away);
/* Runs on the worker's thread after worker_nudge(), or worker_offer(). */
void reuse_nudged(struct reuse *reuse, bool offered);

/* Tells every idle connection to quit. */
void reuse_close_all(struct reuse *reuse);

/* Counts a connection to the server, below its max_connections. */
bool server_connection_take(struct server *server);
void server_connection_put(struct server *server);

#endif
