/*
 * extensions: what an EHLO reply announces, as a set: parsed from a server's,
 * intersected over servers, printed for clients. Only what is on this list is ever
 * offered to a client.
 * Thread: any. Never allocates.
 */
#ifndef EVENPOST_SMTP_EXTENSIONS_H
#define EVENPOST_SMTP_EXTENSIONS_H

#include "base/buffer.h"
#include "base/span.h"
#include "smtp/reply.h"

#include <stdint.h>

enum smtp_extension {
	SMTP_PIPELINING = 1 << 0,          /* RFC 2920 */
	SMTP_SIZE = 1 << 1,                /* RFC 1870 */
	SMTP_8BITMIME = 1 << 2,            /* RFC 6152 */
	SMTP_SMTPUTF8 = 1 << 3,            /* RFC 6531 */
	SMTP_DSN = 1 << 4,                 /* RFC 3461 */
	SMTP_ENHANCEDSTATUSCODES = 1 << 5, /* RFC 2034 */
	SMTP_CHUNKING = 1 << 6,            /* RFC 3030 */
	SMTP_STARTTLS = 1 << 7,            /* RFC 3207 */
	SMTP_AUTH = 1 << 8,                /* RFC 4954 */
	SMTP_XCLIENT = 1 << 9,
	SMTP_XFORWARD = 1 << 10,
	SMTP_BINARYMIME = 1 << 11, /* RFC 3030; never offered to clients */
	SMTP_REQUIRETLS = 1 << 12, /* RFC 8689 */
};

struct smtp_extensions {
	uint32_t set;      /* enum smtp_extension */
	uint64_t size;     /* bytes; 0: no limit was announced */
	uint32_t auth;     /* enum sasl_mechanism, those that are known */
	uint16_t xclient;  /* enum smtp_attribute: what the command takes */
	uint16_t xforward; /* likewise */
};

/* All of an EHLO (or LHLO) reply; its first line is the server's name. */
struct smtp_extensions smtp_extensions_read(const struct smtp_reply *reply);

/* What both can; the smaller SIZE, where 0 is the largest; mechanisms and attributes of
 * both. */
struct smtp_extensions
smtp_extensions_intersect(struct smtp_extensions a, struct smtp_extensions b);

/*
 * The reply to EHLO: "250-hostname" and a line for each. Never XCLIENT, XFORWARD,
 * BINARYMIME, nor AUTH without a mechanism. STATUS_FULL,
 * STATUS_NO_MEMORY.
 */
MUST_CHECK enum status
smtp_extensions_print(struct smtp_extensions extensions, struct span hostname,
		      struct buffer *output);

#endif
