#include "smtp/proxy_header.h"
#include "smtp/text.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>

#define SIGNATURE SPAN("\r\n\r\n\0\r\nQUIT\n")
#define HEAD 16
#define LENGTH_AT 14
#define TLV_HEAD 3
#define UNIQUE_ID_MAX 128 /* section 2.2.5 */

/* Section 2.2, "TLV vectors"; the part of TLS is section 2.2.6. */
enum {
	TLV_AUTHORITY = 0x02,
	TLV_UNIQUE_ID = 0x05,
	TLV_TLS = 0x20,
	TLV_TLS_VERSION = 0x21,
	TLV_TLS_COMMON_NAME = 0x22,
	TLV_TLS_CIPHER = 0x23,
};
#define TLS_USED 0x01
#define TLS_CERTIFICATE_NOW 0x02        /* shown in this connection */
#define TLS_CERTIFICATE_IN_SESSION 0x04 /* or in the one that was resumed */

/* Both ends are written in one family, IPv6 where they differ. */
static int
common_family(const struct endpoint *source, const struct endpoint *destination)
{
	if (!smtp_origin_is_ip(source) || !smtp_origin_is_ip(destination))
		return AF_UNSPEC;
	return endpoint_family(source) == endpoint_family(destination)
		       ? endpoint_family(source)
		       : AF_INET6;
}

static bool
is_mapped(const struct endpoint *endpoint, int family)
{
	return family == AF_INET6 && endpoint_family(endpoint) == AF_INET;
}

size_t
proxy_header_print_v1(const struct endpoint *source, const struct endpoint *destination,
		      char room[PROXY_HEADER_PRINT_MAX])
{
	int family = common_family(source, destination);
	char from[ENDPOINT_TEXT_MAX];
	char to[ENDPOINT_TEXT_MAX];

	assert(family != AF_UNSPEC);
	endpoint_print_address(source, from);
	endpoint_print_address(destination, to);
	return (size_t)snprintf(room, PROXY_HEADER_PRINT_MAX,
				"PROXY TCP%c %s%s %s%s %u %u\r\n",
				family == AF_INET ? '4' : '6',
				is_mapped(source, family) ? "::ffff:" : "", from,
				is_mapped(destination, family) ? "::ffff:" : "", to,
				endpoint_port(source), endpoint_port(destination));
}

static void
set_number(char *room, size_t number)
{
	room[0] = (char)(number >> 8);
	room[1] = (char)(number & 0xff);
}

static void
add_number(struct text *text, size_t number)
{
	char bytes[2];

	set_number(bytes, number);
	text_add(text, span_of(bytes, sizeof(bytes)));
}

static void
add_address(struct text *text, const struct endpoint *endpoint, int family)
{
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;

	if (endpoint_family(endpoint) == AF_INET6) {
		memcpy(&ipv6, endpoint->address.bytes, sizeof(ipv6));
		text_add(text, span_of((const char *)&ipv6.sin6_addr, 16));
		return;
	}
	if (is_mapped(endpoint, family))
		text_add(text, SPAN("\0\0\0\0\0\0\0\0\0\0\xff\xff"));
	memcpy(&ipv4, endpoint->address.bytes, sizeof(ipv4));
	text_add(text, span_of((const char *)&ipv4.sin_addr, 4));
}

/* The form and, when it is known later, the length of all that follows; addresses. */
static void
add_addresses(struct text *text, const struct endpoint *source,
	      const struct endpoint *destination)
{
	int family = common_family(source, destination);

	text_add_octet(text, family == AF_INET ? 0x11 : family == AF_INET6 ? 0x21 : 0);
	add_number(text, 0);
	if (family == AF_UNSPEC)
		return;
	add_address(text, source, family);
	add_address(text, destination, family);
	add_number(text, endpoint_port(source));
	add_number(text, endpoint_port(destination));
}

/* Left out where there is nothing to say, or no room for all of it. */
static void
add_vector(struct text *text, char type, struct span value)
{
	if (span_is_empty(value) || !text_has_room(text, TLV_HEAD + value.length))
		return;
	text_add_octet(text, type);
	add_number(text, value.length);
	text_add(text, value);
}

static unsigned char
tls_flags(const struct smtp_origin *origin)
{
	if (!origin->tls.has_certificate)
		return TLS_USED;
	if (origin->tls.resumed)
		return TLS_USED | TLS_CERTIFICATE_IN_SESSION;
	return TLS_USED | TLS_CERTIFICATE_IN_SESSION | TLS_CERTIFICATE_NOW;
}

static void
add_tls(struct text *text, const struct smtp_origin *origin)
{
	size_t start = text->length;

	text_add_octet(text, TLV_TLS);
	add_number(text, 0);
	text_add_octet(text, tls_flags(origin));
	text_add(text, origin->tls.verified ? SPAN("\0\0\0\0") : SPAN("\0\0\0\1"));
	add_vector(text, TLV_TLS_VERSION, origin->tls.version);
	add_vector(text, TLV_TLS_CIPHER, origin->tls.cipher);
	add_vector(text, TLV_TLS_COMMON_NAME, origin->tls.common_name);
	set_number(text->room + start + 1, text->length - start - TLV_HEAD);
}

size_t
proxy_header_print_v2(const struct smtp_origin *origin, bool local,
		      char room[PROXY_HEADER_PRINT_MAX])
{
	struct text text = text_in(room, PROXY_HEADER_PRINT_MAX);

	text_add(&text, SIGNATURE);
	if (local) {
		text_add(&text, SPAN("\x20\0\0\0"));
		return text.length;
	}
	text_add_octet(&text, 0x21);
	add_addresses(&text, &origin->client, &origin->destination);
	if (origin->tls.used) {
		add_tls(&text, origin);
		add_vector(&text, TLV_AUTHORITY, origin->tls.server_name);
	}
	if (origin->id.length <= UNIQUE_ID_MAX)
		add_vector(&text, TLV_UNIQUE_ID, origin->id);
	set_number(room + LENGTH_AT, text.length - HEAD);
	return text.length;
}
