#include "config/advice_routes.h"

#include "config/crosscheck.h"
#include "config/crosscheck_auth.h"
#include "policy/network.h"
#include "policy/pattern.h"

static bool
covers_network(struct span value, struct span other)
{
	struct network network, inner;

	return network_read(value, &network) && network_read(other, &inner) &&
	       network_covers(&network, &inner);
}

static const struct {
	const char *key;
	bool (*covers)(struct span value, struct span other);
} conditions[] = {
	{"client", covers_network},
	{"helo", pattern_covers},
	{"user", pattern_covers},
};

/* Whether a condition lets through all that the later one does. */
static bool
condition_covers(const struct setting *condition, const struct setting *later,
		 bool (*covers)(struct span value, struct span other))
{
	if (condition->count == 0)
		return true;
	for (uint32_t i = 0; i < later->count; i++) {
		bool covered = false;

		for (uint32_t j = 0; j < condition->count && !covered; j++)
			covered = covers(condition->values[j].text,
					 later->values[i].text);
		if (!covered)
			return false;
	}
	return later->count > 0;
}

static bool
route_covers(const struct section *earlier, const struct section *later)
{
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++)
		if (!condition_covers(section_setting(earlier, conditions[i].key),
				      section_setting(later, conditions[i].key),
				      conditions[i].covers))
			return false;
	return true;
}

static void
advise_never(const struct section *listener, const struct section *route,
	     struct report *report)
{
	SECTION_EACH (listener, "routes", earlier) {
		if (earlier == route)
			return;
		if (!route_covers(earlier, route))
			continue;
		section_advice(route, NULL, report,
			       "can never match: routes[%u] takes all that it could",
			       earlier->index);
		return;
	}
}

static void
advise_users(const struct section *listener, const struct section *route,
	     struct report *report)
{
	if (section_setting(route, "user")->count && !listener_relays_auth(listener) &&
	    !listener_passes_connections(listener))
		section_advice(route, "user", report,
			       "can never match: nobody logs in here (auth: off)");
}

void
routes_advise(const struct section *root, struct report *report)
{
	SECTION_EACH (root, "listeners", listener) {
		SECTION_EACH (listener, "routes", route) {
			advise_never(listener, route, report);
			advise_users(listener, route, report);
		}
	}
}
