#include "smtp/proxy_header.h"

#include "base/number.h"
#include "smtp/crc32c.h"

#include <netinet/in.h>

#define V1_MAX 107 /* with CRLF; section 2.1 */
#define V1_START SPAN("PROXY ")

#define V2_SIGNATURE SPAN("\r\n\r\n\0\r\nQUIT\n")
#define V2_COMMAND_AT 12
#define V2_FORM_AT 13
#define V2_LENGTH_AT 14
#define V2_HEAD 16
#define V2_LENGTH_MAX (PROXY_HEADER_READ_MAX - V2_HEAD)
#define V2_LOCAL 0x20 /* version 2 in the upper half */
#define V2_PROXY 0x21

#define TLV_HEAD 3
#define TLV_CRC32C 0x03
#define CRC32C_LENGTH 4
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Addresses and transports, by their byte in version 2; others are malformed. */
struct form {
	uint8_t code;
	int family; /* AF_UNSPEC: what is behind the head is skipped */
	size_t addresses_length;
};

static const struct form forms[] = {
	{0x00, AF_UNSPEC, 0}, {0x01, AF_UNSPEC, 0}, {0x11, AF_INET, 12},
	{0x21, AF_INET6, 36}, {0x31, AF_UNIX, 216},
};

/* Whether one begins with the other: the input may be a part of what is expected. */
static bool
agrees(struct span input, struct span expected)
{
	return span_equals(span_take(input, expected.length),
			   span_take(expected, input.length));
}

/* Numbers are in the network's order. */
static size_t
number_at(struct span input, size_t at)
{
	return (size_t)(unsigned char)input.at[at] << 8 |
	       (size_t)(unsigned char)input.at[at + 1];
}

/* Section 2.1: no leading zeros, lest they be taken for octal. */
static bool
read_port(struct span text, uint16_t *port)
{
	uint64_t number;

	if ((text.length > 1 && text.at[0] == '0') ||
	    !number_read(text, UINT16_MAX, &number))
		return false;
	*port = (uint16_t)number;
	return true;
}

static bool
read_address(struct span text, bool is_ipv6, uint16_t port, struct endpoint *endpoint)
{
	return (span_find(text, ':') != SPAN_NOWHERE) == is_ipv6 &&
	       endpoint_read_address(text, port, endpoint);
}

/* "source destination source-port destination-port", with one blank between them. */
static bool
read_addresses(struct span text, bool is_ipv6, struct proxy_header *header)
{
	struct span source = span_cut(&text, ' ');
	struct span destination = span_cut(&text, ' ');
	uint16_t source_port;
	uint16_t destination_port;

	return read_port(span_cut(&text, ' '), &source_port) &&
	       read_port(text, &destination_port) &&
	       read_address(source, is_ipv6, source_port, &header->source) &&
	       read_address(destination, is_ipv6, destination_port,
			    &header->destination);
}

/* A line without its CRLF. */
static bool
read_line(struct span line, struct proxy_header *header)
{
	struct span rest = span_skip(line, V1_START.length);
	struct span family = span_cut(&rest, ' ');

	header->local = span_equals(family, SPAN("UNKNOWN"));
	if (span_equals(family, SPAN("TCP4")))
		return read_addresses(rest, false, header);
	if (span_equals(family, SPAN("TCP6")))
		return read_addresses(rest, true, header);
	return header->local;
}

/* Whether these can be addresses and ports, perhaps with the CR behind them. */
static bool
are_characters_of_addresses(struct span text)
{
	static const char characters[] = "0123456789abcdefABCDEF.: ";

	if (text.length && text.at[text.length - 1] == '\r')
		text.length--;
	for (size_t i = 0; i < text.length; i++) {
		if (!memchr(characters, text.at[i], sizeof(characters) - 1))
			return false;
	}
	return true;
}

/* Whether a line without its CRLF so far can become one that read_line() takes. */
static bool
line_is_possible(struct span line)
{
	struct span text = span_skip(line, V1_START.length);
	struct span behind = span_skip(text, SPAN("UNKNOWN").length);

	if (agrees(text, SPAN("UNKNOWN")))
		return span_is_empty(behind) || behind.at[0] == ' ' ||
		       span_equals(behind, SPAN("\r"));
	return (agrees(text, SPAN("TCP4 ")) || agrees(text, SPAN("TCP6 "))) &&
	       are_characters_of_addresses(span_skip(text, SPAN("TCP4 ").length));
}

static enum proxy_header_result
read_v1(struct span input, struct proxy_header *header)
{
	struct span line = span_take(input, V1_MAX);
	const char *end = memmem(line.at, line.length, "\r\n", 2);

	if (!end)
		return line.length < V1_MAX && line_is_possible(line)
			       ? PROXY_HEADER_MORE
			       : PROXY_HEADER_MALFORMED;
	line.length = (size_t)(end - line.at);
	header->version = 1;
	header->length = line.length + 2;
	return read_line(line, header) ? PROXY_HEADER_COMPLETE : PROXY_HEADER_MALFORMED;
}

