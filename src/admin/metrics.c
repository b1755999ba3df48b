#include "admin/metrics.h"

#include "admin/exposition.h"
#include "admin/usage.h"

#include <stdio.h>

/* What one page is written from. */
struct page {
	struct exposition out;
	const struct view *view;
	struct usage usage;
	bool usage_known;
};

/* Samples of one family: for the program, for each listener, or for each server. */
struct family {
	const char *name;
	const char *type;
	const char *help;
	void (*of_program)(struct page *page);
	void (*of_listener)(struct page *page, const struct listener_snapshot *);
	void (*of_server)(struct page *page, const struct pool *,
			  const struct server *);
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
/* The sample of the family that was begun last. labels: an array. */
#define COUNT(page, labels, value)                                                     \
	exposition_count(&(page)->out, labels, COUNT_OF(labels), value)

static struct label
label_of(const char *name, const char *value)
{
	return (struct label){name, span_from_string(value)};
}

static struct label
label_of_listener(const struct listener_snapshot *listener)
{
	return (struct label){"listener", listener->name};
}

static void
add_buckets(uint64_t *to, const _Atomic uint64_t *from, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		to[i] += view_count(&from[i]);
}

/* ---- of a listener ---- */

static void
write_sessions(struct page *page, const struct listener_snapshot *listener)
{
	const struct label labels[] = {label_of_listener(listener)};

	COUNT(page, labels, view_count(&view_tally(page->view, listener)->sessions));
}

static void
write_sessions_active(struct page *page, const struct listener_snapshot *listener)
{
	const struct label labels[] = {label_of_listener(listener)};

	COUNT(page, labels, view_gauge(&view_tally(page->view, listener)->active));
}

static void
write_rejects(struct page *page, const struct listener_snapshot *listener)
{
	const struct tally *tally = view_tally(page->view, listener);

	for (unsigned i = 0; i < REJECT_COUNT; i++) {
		const struct label labels[] = {
			label_of_listener(listener),
			label_of("reason", reject_reason_name(i))};

		COUNT(page, labels, view_count(&tally->rejects[i]));
	}
}

static void
write_results(struct page *page, const struct listener_snapshot *listener,
	      const char *pool, const char *server, const _Atomic uint64_t *results)
{
	for (unsigned i = 0; i < MESSAGE_RESULT_COUNT; i++) {
		const struct label labels[] = {
			label_of_listener(listener),
			label_of("pool", pool),
			label_of("server", server),
			label_of("result", message_result_name((enum message_result)i)),
		};

		COUNT(page, labels, view_count(&results[i]));
	}
}

static const _Atomic uint64_t *
messages_of(const struct server_tally *row)
{
	return row->messages;
}

static const _Atomic uint64_t *
recipients_of(const struct server_tally *row)
{
	return row->recipients;
}

/* Of each server that the listener leads to; "-" is none. */
static void
write_rows(struct page *page, const struct listener_snapshot *listener,
	   const _Atomic uint64_t *(*counts)(const struct server_tally *row))
{
	const struct tally *tally = view_tally(page->view, listener);

	for (uint32_t i = 0; i < listener->pool_count; i++) {
		const struct pool *pool = listener->pools[i]->pool;
		const struct pool_tally *row = &tally->pools[listener->pools[i]->index];

		for (uint32_t j = 0; j < pool->server_count; j++)
			write_results(page, listener, pool->name,
				      pool->servers[j]->name, counts(&row->servers[j]));
		write_results(page, listener, pool->name, "-", counts(&row->nowhere));
	}
}

static void
write_messages(struct page *page, const struct listener_snapshot *listener)
{
	write_rows(page, listener, messages_of);
}

static void
write_recipients(struct page *page, const struct listener_snapshot *listener)
{
	write_rows(page, listener, recipients_of);
}

/* ---- of a server ---- */

static void
write_bytes(struct page *page, const struct pool *pool, const struct server *server)
{
	const struct label labels[] = {label_of("pool", pool->name),
				       label_of("server", server->name)};

	COUNT(page, labels, view_count(&server->counters.bytes));
}

static void
write_state(struct page *page, const struct pool *pool, const struct server *server)
{
	enum server_state now = server_state_at(server, page->view->loop->now);

	for (unsigned i = 0; i < SERVER_STATE_COUNT; i++) {
		const struct label labels[] = {
			label_of("pool", pool->name),
			label_of("server", server->name),
			label_of("state", server_state_name((enum server_state)i)),
		};

		COUNT(page, labels, i == now);
	}
}

/* What it is stands in the log and the API: no label has a text. */
static void
write_fault(struct page *page, const struct pool *pool, const struct server *server)
{
	const struct label labels[] = {label_of("pool", pool->name),
				       label_of("server", server->name)};
	char text[SERVER_FAULT_MAX];

	COUNT(page, labels, server_fault(server, text));
}

static void
write_places(struct page *page, const struct pool *pool, const struct server *server,
	     const _Atomic uint32_t *places)
{
	const struct label labels[] = {label_of("pool", pool->name),
				       label_of("server", server->name)};

	COUNT(page, labels, view_gauge(places));
}

static void
write_active(struct page *page, const struct pool *pool, const struct server *server)
{
	write_places(page, pool, server, &server->active);
}

static void
write_held(struct page *page, const struct pool *pool, const struct server *server)
{
	write_places(page, pool, server, &server->held);
}

/* A connection counts as made when EHLO was answered. */
static void
write_connects(struct page *page, const struct pool *pool, const struct server *server)
{
	const struct server_counters *counters = &server->counters;
	const struct label made[] = {label_of("pool", pool->name),
				     label_of("server", server->name),
				     label_of("result", "ok")};
	const struct label failed[] = {made[0], made[1], label_of("result", "failed")};

	COUNT(page, made, view_count(&counters->connects));
	COUNT(page, failed,
	      view_count(&counters->failures[SERVER_FAILURE_CONNECT]) +
		      view_count(&counters->failures[SERVER_FAILURE_GREETING]));
}

static uint64_t
retries_for(const struct view *view, const struct listener_snapshot *listener,
	    const struct pool *pool, uint32_t server, unsigned phase)
{
	const struct tally *tally = view_tally(view, listener);

	for (uint32_t i = 0; i < listener->pool_count; i++) {
		const struct pool_snapshot *at = listener->pools[i];

		if (at->pool == pool)
			return view_count(&tally->pools[at->index]
						   .servers[server]
						   .retries[phase]);
	}
	return 0;
}

static uint64_t
retries_of(const struct view *view, const struct pool *pool, uint32_t server,
	   unsigned phase)
{
	const struct snapshot *snapshot = view->proxy->snapshot;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < snapshot->listener_count; i++)
		sum += retries_for(view, &snapshot->listeners[i], pool, server, phase);
	return sum;
}

