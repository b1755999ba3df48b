/*
 * probe: one check of one server: a script of steps, from a mere connect to a
 * recipient. Where the pool's traffic begins with a PROXY header, so does a check: with
 * one that names nobody (version 2, LOCAL), or the check's own addresses (version 1).
 * So it is with TLS: what traffic needs has to work, and starttls insists on it. A
 * check that speaks SMTP reads the whole greeting, says QUIT and waits for the answer,
 * so that the server's log shows a proper visit. A check has one deadline.
 *
 * An EHLO that is answered teaches the server's extensions. Apart from that the
 * probe only finds out; what follows from it is the monitor's.
 *
 * Owner: the monitor. Thread: control. Allocates while it runs; the record stays.
 */
#ifndef EVENPOST_HEALTH_PROBE_H
#define EVENPOST_HEALTH_PROBE_H

#include "base/span.h"
#include "config/snapshot.h"
#include "health/program.h"
#include "health/record.h"
#include "net/stream.h"
#include "smtp/client.h"

/* What to do; the spans are borrowed while probes run by it. */
struct probe_plan {
	enum probe_kind kind; /* not PROBE_NONE */
	enum mail_protocol protocol;
	enum identity_method identity; /* what traffic says first, a probe says too */
	int64_t timeout;               /* milliseconds, for all of it */
	enum pool_tls tls;
	bool tls_fallback;
	bool relays_logins; /* a listener of the pool offers AUTH, if the servers do */
	struct span tls_name; /* what the server is called in it */
	/* Where the one is found that is to be used now; where there is TLS. */
	struct tls_client *const *tls_client;
	struct span hostname; /* for EHLO */
	struct span sender;
	struct span recipient;
	struct span script; /* absolute path */
};

struct probe;
struct tls_client;
typedef void probe_ended(struct probe *probe);

struct probe {
	struct loop *loop;
	const struct probe_plan *plan;
	struct server *server;
	probe_ended *ended;
	bool running;
	struct probe_record record;
	uint64_t began; /* microseconds */
	struct timer deadline;
	/* the conversation */
	struct stream stream;
	struct smtp_client client;
	struct buffer input;
	struct buffer output;
	const uint8_t *script; /* the next enum smtp_step of it */
	enum smtp_step asked;  /* the step whose reply is awaited */
	bool connecting;
	bool plain_hello; /* EHLO was refused: HELO */
	bool shaking_hands;
	bool misses_identity; /* the last that looked for it has noted so */
	bool in_clear; /* traffic would do without TLS: STARTTLS was refused for now */
	struct smtp_extensions announced;
	/* the external program */
	struct program program;
};

void probe_init(struct probe *probe, struct loop *loop);
/* Stops it, and frees what it holds. */
void probe_fini(struct probe *probe);

/*
 * Begins; one at a time. ended is called once, never from inside this call, when the
 * record is complete; it may begin another.
 */
void probe_start(struct probe *probe, const struct probe_plan *plan,
		 struct server *server, probe_ended *ended);

/* Breaks it off; ended is not called. */
void probe_stop(struct probe *probe);

/* "tcp", "banner" … as in the configuration. */
const char *probe_kind_name(enum probe_kind kind);

#endif
