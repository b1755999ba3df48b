#include "base/endpoint.h"

#include "base/number.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>
#include <xxhash.h>

_Static_assert(sizeof(struct sockaddr_in) <= sizeof(((struct endpoint *)0)->address) &&
		       sizeof(struct sockaddr_in6) <=
			       sizeof(((struct endpoint *)0)->address) &&
		       sizeof(struct sockaddr_un) <=
			       sizeof(((struct endpoint *)0)->address),
	       "an endpoint has room for every address");

#define PATH_MAX_LENGTH (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)
#define PATH_OFFSET offsetof(struct sockaddr_un, sun_path)

/* The kernel gives a path with its NUL or without, and none of an unnamed socket. */
static size_t
path_length(const struct endpoint *endpoint)
{
	return strnlen((const char *)endpoint->address.bytes + PATH_OFFSET,
		       endpoint->length - PATH_OFFSET);
}

struct span
endpoint_host(const struct endpoint *endpoint)
{
	const char *bytes = (const char *)endpoint->address.bytes;

	switch (endpoint_family(endpoint)) {
	case AF_INET:
		return span_of(bytes + offsetof(struct sockaddr_in, sin_addr), 4);
	case AF_INET6:
		return span_of(bytes + offsetof(struct sockaddr_in6, sin6_addr), 16);
	case AF_UNIX:
		return span_of(bytes + PATH_OFFSET, path_length(endpoint));
	default:
		return span_of("", 0);
	}
}

static void
set_address(struct endpoint *endpoint, const void *address, size_t length)
{
	*endpoint = (struct endpoint){.length = (socklen_t)length};
	memcpy(endpoint->address.bytes, address, length);
}

static void
set_ipv4(struct endpoint *endpoint, const void *address, uint16_t port)
{
	struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(port)};

	memcpy(&ipv4.sin_addr, address, sizeof(ipv4.sin_addr));
	set_address(endpoint, &ipv4, sizeof(ipv4));
}

static void
set_ipv6(struct endpoint *endpoint, const struct in6_addr *address, uint16_t port,
	 uint32_t scope)
{
	struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6,
				    .sin6_port = htons(port),
				    .sin6_addr = *address,
				    .sin6_scope_id = scope};

	if (IN6_IS_ADDR_V4MAPPED(address))
		set_ipv4(endpoint, address->s6_addr + 12, port);
	else
		set_address(endpoint, &ipv6, sizeof(ipv6));
}

bool
endpoint_read_address(struct span text, uint16_t port, struct endpoint *endpoint)
{
	char string[INET6_ADDRSTRLEN] = {0};
	struct in6_addr ipv6;
	struct in_addr ipv4;

	if (text.length >= sizeof(string) || span_find(text, 0) != SPAN_NOWHERE)
		return false;
	if (text.length)
		memcpy(string, text.at, text.length);
	if (inet_pton(AF_INET, string, &ipv4) == 1) {
		set_ipv4(endpoint, &ipv4, port);
		return true;
	}
	if (inet_pton(AF_INET6, string, &ipv6) == 1) {
		set_ipv6(endpoint, &ipv6, port, 0);
		return true;
	}
	return false;
}

static bool
read_path(struct span path, struct endpoint *endpoint)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX};

	if (span_is_empty(path) || path.length > PATH_MAX_LENGTH ||
	    span_find(path, 0) != SPAN_NOWHERE)
		return false;
	memcpy(local.sun_path, path.at, path.length);
	set_address(endpoint, &local, PATH_OFFSET + path.length + 1);
	return true;
}

bool
endpoint_read(struct span text, struct endpoint *endpoint)
{
	size_t colon = span_find_last(text, ':');
	struct span host = span_take(text, colon);
	uint64_t port;

	if (span_starts(text, SPAN("unix:")))
		return read_path(span_skip(text, 5), endpoint);
	if (colon == SPAN_NOWHERE ||
	    !number_read(span_skip(text, colon + 1), UINT16_MAX, &port))
		return false;
	if (span_starts(host, SPAN("["))) {
		/* Brackets hold IPv6 and nothing else. */
		if (host.at[host.length - 1] != ']')
			return false;
		host = span_of(host.at + 1, host.length - 2);
		if (span_find(host, ':') == SPAN_NOWHERE)
			return false;
	} else if (span_find(host, ':') != SPAN_NOWHERE) {
		return false;
	}
	return endpoint_read_address(host, (uint16_t)port, endpoint);
}

void
endpoint_from_sockaddr(struct endpoint *endpoint, const struct sockaddr *address,
		       socklen_t length)
{
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;

	*endpoint = (struct endpoint){0};
	if (length < sizeof(address->sa_family))
		return;
	if (address->sa_family == AF_INET && length >= sizeof(ipv4)) {
		memcpy(&ipv4, address, sizeof(ipv4));
		set_ipv4(endpoint, &ipv4.sin_addr, ntohs(ipv4.sin_port));
	} else if (address->sa_family == AF_INET6 && length >= sizeof(ipv6)) {
		memcpy(&ipv6, address, sizeof(ipv6));
		set_ipv6(endpoint, &ipv6.sin6_addr, ntohs(ipv6.sin6_port),
			 ipv6.sin6_scope_id);
	} else if (address->sa_family == AF_UNIX &&
		   length <= sizeof(struct sockaddr_un)) {
		set_address(endpoint, address, length);
	}
}

