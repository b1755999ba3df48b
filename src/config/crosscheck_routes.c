#include "config/crosscheck_routes.h"

#include "config/crosscheck.h"
#include "config/listener_pools.h"
#include "config/suggestion.h"

static void
check_pool_exists(const struct section *root, const struct section *section,
		  struct report *report)
{
	struct span name = section_text(section, "pool");
	struct suggestion suggestion;
	char near[SUGGESTION_TEXT_MAX];

	if (names_known_pool(root, section))
		return;
	suggestion_init(&suggestion, name);
	SECTION_EACH (root, "pools", pool)
		suggestion_offer(&suggestion, pool->name);
	section_error(section, "pool", report, "no pool is named \"%.*s\"%s",
		      SPAN_ARGS(report_excerpt(name)),
		      suggestion_print(&suggestion, near));
}

static void
check_either(const struct section *listener, struct report *report)
{
	bool has_routes = section_gives(listener, "routes");
	bool has_pool = section_gives(listener, "pool");

	if (has_routes && has_pool)
		section_error(listener, "pool", report,
			      "\"routes\" says where mail goes already");
	if (!has_routes && !has_pool)
		section_error(listener, "pool", report,
			      "missing, and required (or \"routes\")");
}

/* What a text may begin with that is no pattern of stars. */
static void
check_patterns(const struct section *route, const char *key, struct report *report)
{
	const struct setting *setting = section_setting(route, key);
	char path[SECTION_PATH_MAX];

	for (uint32_t i = 0; i < setting->count; i++) {
		struct span text = setting->values[i].text;
		const char *what = span_starts(text, SPAN("/"))   ? "expressions"
				   : span_starts(text, SPAN("@")) ? "files"
								  : NULL;

		if (what)
			report_error(report, setting->values[i].place,
				     section_path(route, key, path),
				     "%s are not in this build yet: say a name, or a "
				     "pattern with *",
				     what);
	}
}

/* A list that came out empty would let everybody through. */
static void
check_empty(const struct section *route, struct report *report)
{
	static const char *const conditions[] = {"client", "helo", "user"};

	for (int i = 0; i < 3; i++)
		if (section_gives(route, conditions[i]) &&
		    section_setting(route, conditions[i])->count == 0 &&
		    !section_setting(route, conditions[i])->broken)
			section_error(route, conditions[i], report,
				      "nothing in it. Leave it out where it shall be "
				      "no condition");
}

static void
check_connection(const struct section *listener, const struct section *route,
		 struct report *report)
{
	static const char *const unheard[] = {"helo", "user"};

	for (int i = 0; i < 2; i++)
		if (listener_passes_connections(listener) &&
		    section_gives(route, unheard[i]))
			section_error(route, unheard[i], report,
				      "the server is chosen before the client has said "
				      "a word (mode: connection)");
}

void
routes_crosscheck(const struct section *root, struct report *report)
{
	SECTION_EACH (root, "listeners", listener) {
		check_either(listener, report);
		check_pool_exists(root, listener, report);
		SECTION_EACH (listener, "routes", route) {
			check_pool_exists(root, route, report);
			check_empty(route, report);
			check_patterns(route, "helo", report);
			check_patterns(route, "user", report);
			check_connection(listener, route, report);
		}
	}
}
