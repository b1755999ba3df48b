/*
 * Source and hash: a key goes to the server with the highest score for it: weighted
 * rendezvous hashing (Thaler and Ravishankar, 1998; the weighted score -w / ln(u) is
 * Schindelhauer and Schomaker's, 2005). When a server leaves, its keys alone move, each
 * to the next in its own order. The score depends on names, weights and the key, so
 * that every node agrees.
 *
 * With bounded load (Mirrokni, Thorup and Zadimoghaddam, 2018): a server that has more
 * than BOUND times its share of what is in flight passes a key on to the next, so that
 * one heavy key does not drown a server. Below BOUND_FLOOR in flight nothing is passed
 * on, so that a quiet pool keeps each key in its place.
 */
#include "balance/group.h"
#include "balance/strategy.h"

#include <math.h>
#include <xxhash.h>

#define BOUND 1.25
#define BOUND_FLOOR 8

struct load {
	double active; /* transactions in flight in the group, this one included */
	double weight;
};

static struct load
measure(const struct pool_group *group, int64_t now)
{
	struct load load = {.active = 1};

	for (uint32_t i = 0; i < group->server_count; i++) {
		const struct server *server = group->servers[i];

		if (!server_is_up(server, now))
			continue;
		load.active += server->active;
		load.weight += server->weight;
	}
	return load;
}

static bool
is_within_bound(const struct server *server, const struct load *load)
{
	double bound = ceil(BOUND * load->active * server->weight / load->weight);

	return server->active < BOUND_FLOOR || server->active < bound;
}

/* The highest score among those eligible; bounded: among those that have room. */
static struct server *
find_highest(const struct pool_group *group, const struct pool_request *request,
	     const struct load *bounded)
{
	struct server *best = NULL;
	double highest = 0;

	for (uint32_t i = 0; i < group->server_count; i++) {
		struct server *server = group->servers[i];
		uint64_t hash = XXH3_64bits_withSeed(server->name, strlen(server->name),
						     request->key);
		/* Over 0 and below 1, from the upper 53 bits. The low ones are for slow
		 * start: of the keys of a cold server always the same ones stay away.
		 */
		double u = ((double)(hash >> 11) + 0.5) * 0x1p-53;
		double score = -(double)server->weight / log(u);

		if (score > highest && group_accepts(server, request, hash) &&
		    (!bounded || is_within_bound(server, bounded))) {
			highest = score;
			best = server;
		}
	}
	return best;
}

static struct server *
pick(struct pool_group *group, const struct pool_request *request)
{
	struct load load = measure(group, request->now);
	struct server *server = find_highest(group, request, &load);

	/* Those with room may be full or tried: then the bound gives way. */
	if (!server)
		server = find_highest(group, request, NULL);
	return server && server_take(server) ? server : NULL;
}

const struct strategy strategy_source = {
	.name = "source", .wants_key = true, .pick = pick};
const struct strategy strategy_hash = {.name = "hash", .wants_key = true, .pick = pick};
