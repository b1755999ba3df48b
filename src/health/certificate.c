#include "health/certificate.h"

#include "balance/pool.h"
#include "base/log.h"
#include "net/tls_facts.h"

#include <stdio.h>

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

static bool
has_begun(const struct probe_certificate *certificate, int64_t at)
{
	return certificate->begins <= at / 1000;
}

bool
certificate_remark(const struct probe_certificate *certificate, int64_t at,
		   char text[CERTIFICATE_REMARK_MAX])
{
	int64_t days = probe_certificate_days(certificate, at);
	bool early = days >= 0 && !has_begun(certificate, at);
	char day[TLS_DAY_MAX];

	text[0] = 0;
	if (!early && count_passed(days) == 0)
		return false;
	snprintf(text, CERTIFICATE_REMARK_MAX, "%s, signed by %s, %s %s",
		 certificate->subject, certificate->issuer,
		 early      ? "is not valid before"
		 : days < 0 ? "ended on"
			    : "ends on",
		 tls_day_print(early ? certificate->begins : certificate->ends, day));
	return true;
}

static void
say(const struct server *server, const struct probe_certificate *certificate,
    int64_t at)
{
	const struct pool *pool =
		atomic_load_explicit(&server->pool, memory_order_acquire);
	char number[24], why[CERTIFICATE_REMARK_MAX];
	struct log_line line;

	snprintf(number, sizeof(number), "%lld",
		 (long long)probe_certificate_days(certificate, at));
	certificate_remark(certificate, at, why);
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
	unsigned passed = count_passed(probe_certificate_days(certificate, at));
	bool early = !has_begun(certificate, at);
	bool more = passed > watch->said || (early && !watch->said_early);

	watch->said = passed;
	watch->said_early = early;
	if (more)
		say(server, certificate, at);
	return more;
}
