#include "config/snapshot_routes.h"

#include "config/crosscheck_auth.h"
#include "config/listener_pools.h"
#include "config/snapshot_build.h"

#include <assert.h>

static enum status
build_pools(struct snapshot *snapshot, struct listener_snapshot *listener,
	    const struct section *root, const struct section *section)
{
	listener->pools = arena_take(&snapshot->arena,
				     snapshot->pool_count * sizeof(*listener->pools));
	if (!listener->pools)
		return STATUS_NO_MEMORY;
	LISTENER_POOLS_EACH (root, section, at) {
		struct pool_snapshot *pool = &snapshot->pools[at->index];

		pool->used = true;
		if (listener_checks_logins_in(section, at) &&
		    listener_expects_users_in(section, at))
			pool->hears_logins = true;
		listener->pools[listener->pool_count++] = pool;
	}
	return STATUS_OK;
}

/* The place of the pool that a route or a listener names among the listener's. */
static uint32_t
find_pool(const struct listener_snapshot *listener, const struct section *section)
{
	struct span name = section_text(section, "pool");
	uint32_t at = 0;

	while (!span_equals(span_from_string(listener->pools[at]->pool->name), name)) {
		at++;
		assert(at < listener->pool_count);
	}
	return at;
}

static enum status
build_patterns(struct snapshot *snapshot, const struct setting *setting,
	       struct pattern_set *set)
{
	struct span *patterns =
		arena_take(&snapshot->arena, setting->count * sizeof(*patterns));

	if (!patterns)
		return STATUS_NO_MEMORY;
	for (uint32_t i = 0; i < setting->count; i++) {
		patterns[i] = arena_copy(&snapshot->arena, setting->values[i].text);
		if (!patterns[i].at)
			return STATUS_NO_MEMORY;
	}
	*set = (struct pattern_set){patterns, setting->count};
	return STATUS_OK;
}

static enum status
build_route(struct snapshot *snapshot, const struct listener_snapshot *listener,
	    const struct section *section, struct mail_route *route)
{
	enum status status;

	route->pool = find_pool(listener, section);
	status = snapshot_build_networks(snapshot, section_setting(section, "client"),
					 &route->clients);
	if (status == STATUS_OK)
		status = build_patterns(snapshot, section_setting(section, "helo"),
					&route->helos);
	if (status == STATUS_OK)
		status = build_patterns(snapshot, section_setting(section, "user"),
					&route->users);
	return status;
}

static uint32_t
count_routes(const struct section *listener)
{
	uint32_t count = 0;

	SECTION_EACH (listener, "routes", route)
		count = route->index + 1;
	return count;
}

enum status
snapshot_build_routes(struct snapshot *snapshot, struct listener_snapshot *listener,
		      const struct section *root, const struct section *section)
{
	uint32_t count = count_routes(section);
	struct mail_route *routes =
		arena_take(&snapshot->arena, (count ? count : 1) * sizeof(*routes));
	enum status status = routes ? build_pools(snapshot, listener, root, section)
				    : STATUS_NO_MEMORY;

	if (status != STATUS_OK)
		return status;
	listener->routes = (struct mail_routes){routes, count ? count : 1};
	if (count == 0)
		routes->pool = find_pool(listener, section);
	SECTION_EACH (section, "routes", at) {
		status = build_route(snapshot, listener, at, &routes[at->index]);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}
