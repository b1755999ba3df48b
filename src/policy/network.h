/*
 * network: a block of addresses in CIDR form, and sets of them: whom a listener
 * believes, whom it serves. Owner: the caller. Thread: any. Never allocates.
 */
#ifndef EVENPOST_POLICY_NETWORK_H
#define EVENPOST_POLICY_NETWORK_H

#include "base/endpoint.h"

struct network {
	unsigned char prefix[16]; /* in the network's order; zero behind its bits */
	int family;               /* AF_INET or AF_INET6 */
	unsigned bits;
};

/*
 * "192.0.2.0/24", "2001:db8::/32"; a bare address is a host. Bits behind the prefix are
 * dropped: 192.0.2.7/24 is 192.0.2.0/24. IPv4-mapped IPv6 becomes IPv4: ::ffff:0:0/96
 * is 0.0.0.0/0.
 */
bool network_read(struct span text, struct network *network);

/* A UNIX socket is in no network, and an IPv4 address in none of IPv6. */
bool network_has(const struct network *network, const struct endpoint *endpoint);
/* It has more addresses than anybody owns: more than 2^24 of IPv4, 2^112 of IPv6. */
bool network_is_wide(const struct network *network);
/* Whether all that are in the other are in it. */
bool network_covers(const struct network *network, const struct network *other);

struct network_set {
	const struct network *networks;
	uint32_t count; /* some tens at most: each is compared */
};

bool network_set_has(const struct network_set *set, const struct endpoint *endpoint);

#endif
