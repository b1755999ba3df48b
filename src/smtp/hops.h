/*
 * hops: how many servers a message has passed, counted by the Received fields of its
 * header as it streams by (RFC 5321 6.3: a loop is known by their number). Lines end in
 * CRLF, or in LF alone as bodies of BDAT may; the header ends at the first empty line.
 * Owner: the transaction it is embedded in. Thread: owner. Never allocates.
 */
#ifndef EVENPOST_SMTP_HOPS_H
#define EVENPOST_SMTP_HOPS_H

#include "base/span.h"

#include <stdint.h>

/* Zeroed: at the start of a message. */
struct smtp_hops {
	uint32_t count;
	bool done;  /* the header has ended: nothing is looked at any more */
	uint8_t at; /* in a line; see hops.c */
};

/* The next piece of the message, cut anywhere. */
void smtp_hops_take(struct smtp_hops *hops, struct span piece);

#endif
