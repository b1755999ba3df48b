/*
 * Round-robin: one ticket for all threads over the smooth weighted order of the group.
 * While every server is eligible a pick costs one fetch_add, and after any number of
 * picks each server has had its share, to the turn. A server that is not eligible loses
 * its turn: the next ticket is drawn, so that the others keep their proportions.
 */
#include "balance/group.h"
#include "balance/strategy.h"

/*
 * Turns of ineligible servers that a pick steps over at most. Only a server that has
 * less than one turn in so many of the order may be passed over by it; the pool finds
 * that one.
 */
#define DRAWS_MAX 4096

/* So that a full group costs no turns: who waits must not skew the order. */
static bool
has_eligible(const struct pool_group *group, const struct pool_request *request)
{
	for (uint32_t i = 0; i < group->server_count; i++)
		if (group_judge(group->servers[i], request) == GROUP_ELIGIBLE)
			return true;
	return false;
}

static struct server *
draw(struct pool_group *group, const struct pool_request *request, uint64_t *chance)
{
	struct server *server = group->servers[group_next(group)];

	if (group_accepts(server, request, chance_next(chance)) && server_take(server))
		return server;
	return NULL;
}

static struct server *
pick(struct pool_group *group, const struct pool_request *request)
{
	uint64_t chance = request->chance;
	uint32_t draws = 2 * atomic_load_explicit(&group->length, memory_order_relaxed);
	struct server *server = draw(group, request, &chance);

	if (server || !has_eligible(group, request))
		return server;
	for (uint32_t i = 1; !server && i < draws && i < DRAWS_MAX; i++)
		server = draw(group, request, &chance);
	return server;
}

const struct strategy strategy_round_robin = {.name = "round-robin", .pick = pick};
