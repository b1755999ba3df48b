/*
 * worker: what one worker thread owns of the proxy: its loop, its sessions, its warm
 * connections to servers, its memory. Workers share nothing but the atomics of servers,
 * pools and tallies, and talk through mailboxes.
 * Owner: the app. Thread: owner, apart from worker_ask_stop() and worker_nudge().
 */
#ifndef EVENPOST_PROXY_WORKER_H
#define EVENPOST_PROXY_WORKER_H

#include "base/chain.h"
#include "base/slab.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/mailbox.h"
#include "net/pipe.h"
#include "proxy/name_cache.h"
#include "proxy/reuse.h"
#include "proxy/tally.h"
#include "proxy/tls_contexts.h"

struct worker_listener;

/* What all workers share; frozen but for the atomics behind the pointers. */
struct proxy {
	struct snapshot *snapshot;
	struct tally *tallies; /* by listener index */
	struct worker *workers;
	uint32_t worker_count;
	struct names *names; /* of clients; on the control thread */
	struct tls_set *tls; /* for a worker's beginning; NULL: no TLS */
	uint32_t tag; /* tells the ids of one run of the program from another's */
};

struct worker {
	struct proxy *proxy;
	uint32_t index;
	int client_descriptors; /* those from this one on are for servers and files */
	struct loop loop;
	struct mailbox mailbox;
	struct letter stop_letter;
	atomic_bool stop_told; /* the letter is on its way: it can be there but once */
	atomic_uint stop_asked;
	struct letter nudge_letter;
	atomic_bool nudged;
	atomic_bool offered; /* what it was nudged for was left to it */
	struct worker_listener *listeners;
	uint32_t listener_count;
	struct slab sessions;
	struct slab tunnels;
	struct slab transactions;
	struct slab upstreams;
	struct chain_pool blocks;
	struct pipe_pool pipes;
	struct list live_sessions;
	struct list live_tunnels;
	struct list live_entrances;
	struct list live_upstreams;
	struct list dead_sessions; /* freed at the end of the round */
	struct list dead_tunnels;
	struct list dead_entrances;
	struct list dead_transactions;
	struct list dead_upstreams;
	struct loop_task reap;
	struct reuse reuse;
	struct name_cache name_cache;
	struct tls_contexts tls;
	_Atomic(struct tls_set *) tls_wanted; /* a reference, not taken over yet */
	struct letter tls_letter;
	atomic_bool tls_told;
	char *scratch; /* a lump of blocks: LIMIT_READ bytes */
	uint64_t random;
	uint64_t session_number;
	bool stopping;
	struct timer stop_timer;
};

/* Opens loop and mailbox. STATUS_NO_MEMORY, STATUS_SYSTEM. */
MUST_CHECK enum status
worker_init(struct worker *worker, struct proxy *proxy, uint32_t index);
/*
 * Accepts on fd for a listener of the snapshot; the fd is the worker's from now on.
 * *address: with the real port.
 */
MUST_CHECK enum status
worker_listen(struct worker *worker, const struct listener_snapshot *settings, int fd,
	      struct endpoint *address);
/* Until worker_ask_stop() and the last session's end. */
void worker_run(struct worker *worker);
void worker_fini(struct worker *worker);

/* Thread: any. Graceful: see worker_stop() in worker.c. */
void worker_ask_stop(struct worker *worker);

/* NULL: the listener, or the pool, has no TLS. */
const struct tls_server *worker_tls_server(const struct worker *worker,
					   const struct listener_snapshot *listener);
const struct tls_client *
worker_tls_client(const struct worker *worker, const struct pool_snapshot *pool);
/* Who we are at the servers of a pool that has a login. */
struct smarthost *
worker_smarthost(const struct worker *worker, const struct pool_snapshot *pool);
/* Where the last session with the server is kept, to be resumed. */
struct tls_session *
worker_tls_session(struct worker *worker, const struct server *server,
		   const struct pool_snapshot *pool);
/* Thread: any. Sessions that begin from now on go by this set. Takes a reference. */
void worker_take_tls(struct worker *worker, struct tls_set *set);

/* Thread: any. There may be a free place for a transaction that waits. */
void worker_nudge(struct worker *worker);
/* The same, of a place that who frees it leaves to the others. */
void worker_offer(struct worker *worker);

/* Of a session or tunnel: what none of this run of the program has had. */
uint64_t worker_next_number(struct worker *worker);
/* "6f1c-2": unique among those of one run, hardly ever the same in two. */
#define SESSION_ID_MAX 32
void worker_print_id(const struct worker *worker, uint64_t number,
		     char text[SESSION_ID_MAX]);

/* xorshift64*: cheap and good enough to choose servers. */
uint64_t worker_random(struct worker *worker);

/*
 * The scratch is full of content: the chain takes it over, and the worker a fresh one.
 * Who still reads from the old one finds it as it was, while the chain holds it. False:
 * no memory, nothing has changed.
 */
bool worker_give_scratch(struct worker *worker, struct chain *chain);

/* The dead lists are emptied at the end of this round. */
void worker_reap_later(struct worker *worker);
/* A session, tunnel or upstream is gone: was it the last one of a worker that stops? */
void worker_check_stopped(struct worker *worker);

#endif
