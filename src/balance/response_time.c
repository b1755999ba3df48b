/*
 * Response time: chances in proportion to weight / (average time of a reply to the end
 * of data × transactions in flight, this one included). A slow server gets less and
 * never nothing, so that its average goes on being measured and it can come back;
 * taking the best each time would forget a server after one slow reply. A server
 * without an average has the mean of the others.
 */
#include "balance/group.h"
#include "balance/strategy.h"

static double
mean_time(const struct pool_group *group, const struct pool_request *request)
{
	double sum = 0;
	uint32_t known = 0;

	for (uint32_t i = 0; i < group->server_count; i++) {
		uint64_t time = group->servers[i]->reply_ewma;

		if (time && server_is_up(group->servers[i], request->now)) {
			sum += (double)time;
			known++;
		}
	}
	return known ? sum / known : 1;
}

static double
attraction(const struct server *server, double mean)
{
	uint64_t known = server->reply_ewma;
	double time = known ? (double)known : mean;

	return server->weight / (time * ((double)server->active + 1));
}

/*
 * One pass with a reservoir of one: each server that accepts replaces the one before
 * with the probability of its part in the sum so far, which leaves each with its part
 * of all.
 */
static struct server *
pick(struct pool_group *group, const struct pool_request *request)
{
	uint64_t chance = request->chance;
	double mean = mean_time(group, request);
	struct server *chosen = NULL;
	double sum = 0;

	for (uint32_t i = 0; i < group->server_count; i++) {
		struct server *server = group->servers[i];
		double own, dice;

		if (!group_accepts(server, request, chance_next(&chance)))
			continue;
		own = attraction(server, mean);
		sum += own;
		dice = (double)(chance_next(&chance) >> 11) * 0x1p-53;
		if (dice * sum < own)
			chosen = server;
	}
	return chosen && server_take(chosen) ? chosen : NULL;
}

const struct strategy strategy_response_time = {.name = "response-time", .pick = pick};