static void
write_retries(struct page *page, const struct pool *pool, const struct server *server)
{
	for (unsigned i = 0; i < RETRY_PHASE_COUNT; i++) {
		const struct label labels[] = {
			label_of("pool", pool->name),
			label_of("server", server->name),
			label_of("phase", retry_phase_name((enum retry_phase)i)),
		};

		COUNT(page, labels, retries_of(page->view, pool, server->index, i));
	}
}

static void
write_reply_seconds(struct page *page, const struct pool *pool,
		    const struct server *server)
{
	const struct label labels[] = {label_of("pool", pool->name),
				       label_of("server", server->name)};
	uint64_t buckets[SERVER_REPLY_BUCKETS] = {0};
	const struct histogram histogram = {server_reply_bounds, SERVER_REPLY_BUCKETS,
					    buckets,
					    view_count(&server->counters.reply_us)};

	add_buckets(buckets, server->counters.replies, SERVER_REPLY_BUCKETS);
	exposition_histogram(&page->out, labels, COUNT_OF(labels), &histogram);
}

static void
write_probe_seconds(struct page *page, const struct pool *pool,
		    const struct server *server)
{
	const struct label labels[] = {label_of("pool", pool->name),
				       label_of("server", server->name)};
	struct monitor_times times;
	struct histogram histogram = {server_reply_bounds, SERVER_REPLY_BUCKETS, NULL,
				      0};

	if (!monitor_times(page->view->monitor, server, &times))
		return;
	histogram.buckets = times.buckets;
	histogram.sum_us = times.sum_us;
	exposition_histogram(&page->out, labels, COUNT_OF(labels), &histogram);
}

