/*
 * domain_name: names of hosts as text, and what DNS makes of them: the wire's form
 * (RFC 1035 section 3.1) and the names that stand for addresses. What others' servers
 * say is checked here, before it may reach a log line or another server.
 * Thread: any. Never allocates.
 */
#ifndef EVENPOST_NET_DOMAIN_NAME_H
#define EVENPOST_NET_DOMAIN_NAME_H

#include "base/endpoint.h"
#include "base/span.h"

/* RFC 1035 section 2.3.4, as text without the final dot; and with the NUL. */
#define DOMAIN_NAME_MAX 253
#define DOMAIN_NAME_SIZE (DOMAIN_NAME_MAX + 1)

/* Whether it may be asked for; a final dot may be there. */
bool domain_name_is_valid(struct span name);

/*
 * The name of a host in its wire form, uncompressed, to text in lower case. False:
 * it is malformed, has other octets than letters, digits, hyphens and underscores, or
 * looks like an address.
 */
bool domain_name_from_wire(struct span wire, char name[DOMAIN_NAME_SIZE]);

/*
 * Where the names of an address stand: "1.2.0.192.in-addr.arpa" (RFC 1035 section 3.5,
 * RFC 3596 section 2.5). False: it is neither IPv4 nor IPv6.
 */
bool
domain_name_of_address(const struct endpoint *address, char name[DOMAIN_NAME_SIZE]);

#endif
