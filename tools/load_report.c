#include "tools/load.h"

#include <inttypes.h>
#include <sys/resource.h>

/* Of what a server said, only what can harm neither a terminal nor JSON. */
static void
text_print(char *text, size_t size, struct span bytes)
{
	size_t length = bytes.length < size - 1 ? bytes.length : size - 1;

	for (size_t at = 0; at < length; at++) {
		char byte = bytes.at[at];
		bool plain = byte >= ' ' && byte <= '~' && byte != '"' && byte != '\\';

		text[at] = plain ? byte : '?';
	}
	text[length] = '\0';
}

/* "rcpt 451 4.3.0": alike are replies of the same place with the same codes. */
static void
failure_name(char what[FAILURE_NAME_MAX], const char *place,
	     const struct smtp_reply *reply, const char *cause)
{
	struct smtp_enhanced enhanced;

	if (!reply) {
		char text[FAILURE_NAME_MAX];

		/* OpenSSL's words may be the cause */
		snprintf(text, sizeof(text), "%s %s", place, cause);
		text_print(what, FAILURE_NAME_MAX, span_from_string(text));
		return;
	}
	enhanced = smtp_reply_enhanced(reply);
	if (enhanced.class)
		snprintf(what, FAILURE_NAME_MAX, "%s %u %u.%u.%u", place, reply->code,
			 enhanced.class, enhanced.subject, enhanced.detail);
	else
		snprintf(what, FAILURE_NAME_MAX, "%s %u", place, reply->code);
}

static struct failure *
failure_find(struct load_totals *totals, const char *what)
{
	struct failure *row;

	for (unsigned at = 0; at < totals->failure_kinds; at++) {
		if (!strcmp(totals->failures[at].what, what))
			return &totals->failures[at];
	}
	if (totals->failure_kinds == FAILURE_KINDS_MAX)
		return NULL;
	row = &totals->failures[totals->failure_kinds++];
	snprintf(row->what, sizeof(row->what), "%s", what);
	return row;
}

void
load_count_failure(struct load *load, const char *place, const struct smtp_reply *reply,
		   const char *cause)
{
	char what[sizeof(load->totals.failures[0].what)];
	struct failure *row;

	failure_name(what, place, reply, cause);
	row = failure_find(&load->totals, what);
	if (!row) {
		load->totals.other_failures++;
		return;
	}
	if (row->count++ == 0 && reply)
		text_print(row->example, sizeof(row->example),
			   smtp_reply_first_line(reply));
}

void
load_log_message(struct load *load, uint64_t number, bool accepted, struct span reply)
{
	char id[LOAD_ID_LENGTH + 1];
	char text[512];

	if (!load->log)
		return;
	load_content_id(&load->content, number, id);
	text_print(text, sizeof(text), reply);
	fprintf(load->log, "%s %s %s\n", id, accepted ? "accepted" : "failed", text);
}

static const struct {
	const char *name;
	double share;
} quantiles[] = {
	{"p50", 0.5},
	{"p90", 0.9},
	{"p99", 0.99},
	{"p99.9", 0.999},
};

#define QUANTILES (sizeof(quantiles) / sizeof(quantiles[0]))

static double
milliseconds(uint64_t microseconds)
{
	return (double)microseconds / 1000;
}

static double
cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double
load_seconds(const struct load *load)
{
	/* a run of nothing takes no time; its rates are 0 all the same */
	return load->end > load->begin ? (double)(load->end - load->begin) / 1e6 : 1e-6;
}

static void
latency_print_json(const char *name, const struct histogram *histogram,
		   const char *after)
{
	printf("\"%s\":{\"count\":%" PRIu64 ",\"min\":%.3f", name, histogram->total,
	       milliseconds(histogram->min));
	for (size_t at = 0; at < QUANTILES; at++)
		printf(",\"%s\":%.3f", quantiles[at].name,
		       milliseconds(
			       histogram_quantile(histogram, quantiles[at].share)));
	printf(",\"max\":%.3f}%s", milliseconds(histogram->max), after);
}

static void
load_report_json(const struct load *load)
{
	const struct load_totals *totals = &load->totals;
	double seconds = load_seconds(load);

	printf("{\"unit\":\"%s\",\"accepted\":%" PRIu64 ",\"failed\":%" PRIu64
	       ",\"recipients\":%" PRIu64 ",\"recipients_failed\":%" PRIu64
	       ",\"bytes\":%" PRIu64 ",\"connections\":%" PRIu64
	       ",\"handshakes\":%" PRIu64 ",\"resumed\":%" PRIu64
	       ",\"seconds\":%.6f,\"per_second\":%.3f,\"megabytes_per_second\":%.3f"
	       ",\"cpu_seconds\":%.6f,\"latency_ms\":{",
	       load->options->connect_only ? "sessions" : "messages", totals->accepted,
	       totals->failed, totals->recipients, totals->recipients_failed,
	       totals->bytes, totals->connections, totals->handshakes, totals->resumed,
	       seconds, (double)totals->accepted / seconds,
	       (double)totals->bytes / 1e6 / seconds, cpu_seconds());
	latency_print_json("message", &totals->message, ",");
	latency_print_json("connect", &totals->connect, ",");
	latency_print_json("handshake", &totals->handshake, ",");
	latency_print_json("session", &totals->session, "},\"failures\":[");
	for (unsigned at = 0; at < totals->failure_kinds; at++) {
		const struct failure *row = &totals->failures[at];

		printf("%s{\"what\":\"%s\",\"count\":%" PRIu64 ",\"example\":\"%s\"}",
		       at ? "," : "", row->what, row->count, row->example);
	}
	printf("],\"other_failures\":%" PRIu64 "}\n", totals->other_failures);
}

static void
latency_print(const char *name, const struct histogram *histogram)
{
	if (histogram->total == 0)
		return;
	printf("%-9s ms   min %.2f", name, milliseconds(histogram->min));
	for (size_t at = 0; at < QUANTILES; at++)
		printf("  %s %.2f", quantiles[at].name,
		       milliseconds(
			       histogram_quantile(histogram, quantiles[at].share)));
	printf("  max %.2f\n", milliseconds(histogram->max));
}

static void
load_report_text(const struct load *load)
{
	const struct load_totals *totals = &load->totals;
	double seconds = load_seconds(load);

	printf("%" PRIu64 " %s accepted, %" PRIu64 " failed, %" PRIu64
	       " recipients, %" PRIu64 " connections in %.3f s\n",
	       totals->accepted, load->options->connect_only ? "sessions" : "messages",
	       totals->failed, totals->recipients, totals->connections, seconds);
	printf("%.1f/s, %.2f MB/s, %.3f s of CPU here\n",
	       (double)totals->accepted / seconds,
	       (double)totals->bytes / 1e6 / seconds, cpu_seconds());
	if (totals->handshakes)
		printf("%" PRIu64 " TLS handshakes, %" PRIu64 " resumed\n",
		       totals->handshakes, totals->resumed);
	latency_print("message", &totals->message);
	latency_print("connect", &totals->connect);
	latency_print("handshake", &totals->handshake);
	latency_print("session", &totals->session);
	for (unsigned at = 0; at < totals->failure_kinds; at++)
		printf("%8" PRIu64 " x %s  %s\n", totals->failures[at].count,
		       totals->failures[at].what, totals->failures[at].example);
	if (totals->other_failures)
		printf("%8" PRIu64 " x other failures\n", totals->other_failures);
}

void
load_report(const struct load *load)
{
	if (load->options->json)
		load_report_json(load);
	else
		load_report_text(load);
	fflush(stdout);
}
