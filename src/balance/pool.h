/*
 * pool: servers that can stand in for one another, and the strategy that chooses. The
 * set of servers is fixed for the life of a pool; what changes lives in the servers.
 *
 * A server is eligible for a request when it is up, has a weight, was not tried before,
 * has the capabilities that the message needs, and a free place (max_connections).
 * Preference groups come lower first; a higher one is used only when no server of the
 * lower ones is up and untried and capable: a full one is waited for.
 *
 * Owner: the configuration snapshot. Thread: pool_pick() any, without locks; building:
 * the one that builds. Allocates while it is built.
 */
#ifndef EVENPOST_BALANCE_POOL_H
#define EVENPOST_BALANCE_POOL_H

#include "balance/server.h"

#define POOL_SERVERS_MAX 1024
#define POOL_WEIGHT_MAX 1000

struct pool_request {
	int64_t now;           /* ms, monotonic */
	uint64_t key;          /* for source and hash */
	uint64_t chance;       /* random bits, for random and slow start */
	uint32_t needs;        /* enum smtp_extension; checked against what is known */
	uint64_t size;         /* bytes the message declared; 0: unknown */
	const uint32_t *tried; /* indices of servers that have failed this request */
	uint32_t tried_count;
	bool last_resort; /* set by pool_pick(): ejected servers count as up */
};

enum pool_result {
	POOL_PICKED,    /* *server is reserved: server_put() when done */
	POOL_FULL,      /* eligible but for a free place: wait */
	POOL_INCAPABLE, /* up and untried, but none can do what is needed */
	POOL_EMPTY,     /* none is left */
};

struct strategy;   /* see strategy.h */
struct pool_group; /* the servers of one preference, and their order; see group.h */

struct pool {
	char *name;
	const struct strategy *strategy;
	struct server_rules rules;
	struct server **servers; /* in the order of the configuration */
	uint32_t server_count;
	struct pool_group *groups; /* by preference, lowest first */
	uint32_t group_count;
	_Atomic uint32_t ejected; /* servers ejected now; server_health.c keeps it */
	_Atomic uint32_t
		waiting; /* transactions that wait for a free place, all workers */
};

/* "round-robin", "least-connections", "random", "source", "hash", "response-time". */
const struct strategy *strategy_find(struct span name);
const char *strategy_name(const struct strategy *strategy);
/* Whether it looks at request.key. */
bool strategy_wants_key(const struct strategy *strategy);

/* NULL when memory is out. Takes a reference to each server and makes it its own. */
struct pool *pool_new(struct span name, const struct strategy *strategy,
		      const struct server_rules *rules, struct server **servers,
		      uint32_t server_count);
/* Servers that still belong to it belong to none then. */
void pool_free(struct pool *pool);

/*
 * Changes the weight of a server of the pool while it is in use: 0 drains it. Picks in
 * the meantime see the old order, the new one, or some of both.
 * Thread: control. weight: at most POOL_WEIGHT_MAX. Never allocates.
 */
void
pool_set_weight(struct pool *pool, struct server *server, uint32_t weight, int64_t now);

/*
 * Where no server is left, those that are ejected are: traffic has failed on them, but
 * their probe has not, and a try is better than a refusal.
 */
enum pool_result pool_pick(struct pool *pool, const struct pool_request *request,
			   struct server **server);

/*
 * Whether any server of it can do what is needed: one that was tried or is down, too,
 * since that passes; but none that the administrator keeps out.
 */
bool pool_is_capable(const struct pool *pool, const struct pool_request *request);

/*
 * What every server that has said EHLO so far can do: what may be offered to clients.
 * SIZE is the smallest. False while none has.
 */
bool pool_extensions(const struct pool *pool, struct smtp_extensions *extensions);

/*
 * The share that its weight promises among the servers that are up in its group: 0
 * to 1. 0 while it is not up, and while a group of lower preference has a server that
 * is.
 */
double
pool_share_wanted(const struct pool *pool, const struct server *server, int64_t now);

/* Servers up now, and whether each has had a first probe result. */
uint32_t pool_up_count(const struct pool *pool, int64_t now);
bool pool_is_observed(const struct pool *pool);

#endif
