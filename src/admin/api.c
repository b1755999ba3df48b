#include "admin/api.h"

#include "health/certificate.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static json_t *
json_count(const _Atomic uint64_t *counter)
{
	return json_integer((json_int_t)view_count(counter));
}

static json_t *
json_span(struct span text)
{
	return json_stringn(text.at, text.length);
}

/* "2026-11-23T18:00:00.123Z" from milliseconds since 1970. */
static json_t *
json_time(int64_t at)
{
	char day[32];
	char text[48];
	struct tm parts;
	time_t seconds = (time_t)(at / 1000);

	gmtime_r(&seconds, &parts);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text, sizeof(text), "%s.%03dZ", day, (int)(at % 1000));
	return json_string(text);
}

/* ---- pools ---- */

static json_t *
json_lines(struct span text)
{
	json_t *lines = json_array();
	int failed = 0;

	while (text.length)
		failed |=
			json_array_append_new(lines, json_span(span_cut(&text, '\n')));
	if (!failed)
		return lines;
	json_decref(lines);
	return NULL;
}

static json_t *
json_certificate(const struct probe_certificate *certificate, int64_t now)
{
	char remark[CERTIFICATE_REMARK_MAX];

	if (!certificate->shown)
		return json_null();
	return json_pack("{s:s, s:s, s:o, s:o, s:I, s:o}", "subject",
			 certificate->subject, "issuer", certificate->issuer, "begins",
			 json_time(certificate->begins * 1000), "expires",
			 json_time(certificate->ends * 1000), "days_left",
			 (json_int_t)probe_certificate_days(certificate, now), "remark",
			 certificate_remark(certificate, now, remark)
				 ? json_string(remark)
				 : json_null());
}

static json_t *
json_probe(const struct probe_record *record)
{
	if (!record)
		return json_null();
	return json_pack("{s:s, s:f, s:o, s:o, s:o}", "result", record->result,
			 "took_ms", (double)record->took_us / 1000, "at",
			 json_time(record->at), "transcript",
			 json_lines(probe_record_text(record)), "certificate",
			 json_certificate(&record->certificate, record->at));
}

static json_t *
json_failures(const struct server *server)
{
	json_t *failures = json_object();
	int failed = 0;

	for (unsigned i = 0; i < SERVER_FAILURE_COUNT; i++)
		failed |= json_object_set_new(
			failures, server_failure_name((enum server_failure)i),
			json_count(&server->counters.failures[i]));
	if (!failed)
		return failures;
	json_decref(failures);
	return NULL;
}

static json_t *
json_fault(const struct server *server)
{
	char text[SERVER_FAULT_MAX];

	return server_fault(server, text) ? json_string(text) : json_null();
}

static uint64_t
pool_messages(const struct pool *pool)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < pool->server_count; i++)
		sum += view_count(&pool->servers[i]->counters.messages);
	return sum;
}

static json_t *
json_server(const struct view *view, const struct pool *pool,
	    const struct server *server, uint64_t all)
{
	const struct server_counters *counters = &server->counters;
	uint64_t messages = view_count(&counters->messages);
	int64_t now = view->loop->now;

	return json_pack(
		"{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:f, s:f, s:o, "
		"s:o, s:o}",
		"name", server->name, "address", server->address_text, "state",
		server_state_name(server_state_at(server, now)), "weight",
		(json_int_t)view_gauge(&server->weight), "preference",
		(json_int_t)view_gauge(&server->preference), "active",
		(json_int_t)view_gauge(&server->active), "held",
		(json_int_t)view_gauge(&server->held), "messages", (json_int_t)messages,
		"recipients", json_count(&counters->recipients), "bytes",
		json_count(&counters->bytes), "share_wanted",
		pool_share_wanted(pool, server, now), "share",
		all ? (double)messages / (double)all : 0.0, "failures",
		json_failures(server), "fault", json_fault(server), "last_probe",
		json_probe(monitor_last(view->monitor, server)));
}

static json_t *
json_servers(const struct view *view, const struct pool *pool)
{
	json_t *servers = json_array();
	uint64_t all = pool_messages(pool);
	int failed = 0;

	for (uint32_t i = 0; i < pool->server_count; i++)
		failed |= json_array_append_new(
			servers, json_server(view, pool, pool->servers[i], all));
	if (!failed)
		return servers;
	json_decref(servers);
	return NULL;
}

static json_t *
json_pool(const struct view *view, const struct pool *pool)
{
	return json_pack("{s:s, s:s, s:o}", "name", pool->name, "balance",
			 strategy_name(pool->strategy), "servers",
			 json_servers(view, pool));
}

json_t *
api_pools(const struct view *view)
{
	const struct snapshot *snapshot = view->proxy->snapshot;
	json_t *pools = json_array();
	int failed = 0;

	for (uint32_t i = 0; i < snapshot->pool_count; i++)
		failed |= json_array_append_new(
			pools, json_pool(view, snapshot->pools[i].pool));
	if (!failed)
		return json_pack("{s:o}", "pools", pools);
	json_decref(pools);
	return NULL;
}

