/*
 * strategy: how the strategies look from inside the layer: a file and a constant each.
 * A strategy is pure: it looks at the servers of a group and at the request, and names
 * one. It returns a server that it has reserved with server_take(), or NULL when it
 * found none that was eligible; the pool then looks at each server once before it gives
 * up. Thread: any. Never allocates.
 */
#ifndef EVENPOST_BALANCE_STRATEGY_H
#define EVENPOST_BALANCE_STRATEGY_H

#include "balance/pool.h"

struct strategy {
	const char *name;
	bool wants_key; /* it looks at request->key */
	struct server *(*pick)(struct pool_group *group,
			       const struct pool_request *request);
};

extern const struct strategy strategy_round_robin;
extern const struct strategy strategy_least_connections;
extern const struct strategy strategy_random;
extern const struct strategy strategy_source;
extern const struct strategy strategy_hash;
extern const struct strategy strategy_response_time;

#endif
