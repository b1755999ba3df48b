/*
 * certificate: says in time that a server's certificate ends: with 14, 7, 3 and 1 days
 * left, and when it has ended; and that it has not begun. Each time once
 * (event=certificate pool= server= days= why=). A new certificate begins anew.
 * Owner: the struct it is embedded in. Thread: owner. Never allocates.
 */
#ifndef EVENPOST_HEALTH_CERTIFICATE_H
#define EVENPOST_HEALTH_CERTIFICATE_H

#include "health/record.h"

struct server;

/* Zeroed: nothing was said yet. */
struct certificate_watch {
	unsigned said;   /* how many of the limits were passed when it was said */
	bool said_early; /* that it has not begun */
};

#define CERTIFICATE_REMARK_MAX (2 * PROBE_NAME_MAX + 64)

/*
 * What somebody should hear of it: "CN=hub1, signed by CN=ca, ends on 2026-11-26".
 * False: it is good for 14 days more, and the text is empty.
 * at: milliseconds since 1970.
 */
bool certificate_remark(const struct probe_certificate *certificate, int64_t at,
			char text[CERTIFICATE_REMARK_MAX]);

/* True: something was said. */
bool certificate_look(struct certificate_watch *watch, const struct server *server,
		      const struct probe_certificate *certificate, int64_t at);

#endif
