#include "health/certificate.h"

#include "balance/pool.h"
#include "base/log.h"

#include <stdio.h>
#include <time.h>

/* Fewer days than that: somebody should hear of it. */
static const int limits[] = {14, 7, 3, 1, 0};

static unsigned
count_passed(int64_t days)
{
	unsigned passed = 0;

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		passed += days < limits[i];
	return passed;
}

static void
say(const struct server *server, const struct probe_certificate *certificate,
    int64_t days)
{
	const struct pool *pool =
		atomic_load_explicit(&server->pool, memory_order_acquire);
	char number[24], day[16], why[2 * PROBE_NAME_MAX + 64];
	time_t seconds = certificate->ends;
	struct log_line line;
	struct tm parts;

	gmtime_r(&seconds, &parts);
	strftime(day, sizeof(day), "%Y-%m-%d", &parts);
	snprintf(number, sizeof(number), "%lld", (long long)days);
	snprintf(why, sizeof(why), "%s, signed by %s, %s on %s", certificate->subject,
		 certificate->issuer, days < 0 ? "ended" : "ends", day);
	log_begin(&line, LOG_WARNING, "certificate");
	log_string(&line, "pool", pool ? pool->name : NULL);
	log_string(&line, "server", server->name);
	log_string(&line, "days", number);
	log_string(&line, "why", why);
	log_end(&line);
}

bool
certificate_look(struct certificate_watch *watch, const struct server *server,
		 const struct probe_certificate *certificate, int64_t at)
{
	int64_t days = probe_certificate_days(certificate, at);
	unsigned passed = count_passed(days);
	bool more = passed > watch->said;

	watch->said = passed;
	if (more)
		say(server, certificate, days);
	return more;
}
