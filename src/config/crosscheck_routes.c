#include "config/crosscheck_routes.h"

#include "config/crosscheck.h"
#include "config/suggestion.h"
#include "policy/pattern.h"

/* ---- where routes lead ---- */

bool
listener_leads_to(const struct section *listener, const struct section *pool)
{
	if (span_equals(section_text(listener, "pool"), pool->name))
		return true;
	SECTION_EACH (listener, "routes", route)
		if (span_equals(section_text(route, "pool"), pool->name))
			return true;
	return false;
}

static bool
takes_all_users(const struct section *route)
{
	const struct setting *user = section_setting(route, "user");

	for (uint32_t i = 0; i < user->count; i++)
		if (pattern_matches_all(user->values[i].text))
			return true;
	return user->count == 0;
}

/* Who has logged in gets no further than to a route that takes all who have. */
bool
listener_leads_users_to(const struct section *listener, const struct section *pool)
{
	if (span_equals(section_text(listener, "pool"), pool->name))
		return true;
	SECTION_EACH (listener, "routes", route) {
		if (span_equals(section_text(route, "pool"), pool->name))
			return true;
		if (!section_gives(route, "client") && !section_gives(route, "helo") &&
		    takes_all_users(route))
			return false;
	}
	return false;
}

/* Anybody can say any name in EHLO. */
bool
listener_leads_strangers_to(const struct section *listener, const struct section *pool)
{
	if (span_equals(section_text(listener, "pool"), pool->name))
		return true;
	SECTION_EACH (listener, "routes", route)
		if (!section_gives(route, "client") && !section_gives(route, "user") &&
		    span_equals(section_text(route, "pool"), pool->name))
			return true;
	return false;
}

const struct section *
listener_next_pool(const struct section *root, const struct section *listener,
		   const struct section *behind)
{
	const struct section *at = behind ? behind->next : section_child(root, "pools");

	while (at && !listener_leads_to(listener, at))
		at = at->next;
	return at;
}

static bool
is_known(const struct section *root, const struct section *names_pool)
{
	struct span name = section_text(names_pool, "pool");

	return span_is_empty(name) || section_named(root, "pools", name);
}

bool
listener_names_are_known(const struct section *root, const struct section *listener)
{
	SECTION_EACH (listener, "routes", route)
		if (!is_known(root, route))
			return false;
	return section_child(listener, "routes") ||
	       section_named(root, "pools", section_text(listener, "pool"));
}

/* ---- what is wrong with them ---- */

static void
check_pool_exists(const struct section *root, const struct section *names_pool,
		  struct report *report)
{
	struct span name = section_text(names_pool, "pool");
	struct suggestion suggestion;
	char near[SUGGESTION_TEXT_MAX];

	if (is_known(root, names_pool))
		return;
	suggestion_init(&suggestion, name);
	SECTION_EACH (root, "pools", pool)
		suggestion_offer(&suggestion, pool->name);
	section_error(names_pool, "pool", report, "no pool is named \"%.*s\"%s",
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
			check_patterns(route, "helo", report);
			check_patterns(route, "user", report);
			check_connection(listener, route, report);
		}
	}
}
