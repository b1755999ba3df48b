/*
 * endpoint: an address and port, or a UNIX socket's path; a value without a socket.
 * IPv4-mapped IPv6 addresses become IPv4 when read or taken from the kernel.
 * Thread: any. Never allocates.
 */
#ifndef EVENPOST_BASE_ENDPOINT_H
#define EVENPOST_BASE_ENDPOINT_H

#include "base/span.h"

#include <stdint.h>
#include <sys/socket.h>

struct endpoint {
	socklen_t length; /* of the address below; 0: none */
	union {
		struct sockaddr any;
		/* room for IPv4, IPv6 and UNIX addresses; see endpoint.c */
		unsigned char bytes[112] __attribute__((aligned(8)));
	} address;
};

/* Longest text endpoint_print() writes, with its NUL. */
#define ENDPOINT_TEXT_MAX 128

/* "192.0.2.1:25", "[2001:db8::1]:25", "unix:/path". Host names are refused. */
bool endpoint_read(struct span text, struct endpoint *endpoint);

/* A bare address "192.0.2.1" or "2001:db8::1", with the given port. */
bool endpoint_read_address(struct span text, uint16_t port, struct endpoint *endpoint);

/* From what the kernel gave. */
void endpoint_from_sockaddr(struct endpoint *endpoint, const struct sockaddr *address,
			    socklen_t length);

/* As endpoint_read() takes it. Returns the text's length; the text ends in NUL. */
size_t endpoint_print(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_MAX]);
/* Without the port and without brackets: for logs. */
size_t
endpoint_print_address(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_MAX]);

bool endpoint_equals(const struct endpoint *a, const struct endpoint *b);
bool endpoint_equals_address(const struct endpoint *a, const struct endpoint *b);

/* Of the address without the port; stable between processes and machines. */
uint64_t endpoint_hash_address(const struct endpoint *endpoint);

uint16_t endpoint_port(const struct endpoint *endpoint);
void endpoint_set_port(struct endpoint *endpoint, uint16_t port);
int endpoint_family(const struct endpoint *endpoint);

/*
 * The bytes that say which machine, in the network's order: 4, 16, the path of a UNIX
 * socket, or none. Borrowed from the endpoint.
 */
struct span endpoint_host(const struct endpoint *endpoint);
/* The same, but of IPv6 the first 8: a subscriber has a /64, and can use any of it. */
struct span endpoint_subscriber(const struct endpoint *endpoint);
/*
 * Whether it is of the family, AF_INET or AF_INET6, and its first bits are those of the
 * prefix; bits <= 32 or 128.
 */
bool endpoint_has_prefix(const struct endpoint *endpoint, int family,
			 const unsigned char *prefix, unsigned bits);

/* Loopback, RFC 1918, RFC 4193, link-local, or UNIX: not reachable from the internet.
 */
bool endpoint_is_private(const struct endpoint *endpoint);
bool endpoint_is_loopback(const struct endpoint *endpoint);
/* The unspecified address 0.0.0.0 or ::. */
bool endpoint_is_any(const struct endpoint *endpoint);

#endif