/* ---- status ---- */

static json_t *
json_binds(const struct listener_snapshot *listener)
{
	char text[ENDPOINT_TEXT_MAX];
	json_t *binds = json_array();
	int failed = 0;

	for (uint32_t i = 0; i < listener->bind_count; i++) {
		endpoint_print(&listener->bind[i], text);
		failed |= json_array_append_new(binds, json_string(text));
	}
	if (!failed)
		return binds;
	json_decref(binds);
	return NULL;
}

static json_t *
json_pool_names(const struct listener_snapshot *listener)
{
	json_t *names = json_array();
	int failed = 0;

	for (uint32_t i = 0; i < listener->pool_count; i++)
		failed |= json_array_append_new(
			names, json_string(listener->pools[i]->pool->name));
	if (!failed)
		return names;
	json_decref(names);
	return NULL;
}

/* Of several, all in one text: for those who show it. */
static json_t *
json_pool_text(const struct listener_snapshot *listener)
{
	json_t *text = json_string(listener->pools[0]->pool->name);

	for (uint32_t i = 1; i < listener->pool_count && text; i++) {
		json_t *longer = json_sprintf("%s, %s", json_string_value(text),
					      listener->pools[i]->pool->name);

		json_decref(text);
		text = longer;
	}
	return text;
}

static json_t *
json_listener(const struct view *view, const struct listener_snapshot *listener)
{
	const struct tally *tally = view_tally(view, listener);
	bool by_message = listener->mode == LISTENER_MESSAGE;

	return json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:I}", "name",
			 json_span(listener->name), "bind", json_binds(listener),
			 "mode", by_message ? "message" : "connection", "pool",
			 json_pool_text(listener), "pools", json_pool_names(listener),
			 "sessions", json_count(&tally->sessions), "active",
			 (json_int_t)view_gauge(&tally->active));
}

static json_t *
json_listeners(const struct view *view)
{
	const struct snapshot *snapshot = view->proxy->snapshot;
	json_t *listeners = json_array();
	int failed = 0;

	for (uint32_t i = 0; i < snapshot->listener_count; i++)
		failed |= json_array_append_new(
			listeners, json_listener(view, &snapshot->listeners[i]));
	if (!failed)
		return listeners;
	json_decref(listeners);
	return NULL;
}

/* Over all listeners, or over all servers. */
struct totals {
	uint64_t sessions;
	uint64_t active;
	uint64_t messages;
	uint64_t recipients;
	uint64_t bytes;
};

static void
totals_add_servers(struct totals *totals, const struct pool *pool)
{
	for (uint32_t i = 0; i < pool->server_count; i++) {
		const struct server_counters *counters = &pool->servers[i]->counters;

		totals->messages += view_count(&counters->messages);
		totals->recipients += view_count(&counters->recipients);
		totals->bytes += view_count(&counters->bytes);
	}
}

static json_t *
json_totals(const struct view *view)
{
	const struct snapshot *snapshot = view->proxy->snapshot;
	struct totals totals = {0};

	for (uint32_t i = 0; i < snapshot->listener_count; i++) {
		const struct tally *tally = view_tally(view, &snapshot->listeners[i]);

		totals.sessions += view_count(&tally->sessions);
		totals.active += view_gauge(&tally->active);
	}
	for (uint32_t i = 0; i < snapshot->pool_count; i++)
		totals_add_servers(&totals, snapshot->pools[i].pool);
	return json_pack(
		"{s:I, s:I, s:I, s:I, s:I}", "sessions", (json_int_t)totals.sessions,
		"active", (json_int_t)totals.active, "messages",
		(json_int_t)totals.messages, "recipients",
		(json_int_t)totals.recipients, "bytes", (json_int_t)totals.bytes);
}

/* A path is bytes, a text may have been cut in the middle of a character, and JSON is
   UTF-8. */
static json_t *
json_bytes(const char *bytes)
{
	json_t *text = json_string(bytes);

	return text ? text : json_string("?");
}

static json_t *
json_refused_files(const struct view *view)
{
	json_t *files = json_array();
	struct refused_file refused;
	uint32_t at = 0;
	int failed = 0;

	while (view->refusals && tls_refusals_next(view->refusals, &at, &refused))
		failed |= json_array_append_new(
			files, json_pack("{s:o, s:s, s:o}", "file",
					 json_bytes(refused.name->path), "path",
					 refused.name->setting, "why",
					 json_bytes(refused.why)));
	if (!failed)
		return files;
	json_decref(files);
	return NULL;
}

json_t *
api_status(const struct view *view)
{
	return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "version",
			 EVENPOST_VERSION, "pid", (json_int_t)getpid(), "started",
			 json_time(view->started), "hostname",
			 json_span(view->proxy->snapshot->hostname), "listeners",
			 json_listeners(view), "totals", json_totals(view),
			 "refused_files", json_refused_files(view));
}
