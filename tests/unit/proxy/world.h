/*
 * world: evenpost's proxy with one worker or two, backends behind it and senders in
 * front of it, all in one process on the loop of the first worker, over loopback.
 * Owner: the test. Thread: owner. Allocates.
 */
#ifndef EVENPOST_TESTS_WORLD_H
#define EVENPOST_TESTS_WORLD_H

#include "backend.h"
#include "config/snapshot.h"
#include "proxy/worker.h"
#include "sender.h"

#define WORLD_WORKERS_MAX 2
#define WORLD_BACKENDS_MAX 4
#define WORLD_SENDERS_MAX 6

struct world {
	struct snapshot *snapshot;
	struct proxy proxy;
	struct tally tallies[WORLD_WORKERS_MAX];
	struct worker workers[WORLD_WORKERS_MAX];
	struct endpoint addresses[WORLD_WORKERS_MAX]; /* a listener for each worker */
	struct loop loop;                             /* of backends and senders */
	struct backend backends[WORLD_BACKENDS_MAX];
	unsigned backend_count;
	struct sender senders[WORLD_SENDERS_MAX];
	unsigned sender_count;
	struct mail *mails;
	uint32_t mail_count;
	bool stopping;
};

struct world_plan {
	unsigned workers; /* 0: one */
	unsigned backends;
	uint32_t mails;
	uint32_t largest;    /* bytes of a mail */
	uint64_t seed;       /* of the mails */
	const char *servers; /* more settings of each, in YAML: "max-connections: 2" */
	const char *pool;    /* more settings of the pool: "queue: 1s" */
};

void world_open(struct world *world, const struct world_plan *plan);
/* At once; whatever is in flight is cut. */
void world_close(struct world *world);

/* A sender of the mails first, first + step … through the worker's listener, from an
 * address of its own. */
struct sender *world_send(struct world *world, unsigned worker, uint32_t first,
			  uint32_t step, struct chance chance);

/* A round of each loop. */
void world_round(struct world *world);
/*
 * Rounds until done() says so. False when the patience of a test is over: something
 * hangs.
 */
bool world_run(struct world *world, bool (*done)(const struct world *world));

bool world_is_sent(const struct world *world);
/* The mails are sent, and nothing but idle connections is left. */
bool world_is_quiet(const struct world *world);
/* Nothing happens by itself: no work is put off, nobody is nudged. */
bool world_is_calm(const struct world *world);
/* Asks the workers to stop, once. */
void world_ask_stop(struct world *world);
/* The same, and rounds until they have. False: they do not. */
bool world_stop(struct world *world);

struct server *world_server(const struct world *world, unsigned index);
/* What the first worker's listener has counted of it. */
struct server_tally *world_tally(struct world *world, unsigned index);

/* What is wrong with the world as a whole; NULL: nothing. */
const char *world_fault(const struct world *world);
/* What is left over after a stop; NULL: nothing. */
const char *world_remains(const struct world *world);

#endif
