/*
 * Random: the better of two weighted random choices (Mitzenmacher, "The power of two
 * choices in randomized load balancing", 2001). Needs no shared word, and does not send
 * every thread to the same idle server. A random place of the smooth order is a
 * weighted random server.
 */
#include "balance/group.h"
#include "balance/strategy.h"

/* Tries to find an eligible server by chance; the pool looks at each after that. */
#define DRAWS_MAX 32

static struct server *
draw(const struct pool_group *group, const struct pool_request *request,
     uint64_t *chance)
{
	for (int i = 0; i < DRAWS_MAX; i++) {
		uint64_t place = chance_next(chance) >> 32;
		struct server *server = group->servers[group_turn(group, place)];

		if (group_accepts(server, request, chance_next(chance)))
			return server;
	}
	return NULL;
}

static struct server *
pick(struct pool_group *group, const struct pool_request *request)
{
	uint64_t chance = request->chance;
	struct server *first = draw(group, request, &chance);
	struct server *second = draw(group, request, &chance);

	if (first && second &&
	    (uint64_t)second->active * first->weight <
		    (uint64_t)first->active * second->weight)
		first = second;
	return first && server_take(first) ? first : NULL;
}

const struct strategy strategy_random = {.name = "random", .pick = pick};
