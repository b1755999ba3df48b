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

/* Of the servers of a pool. */
struct service {
	bool up;         /* one is, at least */
	bool usable;     /* one that is up */
	uint32_t barred; /* of those that are up, as far as they were looked at */
	char fault[SERVER_FAULT_MAX]; /* of the first of those */
};

static void
look_at_server(struct service *service, const struct server *server, int64_t now)
{
	char fault[SERVER_FAULT_MAX];

	if (!server_is_up(server, now))
		return;
	service->up = true;
	if (!server_is_barred(server, now, fault))
		service->usable = true;
	else if (service->barred++ == 0)
		memcpy(service->fault, fault, sizeof(fault));
}

static void
say_service(struct checks *checks, const struct service *service,
	    const struct pool *pool)
{
	if (service->usable)
		say(checks, SPAN(" a server is up in pool "));
	else if (service->up)
		say(checks, SPAN(" no server that is up gets mail in pool "));
	else
		say(checks, SPAN(" no server is up in pool "));
	say(checks, span_from_string(pool->name));
	if (service->usable || !service->up)
		return;
	say(checks, SPAN(": "));
	say(checks, span_from_string(service->fault));
	if (service->barred > 1)
		say(checks, SPAN("; and others"));
}

static struct service
look_at_pool(const struct checks *checks, const struct pool *pool)
{
	struct service service = {0};

	for (uint32_t i = 0; i < pool->server_count && !service.usable; i++)
		look_at_server(&service, pool->servers[i], checks->view->loop->now);
	return service;
}

/* As long as one of its pools takes mail it is better to have the mail of that one than
   none. */
static void
check_listener(struct checks *checks, const struct listener_snapshot *listener)
{
	bool usable = false;

	for (uint32_t i = 0; i < listener->pool_count; i++)
		usable |= look_at_pool(checks, listener->pools[i]->pool).usable;
	say_check(checks, usable, "listener ", listener->name);
	for (uint32_t i = 0; i < listener->pool_count; i++) {
		const struct pool *pool = listener->pools[i]->pool;
		struct service service = look_at_pool(checks, pool);

		say(checks, i == 0 ? SPAN(":") : SPAN(";"));
		say_service(checks, &service, pool);
	}
	say(checks, SPAN("\n"));
}

enum status
readiness_print(const struct view *view, struct buffer *text, bool *ready)
{
	const struct snapshot *snapshot = view->proxy->snapshot;
	struct checks checks = {.view = view, .text = text, .ready = true};

	check_running(&checks);
	for (uint32_t i = 0; i < snapshot->pool_count; i++)
		if (snapshot->pools[i].used)
			check_pool(&checks, snapshot->pools[i].pool);
	for (uint32_t i = 0; i < snapshot->listener_count; i++)
		check_listener(&checks, &snapshot->listeners[i]);
	say(&checks, checks.ready ? SPAN("ready\n") : SPAN("not ready\n"));
	*ready = checks.ready;
	return checks.status;
}
