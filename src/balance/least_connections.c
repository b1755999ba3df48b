/*
 * Least connections: the fewest transactions in flight for its weight. Among equals the
 * turns of the smooth order decide, so that a pool that is mostly idle still has exact
 * weighted shares.
 */
#include "balance/group.h"
#include "balance/strategy.h"

/* Whether a is busier for its weight than b. Both have one. */
static bool
is_busier(const struct server *a, const struct server *b)
{
	uint64_t a_load = (uint64_t)a->active * b->weight;
	uint64_t b_load = (uint64_t)b->active * a->weight;

	return a_load > b_load;
}

static struct server *
find_least(const struct pool_group *group, const struct pool_request *request,
	   uint32_t first, uint64_t *chance)
{
	struct server *best = NULL;

	for (uint32_t i = 0; i < group->server_count; i++) {
		uint32_t at = (first + i) % group->server_count;
		struct server *server = group->servers[at];

		if (group_accepts(server, request, chance_next(chance)) &&
		    (!best || is_busier(best, server)))
			best = server;
	}
	return best;
}

static struct server *
pick(struct pool_group *group, const struct pool_request *request)
{
	uint64_t chance = request->chance;
	uint32_t first = group_next(group);
	struct server *server = find_least(group, request, first, &chance);

	/* Another thread took its last place: there may be one elsewhere. */
	while (server && !server_take(server))
		server = find_least(group, request, first, &chance);
	return server;
}

const struct strategy strategy_least_connections = {.name = "least-connections",
						    .pick = pick};
