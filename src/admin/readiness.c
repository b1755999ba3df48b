#include "admin/readiness.h"

/* What became of the checks so far. */
struct checks {
	const struct view *view;
	struct buffer *text;
	enum status status; /* of the text */
	bool ready;
};

static void
say(struct checks *checks, struct span words)
{
	if (checks->status == STATUS_OK)
		checks->status = buffer_append(checks->text, words);
}

/* Begins a line: "[+] pool hubs". */
static void
say_check(struct checks *checks, bool passed, const char *what, struct span name)
{
	checks->ready &= passed;
	say(checks, passed ? SPAN("[+] ") : SPAN("[-] "));
	say(checks, span_from_string(what));
	say(checks, name);
}

static void
check_running(struct checks *checks)
{
	bool stopping = checks->view->stopping;

	say_check(checks, !stopping, stopping ? "stopping" : "running", SPAN(""));
	say(checks, SPAN("\n"));
}

static void
say_unobserved(struct checks *checks, const struct pool *pool)
{
	say(checks, SPAN(": no probe result yet of"));
	for (uint32_t i = 0; i < pool->server_count; i++) {
		if (atomic_load(&pool->servers[i]->probed_once))
			continue;
		say(checks, SPAN(" "));
		say(checks, span_from_string(pool->servers[i]->name));
	}
}

static void
check_pool(struct checks *checks, const struct pool *pool)
{
	bool observed = pool_is_observed(pool);

	say_check(checks, observed, "pool ", span_from_string(pool->name));
	if (observed)
		say(checks, SPAN(": each server has had a first result"));
	else
		say_unobserved(checks, pool);
	say(checks, SPAN("\n"));
}

static void
check_listener(struct checks *checks, const struct listener_snapshot *listener)
{
	const struct pool *pool = listener->pool->pool;
	bool up = pool_up_count(pool, checks->view->loop->now) > 0;

	say_check(checks, up, "listener ", listener->name);
	say(checks, up ? SPAN(": a server is up in pool ")
		       : SPAN(": no server is up in pool "));
	say(checks, span_from_string(pool->name));
	say(checks, SPAN("\n"));
}

static bool
is_in_use(const struct snapshot *snapshot, const struct pool_snapshot *pool)
{
	for (uint32_t i = 0; i < snapshot->listener_count; i++)
		if (snapshot->listeners[i].pool == pool)
			return true;
	return false;
}

enum status
readiness_print(const struct view *view, struct buffer *text, bool *ready)
{
	const struct snapshot *snapshot = view->proxy->snapshot;
	struct checks checks = {.view = view, .text = text, .ready = true};

	check_running(&checks);
	for (uint32_t i = 0; i < snapshot->pool_count; i++)
		if (is_in_use(snapshot, &snapshot->pools[i]))
			check_pool(&checks, snapshot->pools[i].pool);
	for (uint32_t i = 0; i < snapshot->listener_count; i++)
		check_listener(&checks, &snapshot->listeners[i]);
	say(&checks, checks.ready ? SPAN("ready\n") : SPAN("not ready\n"));
	*ready = checks.ready;
	return checks.status;
}