/* Section 2.2.3: the sum of the whole header, with zeros where the sum itself stands.
 */
static bool
sum_is_right(struct span whole, struct span field)
{
	size_t before = (size_t)(field.at - whole.at);
	uint32_t sum = crc32c_extend(0, span_take(whole, before));

	sum = crc32c_extend(sum, SPAN("\0\0\0\0"));
	sum = crc32c_extend(sum, span_skip(whole, before + field.length));
	return number_at(field, 0) == sum >> 16 &&
	       number_at(field, 2) == (sum & UINT16_MAX);
}

/* All TLVs behind the addresses; a second checksum would leave the first one wrong. */
static bool
vectors_are_valid(struct span whole, size_t first)
{
	struct span rest = span_skip(whole, first);
	bool has_sum = false;

	while (!span_is_empty(rest)) {
		struct span value;

		if (rest.length < TLV_HEAD ||
		    number_at(rest, 1) > rest.length - TLV_HEAD)
			return false;
		value = span_of(rest.at + TLV_HEAD, number_at(rest, 1));
		if (rest.at[0] == TLV_CRC32C) {
			if (has_sum || value.length != CRC32C_LENGTH ||
			    !sum_is_right(whole, value))
				return false;
			has_sum = true;
		}
		rest = span_skip(rest, TLV_HEAD + value.length);
	}
	return true;
}

static struct endpoint
endpoint_at(int family, const char *address, const char *port)
{
	struct sockaddr_in ipv4 = {.sin_family = AF_INET};
	struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
	struct endpoint endpoint;

	if (family == AF_INET) {
		memcpy(&ipv4.sin_addr, address, sizeof(ipv4.sin_addr));
		memcpy(&ipv4.sin_port, port, sizeof(ipv4.sin_port));
		endpoint_from_sockaddr(&endpoint, (const struct sockaddr *)&ipv4,
				       sizeof(ipv4));
	} else {
		memcpy(&ipv6.sin6_addr, address, sizeof(ipv6.sin6_addr));
		memcpy(&ipv6.sin6_port, port, sizeof(ipv6.sin6_port));
		endpoint_from_sockaddr(&endpoint, (const struct sockaddr *)&ipv6,
				       sizeof(ipv6));
	}
	return endpoint;
}

/* Source, destination, their ports. UNIX addresses are of no use to anybody else. */
static void
take_addresses(const struct form *form, const char *addresses,
	       struct proxy_header *header)
{
	size_t width = form->family == AF_INET ? 4 : 16;
	const char *ports = addresses + 2 * width;

	header->local = form->family == AF_UNSPEC || form->family == AF_UNIX;
	if (header->local)
		return;
	header->source = endpoint_at(form->family, addresses, ports);
	header->destination = endpoint_at(form->family, addresses + width, ports + 2);
}

/* NULL: such a head is not taken. LOCAL says nothing, whatever its family is. */
static const struct form *
find_form(uint8_t command, uint8_t code)
{
	if (command == V2_LOCAL)
		return &forms[0];
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		if (forms[i].code == code)
			return &forms[i];
	}
	return NULL;
}

/* The head as far as it is there: its command and its form. */
static bool
head_is_possible(struct span input)
{
	uint8_t command;

	if (input.length <= V2_COMMAND_AT)
		return true;
	command = (uint8_t)input.at[V2_COMMAND_AT];
	if (command != V2_LOCAL && command != V2_PROXY)
		return false;
	return input.length <= V2_FORM_AT ||
	       find_form(command, (uint8_t)input.at[V2_FORM_AT]);
}

static enum proxy_header_result
read_v2(struct span input, struct proxy_header *header)
{
	const struct form *form;
	size_t length;

	if (!head_is_possible(input))
		return PROXY_HEADER_MALFORMED;
	if (input.length < V2_HEAD)
		return PROXY_HEADER_MORE;
	form = find_form((uint8_t)input.at[V2_COMMAND_AT],
			 (uint8_t)input.at[V2_FORM_AT]);
	length = number_at(input, V2_LENGTH_AT);
	if (length > V2_LENGTH_MAX || length < form->addresses_length)
		return PROXY_HEADER_MALFORMED;
	if (input.length < V2_HEAD + length)
		return PROXY_HEADER_MORE;
	header->version = 2;
	header->length = V2_HEAD + length;
	take_addresses(form, input.at + V2_HEAD, header);
	if (form->family != AF_UNSPEC &&
	    !vectors_are_valid(span_take(input, header->length),
			       V2_HEAD + form->addresses_length))
		return PROXY_HEADER_MALFORMED;
	return PROXY_HEADER_COMPLETE;
}

enum proxy_header_result
proxy_header_read(struct span input, struct proxy_header *header)
{
	*header = (struct proxy_header){0};
	if (span_is_empty(input))
		return PROXY_HEADER_MORE;
	if (agrees(input, V1_START))
		return read_v1(input, header);
	if (agrees(input, V2_SIGNATURE))
		return read_v2(input, header);
	return PROXY_HEADER_MALFORMED;
}