/* ---- of the program ---- */

static void
write_message_seconds(struct page *page)
{
	const struct snapshot *snapshot = page->view->proxy->snapshot;
	uint64_t buckets[TALLY_BUCKETS] = {0};
	struct histogram histogram = {tally_bounds, TALLY_BUCKETS, buckets, 0};

	for (uint32_t i = 0; i < snapshot->listener_count; i++) {
		const struct tally *tally =
			view_tally(page->view, &snapshot->listeners[i]);

		add_buckets(buckets, tally->seconds, TALLY_BUCKETS);
		histogram.sum_us += view_count(&tally->seconds_sum_us);
	}
	exposition_histogram(&page->out, NULL, 0, &histogram);
}

/* By its place in tls.certificates: no label has a name of somebody's. */
static void
write_expiry(struct page *page, size_t index, int64_t expiry)
{
	char text[24];
	const struct label labels[] = {
		{"certificate",
		 span_of(text, (size_t)snprintf(text, sizeof(text), "%zu", index))}};

	exposition_real(&page->out, labels, COUNT_OF(labels), (double)expiry);
}

static void
write_certificate_expiry(struct page *page)
{
	const struct tls_set *set = page->view->tls;
	const struct tls_material *material = set ? tls_set_material(set) : NULL;
	size_t count = material ? tls_material_count(material) : 0;

	for (size_t i = 0; i < count; i++)
		write_expiry(page, i, tls_material_expiry(material, i));
}

static void
write_refused_files(struct page *page)
{
	const struct tls_refusals *refusals = page->view->refusals;

	exposition_count(&page->out, NULL, 0,
			 refusals ? tls_refusals_count(refusals) : 0);
}

static void
write_build(struct page *page)
{
	const struct label labels[] = {label_of("version", EVENPOST_VERSION)};

	COUNT(page, labels, 1);
}

static void
write_cpu_seconds(struct page *page)
{
	if (page->usage_known)
		exposition_real(&page->out, NULL, 0, page->usage.cpu_seconds);
}

static void
write_usage(struct page *page, uint64_t value)
{
	if (page->usage_known)
		exposition_count(&page->out, NULL, 0, value);
}

static void
write_open_descriptors(struct page *page)
{
	write_usage(page, page->usage.open_descriptors);
}

static void
write_max_descriptors(struct page *page)
{
	write_usage(page, page->usage.max_descriptors);
}

static void
write_resident_bytes(struct page *page)
{
	write_usage(page, page->usage.resident_bytes);
}

static void
write_virtual_bytes(struct page *page)
{
	write_usage(page, page->usage.virtual_bytes);
}

static void
write_threads(struct page *page)
{
	write_usage(page, page->usage.threads);
}

static void
write_start_time(struct page *page)
{
	exposition_real(&page->out, NULL, 0, (double)page->view->started / 1000);
}

/* ---- the page ---- */

