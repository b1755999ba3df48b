/*
 * origin: who a client is, as servers are told: in a PROXY header, with XCLIENT or
 * XFORWARD, in a Received line. A plain value that is filled in for the moment of
 * telling; its spans borrow from the session.
 * Thread: any. Never allocates.
 */
#ifndef EVENPOST_SMTP_ORIGIN_H
#define EVENPOST_SMTP_ORIGIN_H

#include "base/endpoint.h"
#include "base/span.h"

enum smtp_name_state {
	SMTP_NAME_UNKNOWN, /* not asked for, or not known now: may be later */
	SMTP_NAME_FOUND,
	SMTP_NAME_NONE, /* DNS has none that leads back to the address */
};

struct smtp_origin {
	struct endpoint client;      /* of length 0 or a UNIX path: no IP address */
	struct endpoint destination; /* where it connected to; the same */
	enum smtp_name_state name_state;
	struct span name; /* SMTP_NAME_FOUND: by DNS, confirmed */
	struct span helo; /* empty: none */
	bool extended;    /* it said EHLO */
	bool authenticated;
	struct span login;
	struct span id; /* of the session, printable ASCII */
	struct {
		bool used;
		bool has_certificate; /* that the client has shown */
		bool resumed;         /* it did so in an earlier connection */
		bool verified;
		struct span version;
		struct span cipher;
		struct span server_name; /* SNI */
		struct span common_name; /* of the client's certificate */
	} tls;
};

static inline bool
smtp_origin_is_ip(const struct endpoint *endpoint)
{
	int family = endpoint_family(endpoint);

	return family == AF_INET || family == AF_INET6;
}

/*
 * Who came in by a UNIX socket is on this machine: the ends of our own connection to
 * the server stand for its address, or, where they have none either, loopback.
 */
void smtp_origin_stand_in(struct smtp_origin *origin, const struct endpoint *local,
			  const struct endpoint *peer);

/* RFC 3848, which has no word for HELO over TLS: "SMTPS". Only EHLO leads to AUTH. */
static inline struct span
smtp_origin_protocol(const struct smtp_origin *origin)
{
	if (!origin->extended)
		return origin->tls.used ? SPAN("SMTPS") : SPAN("SMTP");
	if (origin->authenticated)
		return origin->tls.used ? SPAN("ESMTPSA") : SPAN("ESMTPA");
	return origin->tls.used ? SPAN("ESMTPS") : SPAN("ESMTP");
}

#endif