static size_t
print_host(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_MAX])
{
	struct span host = endpoint_host(endpoint);
	int family = endpoint_family(endpoint);

	text[0] = 0;
	if (family == AF_UNIX)
		return (size_t)snprintf(text, ENDPOINT_TEXT_MAX, "unix:%.*s",
					SPAN_ARGS(host));
	if (family != AF_UNSPEC)
		inet_ntop(family, host.at, text, ENDPOINT_TEXT_MAX);
	return strlen(text);
}

size_t
endpoint_print(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_MAX])
{
	const char *format = "%s:%u";
	char host[ENDPOINT_TEXT_MAX];

	switch (endpoint_family(endpoint)) {
	case AF_INET6:
		format = "[%s]:%u";
		__attribute__((fallthrough));
	case AF_INET:
		print_host(endpoint, host);
		return (size_t)snprintf(text, ENDPOINT_TEXT_MAX, format, host,
					endpoint_port(endpoint));
	default:
		return print_host(endpoint, text);
	}
}

size_t
endpoint_print_address(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_MAX])
{
	return print_host(endpoint, text);
}

static uint32_t
scope_of(const struct endpoint *endpoint)
{
	struct sockaddr_in6 ipv6;

	if (endpoint_family(endpoint) != AF_INET6)
		return 0;
	memcpy(&ipv6, endpoint->address.bytes, sizeof(ipv6));
	return ipv6.sin6_scope_id;
}

bool
endpoint_equals_address(const struct endpoint *a, const struct endpoint *b)
{
	return endpoint_family(a) == endpoint_family(b) && scope_of(a) == scope_of(b) &&
	       span_equals(endpoint_host(a), endpoint_host(b));
}

bool
endpoint_equals(const struct endpoint *a, const struct endpoint *b)
{
	return endpoint_equals_address(a, b) && endpoint_port(a) == endpoint_port(b);
}

uint64_t
endpoint_hash_address(const struct endpoint *endpoint)
{
	struct span host = endpoint_host(endpoint);

	return XXH3_64bits(host.at, host.length);
}

struct span
endpoint_subscriber(const struct endpoint *endpoint)
{
	struct span host = endpoint_host(endpoint);

	return endpoint_family(endpoint) == AF_INET6 ? span_take(host, 8) : host;
}

/* Where the port stands, in the network's order; NULL in an address without one. */
static unsigned char *
port_bytes(struct endpoint *endpoint)
{
	switch (endpoint_family(endpoint)) {
	case AF_INET:
		return endpoint->address.bytes + offsetof(struct sockaddr_in, sin_port);
	case AF_INET6:
		return endpoint->address.bytes +
		       offsetof(struct sockaddr_in6, sin6_port);
	default:
		return NULL;
	}
}

uint16_t
endpoint_port(const struct endpoint *endpoint)
{
	struct endpoint copy = *endpoint;
	const unsigned char *port = port_bytes(&copy);

	return port ? (uint16_t)(port[0] << 8 | port[1]) : 0;
}

void
endpoint_set_port(struct endpoint *endpoint, uint16_t port)
{
	unsigned char *bytes = port_bytes(endpoint);

	if (!bytes)
		return;
	bytes[0] = (unsigned char)(port >> 8);
	bytes[1] = (unsigned char)(port & 0xff);
}

int
endpoint_family(const struct endpoint *endpoint)
{
	return endpoint->length ? endpoint->address.any.sa_family : AF_UNSPEC;
}

bool
endpoint_has_prefix(const struct endpoint *endpoint, int family,
		    const unsigned char *prefix, unsigned bits)
{
	struct span host = endpoint_host(endpoint);
	unsigned whole = bits / 8;
	unsigned rest = bits % 8;
	unsigned mask = 0xffU << (8 - rest) & 0xffU;

	if (endpoint_family(endpoint) != family)
		return false;
	assert(bits <= host.length * 8);
	if (memcmp(prefix, host.at, whole) != 0)
		return false;
	return rest == 0 ||
	       ((unsigned char)host.at[whole] & mask) == (prefix[whole] & mask);
}

struct block {
	unsigned char prefix[16];
	int family;
	unsigned bits;
	bool loopback;
};

static const struct block private_blocks[] = {
	{{127}, AF_INET, 8, true},        {{10}, AF_INET, 8, false},
	{{172, 16}, AF_INET, 12, false},  {{192, 168}, AF_INET, 16, false},
	{{169, 254}, AF_INET, 16, false}, {{[15] = 1}, AF_INET6, 128, true},
	{{0xfc}, AF_INET6, 7, false},     {{0xfe, 0x80}, AF_INET6, 10, false},
};

static const struct block *
find_private_block(const struct endpoint *endpoint)
{
	for (size_t i = 0; i < sizeof(private_blocks) / sizeof(private_blocks[0]);
	     i++) {
		const struct block *block = &private_blocks[i];

		if (endpoint_has_prefix(endpoint, block->family, block->prefix,
					block->bits))
			return block;
	}
	return NULL;
}

bool
endpoint_is_private(const struct endpoint *endpoint)
{
	return endpoint_family(endpoint) == AF_UNIX || find_private_block(endpoint);
}

bool
endpoint_is_loopback(const struct endpoint *endpoint)
{
	const struct block *block = find_private_block(endpoint);

	return block && block->loopback;
}

bool
endpoint_is_any(const struct endpoint *endpoint)
{
	static const char zeros[16];
	struct span host = endpoint_host(endpoint);

	switch (endpoint_family(endpoint)) {
	case AF_INET:
	case AF_INET6:
		return !memcmp(host.at, zeros, host.length);
	default:
		return false;
	}
}
