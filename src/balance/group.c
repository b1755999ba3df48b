#include "balance/group.h"

#include <assert.h>
#include <stdlib.h>

static_assert(POOL_SERVERS_MAX <= UINT16_MAX, "a turn names any server");
static_assert(POOL_SERVERS_MAX < GROUP_TURNS_MAX, "each server can have a turn");

/* One server while the order is computed. */
struct group_share {
	uint32_t weight; /* turns in the order */
	int64_t credit;  /* turns it is owed, times the length */
};

static uint32_t
turns_needed(uint32_t server_count)
{
	uint64_t most = (uint64_t)server_count * POOL_WEIGHT_MAX;

	return most < GROUP_TURNS_MAX ? (uint32_t)most : GROUP_TURNS_MAX;
}

static uint32_t
count_preferred(uint32_t preference, struct server **servers, uint32_t server_count)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < server_count; i++)
		count += servers[i]->preference == preference;
	return count;
}

bool
group_init(struct pool_group *group, uint32_t preference, struct server **servers,
	   uint32_t server_count)
{
	uint32_t count = count_preferred(preference, servers, server_count);

	assert(count > 0 && count <= POOL_SERVERS_MAX);
	*group = (struct pool_group){.preference = preference};
	group->servers = calloc(count, sizeof(struct server *));
	group->shares = calloc(count, sizeof(*group->shares));
	group->turns = calloc(turns_needed(count), sizeof(*group->turns));
	if (!group->servers || !group->shares || !group->turns) {
		group_fini(group);
		return false;
	}
	for (uint32_t i = 0; i < server_count; i++)
		if (servers[i]->preference == preference)
			group->servers[group->server_count++] = servers[i];
	assert(group->server_count == count && group->servers[0]);
	group_order(group);
	return true;
}

void
group_fini(struct pool_group *group)
{
	free(group->servers);
	free(group->shares);
	free(group->turns);
	*group = (struct pool_group){0};
}

static uint32_t
common_divisor(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* Sets each share's weight to its turns in the order. Returns their sum: its length. */
static uint32_t
reduce_weights(struct pool_group *group)
{
	uint32_t count = group->server_count;
	uint32_t divisor = 0, length = 0, sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		group->shares[i] = (struct group_share){group->servers[i]->weight, 0};
		assert(group->shares[i].weight <= POOL_WEIGHT_MAX);
		divisor = common_divisor(divisor, group->shares[i].weight);
		sum += group->shares[i].weight;
	}
	if (divisor == 0)
		return 0;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t *weight = &group->shares[i].weight;

		if (*weight == 0)
			continue;
		*weight /= divisor;
		if (sum / divisor > GROUP_TURNS_MAX) {
			/* Rounded down, with a turn to spare for each at 0. */
			*weight = *weight * (GROUP_TURNS_MAX - count) / (sum / divisor);
			*weight += *weight == 0;
		}
		length += *weight;
	}
	assert(length <= turns_needed(count));
	return length;
}

/* Everyone is owed its weight; the one owed most has the turn and pays for all. */
static uint16_t
next_turn(struct group_share *shares, uint32_t count, uint32_t length)
{
	uint32_t best = 0;

	for (uint32_t i = 0; i < count; i++) {
		shares[i].credit += shares[i].weight;
		if (shares[i].credit > shares[best].credit)
			best = i;
	}
	shares[best].credit -= length;
	return (uint16_t)best;
}

void
group_order(struct pool_group *group)
{
	uint32_t length = reduce_weights(group);

	for (uint32_t place = 0; place < length; place++)
		atomic_store_explicit(
			&group->turns[place],
			next_turn(group->shares, group->server_count, length),
			memory_order_relaxed);
	atomic_store_explicit(&group->length, length, memory_order_release);
}

static bool
was_tried(const struct server *server, const struct pool_request *request)
{
	uint32_t index = atomic_load_explicit(&server->index, memory_order_relaxed);

	for (uint32_t i = 0; i < request->tried_count; i++)
		if (request->tried[i] == index)
			return true;
	return false;
}

/* What is not known is not held against it: its own EHLO will tell. */
bool
group_is_capable(const struct server *server, const struct pool_request *request)
{
	struct smtp_extensions extensions;

	if (request->needs == 0 && request->size == 0)
		return true;
	if (!server_extensions(server, &extensions))
		return true;
	if ((extensions.set & request->needs) != request->needs)
		return false;
	return extensions.size == 0 || request->size <= extensions.size;
}

static bool
is_usable(const struct server *server, const struct pool_request *request)
{
	enum server_state state = server_state_at(server, request->now);

	if (server_rests(server, request->now))
		return false;
	return state == SERVER_UP || (request->last_resort && state == SERVER_EJECTED);
}

enum group_verdict
group_judge(const struct server *server, const struct pool_request *request)
{
	if (!is_usable(server, request) || was_tried(server, request))
		return GROUP_UNUSABLE;
	if (!group_is_capable(server, request))
		return GROUP_INCAPABLE;
	if (server_is_full(server))
		return GROUP_FULL;
	return GROUP_ELIGIBLE;
}

bool
group_accepts(const struct server *server, const struct pool_request *request,
	      uint64_t chance)
{
	return group_judge(server, request) == GROUP_ELIGIBLE &&
	       (chance & 255) < server_warmth(server, request->now);
}
