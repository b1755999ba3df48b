/*
 * proxy_header: the PROXY protocol, versions 1 and 2 (proxy-protocol.txt of HAProxy,
 * 2020/03/05; section 2.1 is version 1, section 2.2 version 2), read in front of what
 * a client says and written in front of what a server hears.
 *
 * Who may send one, and whether the addresses in it are believed, is the caller's to
 * decide: the header is only what the peer claims.
 * Thread: any. Never allocates.
 */
#ifndef EVENPOST_SMTP_PROXY_HEADER_H
#define EVENPOST_SMTP_PROXY_HEADER_H

#include "smtp/origin.h"

/* More bytes than these are never asked for: version 2's head and what is behind it. */
#define PROXY_HEADER_READ_MAX (16 + 4096)

/* Fits into the smallest segment that every host takes (RFC 791 3.1, 879). */
#define PROXY_HEADER_PRINT_MAX 536

struct proxy_header {
	unsigned version;
	bool local; /* it names nobody: the peer of the connection is the client */
	struct endpoint source; /* of length 0 where it is local */
	struct endpoint destination;
	size_t length; /* bytes of the header; what follows them is the client's */
};

enum proxy_header_result {
	PROXY_HEADER_MORE, /* unfinished: call again with these bytes and more */
	PROXY_HEADER_COMPLETE,
	PROXY_HEADER_MALFORMED, /* whatever follows: said as early as it is certain */
};

/*
 * Looks at all bytes received so far, from the first one; consumes none. Version 1 is
 * at most 107 bytes long. Of version 2, command LOCAL and the family UNSPEC are skipped
 * whole, as their receiver should ignore what they hold; behind other addresses the
 * TLVs are walked, and a CRC32C among them must be right. Only stream transports are
 * taken. UNIX addresses count as local. The header is valid when it is COMPLETE.
 */
enum proxy_header_result
proxy_header_read(struct span input, struct proxy_header *header);

/*
 * Version 1; both ends have an IP address. Where one is IPv4 and one IPv6, the IPv4
 * address is written as an IPv4-mapped one. Returns the length.
 */
size_t
proxy_header_print_v1(const struct endpoint *source, const struct endpoint *destination,
		      char room[PROXY_HEADER_PRINT_MAX]);

/*
 * Version 2, with TLVs for TLS, the name that the client asked for in it, and the id of
 * the session; a TLV that does not fit is left out whole. Where not both ends have an
 * IP address, the family is UNSPEC. local: command LOCAL, which says nothing of a
 * client; origin may be NULL. Returns the length.
 */
size_t proxy_header_print_v2(const struct smtp_origin *origin, bool local,
			     char room[PROXY_HEADER_PRINT_MAX]);

#endif
