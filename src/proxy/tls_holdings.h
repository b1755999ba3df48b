/*
 * tls_holdings: what is in the named files, read; each by itself, so that one that is
 * no good keeps none of the others from being used. Owner: the struct it is embedded
 * in; what is read is shared by all that hold it. Thread: owner; loading reads files:
 * the control thread's work. Allocates when loaded.
 */
#ifndef EVENPOST_PROXY_TLS_HOLDINGS_H
#define EVENPOST_PROXY_TLS_HOLDINGS_H

#include "net/tls_authorities.h"
#include "net/tls_material.h"
#include "net/tls_tickets.h"
#include "proxy/smarthost.h"
#include "proxy/tls_refusals.h"

/* Of one named file; references. All NULL: it is no good, or it has keys of tickets. */
struct tls_holding {
	struct tls_pair *pair;
	struct tls_authorities *authorities;
	struct smarthost *smarthost;
};

struct tls_holdings {
	const struct named_files *files;
	struct tls_holding *of; /* by named file */
	uint32_t count;
	struct tls_material *material; /* all pairs for clients; NULL: there are none */
};

/* What is to be read, and what stands for it where it is no good. */
struct tls_reading {
	const struct named_files *files;
	const bool *wanted;                /* by named file; NULL: all of them */
	const struct tls_holdings *before; /* of the same files; NULL: nothing */
	/* They become what is in their file, if it is good. */
	struct tls_tickets *tickets;
};

/*
 * What is not wanted is as it was before, and so is what is wanted and refused. The
 * refusals of what was wanted are written anew. STATUS_NO_MEMORY: nothing is held.
 */
MUST_CHECK enum status
tls_holdings_load(struct tls_holdings *holdings, const struct tls_reading *reading,
		  struct tls_refusals *refusals);
/* A zeroed one is ignored. The named files may be gone. */
void tls_holdings_fini(struct tls_holdings *holdings);

/* Advice for what has expired, will in TLS_HOLDINGS_WARNING_DAYS, or is not valid yet,
   and for secrets that anybody could read. now: since 1970. */
#define TLS_HOLDINGS_WARNING_DAYS 14
void tls_holdings_advise(const struct tls_holdings *holdings, int64_t now,
			 struct report *report);

#endif