static const struct family families[] = {
	{"evenpost_sessions_total", "counter", "Client sessions since the start.",
	 .of_listener = write_sessions},
	{"evenpost_sessions_active", "gauge", "Client sessions now.",
	 .of_listener = write_sessions_active},
	{"evenpost_messages_total", "counter", "Messages by what became of them.",
	 .of_listener = write_messages},
	{"evenpost_recipients_total", "counter", "Recipients of those messages.",
	 .of_listener = write_recipients},
	{"evenpost_rejects_total", "counter", "Clients and commands turned away.",
	 .of_listener = write_rejects},
	{"evenpost_bytes_total", "counter", "Bytes of accepted messages.",
	 .of_server = write_bytes},
	{"evenpost_retries_total", "counter",
	 "Attempts that failed here and were made again, by how far they had come.",
	 .of_server = write_retries},
	{"evenpost_server_state", "gauge", "1 for the state the server is in.",
	 .of_server = write_state},
	{"evenpost_server_fault", "gauge",
	 "1 where the server's set-up has a fault that somebody has to mend.",
	 .of_server = write_fault},
	{"evenpost_server_active", "gauge", "Transactions in flight.",
	 .of_server = write_active},
	{"evenpost_server_held", "gauge",
	 "Places kept for clients that are bound to a connection by their login.",
	 .of_server = write_held},
	{"evenpost_server_connects_total", "counter",
	 "Connections to the server, as far as its answer to EHLO.",
	 .of_server = write_connects},
	{"evenpost_message_seconds", "histogram", "From MAIL to the final reply.",
	 .of_program = write_message_seconds},
	{"evenpost_server_reply_seconds", "histogram",
	 "From the end of a message to the server's reply.",
	 .of_server = write_reply_seconds},
	{"evenpost_probe_seconds", "histogram", "How long probes took.",
	 .of_server = write_probe_seconds},
	{"evenpost_certificate_expiry_seconds", "gauge",
	 "When the certificate, or one of its chain, expires, since 1970.",
	 .of_program = write_certificate_expiry},
	{"evenpost_refused_files", "gauge",
	 "Files that have changed and are not taken over, for a fault in them.",
	 .of_program = write_refused_files},
	{"evenpost_build_info", "gauge", "Always 1; the labels tell the build.",
	 .of_program = write_build},
	{"process_cpu_seconds_total", "counter", "User and system time of all threads.",
	 .of_program = write_cpu_seconds},
	{"process_open_fds", "gauge", "Open file descriptors.",
	 .of_program = write_open_descriptors},
	{"process_max_fds", "gauge", "The most descriptors that may be open.",
	 .of_program = write_max_descriptors},
	{"process_resident_memory_bytes", "gauge", "Resident memory.",
	 .of_program = write_resident_bytes},
	{"process_virtual_memory_bytes", "gauge", "Virtual memory.",
	 .of_program = write_virtual_bytes},
	{"process_threads", "gauge", "Threads of the process.",
	 .of_program = write_threads},
	{"process_start_time_seconds", "gauge", "When it was started, since 1970.",
	 .of_program = write_start_time},
};

static void
write_listeners(struct page *page, const struct family *family)
{
	const struct snapshot *snapshot = page->view->proxy->snapshot;

	for (uint32_t i = 0; i < snapshot->listener_count; i++)
		family->of_listener(page, &snapshot->listeners[i]);
}

static void
write_servers(struct page *page, const struct family *family)
{
	const struct snapshot *snapshot = page->view->proxy->snapshot;

	for (uint32_t i = 0; i < snapshot->pool_count; i++) {
		const struct pool *pool = snapshot->pools[i].pool;

		for (uint32_t j = 0; j < pool->server_count; j++)
			family->of_server(page, pool, pool->servers[j]);
	}
}

static void
write_family(struct page *page, const struct family *family)
{
	exposition_begin(&page->out, family->name, family->type, family->help);
	if (family->of_program)
		family->of_program(page);
	if (family->of_listener)
		write_listeners(page, family);
	if (family->of_server)
		write_servers(page, family);
}

enum status
metrics_print(const struct view *view, struct buffer *text)
{
	struct page page = {.view = view};

	exposition_init(&page.out, text);
	page.usage_known = usage_read(&page.usage);
	for (size_t i = 0; i < COUNT_OF(families); i++)
		write_family(&page, &families[i]);
	return page.out.status;
}
