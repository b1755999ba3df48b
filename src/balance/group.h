/*
 * group: the servers of a pool that share a preference, and the smooth weighted order
 * in which their turns come (nginx's smooth weighted round-robin: a server of weight 5
 * among 10 has five of ten turns, as far apart as they can be).
 *
 * The order is computed over weights divided by their greatest common divisor. It never
 * has more than GROUP_TURNS_MAX turns: greater weights are scaled down, and shares are
 * then exact to one part in 65,536 or, for the lightest, to one turn.
 *
 * Its room is taken once, for the longest order the group can ever need. A change of
 * weights rewrites it in place: each turn is an atomic that always names a server of
 * the group, so that a reader in the meantime sees turns of the old and the new order
 * mixed, and nothing worse; nothing has to be retired or reclaimed.
 *
 * Owner: its pool. Thread: any, but for group_init(), group_fini() and group_order(),
 * which are the builder's, later the control thread's. Allocates in group_init() alone.
 */
#ifndef EVENPOST_BALANCE_GROUP_H
#define EVENPOST_BALANCE_GROUP_H

#include "balance/pool.h"

#include <stdalign.h>

#define GROUP_TURNS_MAX 65536

struct pool_group {
	uint32_t preference;
	uint32_t server_count;
	struct server **servers;
	_Atomic uint16_t *turns;    /* indices of servers */
	_Atomic uint32_t length;    /* turns in the order; 0: all weights are 0 */
	struct group_share *shares; /* scratch of group_order() */
	alignas(64) _Atomic uint64_t
		ticket; /* all workers' hottest word: a line of its own */
};

/* Servers whose preference is this one, in their order. False when memory is out. */
bool group_init(struct pool_group *group, uint32_t preference, struct server **servers,
		uint32_t server_count);
void group_fini(struct pool_group *group);

/* Computes the order from the servers' weights as they are now. */
void group_order(struct pool_group *group);

/* The index of the server at a place of the order; any number names one. */
static inline uint32_t
group_turn(const struct pool_group *group, uint64_t place)
{
	uint32_t length = atomic_load_explicit(&group->length, memory_order_acquire);

	if (length == 0)
		return 0;
	return atomic_load_explicit(&group->turns[place % length],
				    memory_order_relaxed);
}

/* The index of the server whose turn it is, over all threads: each turn comes once. */
static inline uint32_t
group_next(struct pool_group *group)
{
	return group_turn(group, atomic_fetch_add_explicit(&group->ticket, 1,
							   memory_order_relaxed));
}

/* It can do what is needed, as far as is known: whether it may is another question. */
bool group_is_capable(const struct server *server, const struct pool_request *request);

/* Why a server may not have a request; the first that applies. */
enum group_verdict {
	GROUP_ELIGIBLE,
	GROUP_FULL,
	GROUP_INCAPABLE,
	GROUP_UNUSABLE, /* not up, or tried before */
};

enum group_verdict
group_judge(const struct server *server, const struct pool_request *request);

/*
 * Eligible, and in slow start at its turn: a cold server passes turns on. chance:
 * random bits of this turn, of which the lowest eight are used.
 */
bool group_accepts(const struct server *server, const struct pool_request *request,
		   uint64_t chance);

/* The next random number from a state that begins as request->chance (SplitMix64). */
static inline uint64_t
chance_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

#endif
