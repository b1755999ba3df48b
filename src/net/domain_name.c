#include "net/domain_name.h"

#include <netinet/in.h>
#include <stdio.h>

/* RFC 1035 section 2.3.4. */
#define LABEL_MAX_LENGTH 63

static bool
label_is_valid(struct span label)
{
	if (span_is_empty(label) || label.length > LABEL_MAX_LENGTH)
		return false;
	for (size_t i = 0; i < label.length; i++) {
		/* libunbound would take a backslash for the begin of an escape */
		if (label.at[i] <= ' ' || label.at[i] > '~' || label.at[i] == '\\')
			return false;
	}
	return true;
}

bool
domain_name_is_valid(struct span name)
{
	if (name.length > DOMAIN_NAME_MAX + 1)
		return false;
	do {
		if (!label_is_valid(span_cut(&name, '.')))
			return false;
	} while (!span_is_empty(name));
	return true;
}

static bool
is_digit(char octet)
{
	return octet >= '0' && octet <= '9';
}

/* In lower case; 0: it has no place in a host's name. */
static char
host_octet(char octet)
{
	if (octet >= 'A' && octet <= 'Z')
		return (char)(octet | 0x20);
	if ((octet >= 'a' && octet <= 'z') || is_digit(octet) || octet == '-' ||
	    octet == '_')
		return octet;
	return 0;
}

static bool
label_copy(struct span label, char *to)
{
	for (size_t i = 0; i < label.length; i++) {
		to[i] = host_octet(label.at[i]);
		if (!to[i])
			return false;
	}
	return true;
}

/* Whether the last label is a number: so ends an address, and no name of a host. */
static bool
looks_like_address(struct span name)
{
	for (size_t i = name.length; i > 0 && name.at[i - 1] != '.'; i--) {
		if (!is_digit(name.at[i - 1]))
			return false;
	}
	return true;
}

/* Takes a label off the wire. False: there is none that ends in it. */
static bool
label_take(struct span *wire, struct span *label)
{
	size_t length;

	if (span_is_empty(*wire))
		return false;
	length = (unsigned char)wire->at[0];
	*wire = span_skip(*wire, 1);
	*label = span_take(*wire, length);
	*wire = span_skip(*wire, length);
	return label->length == length && length <= LABEL_MAX_LENGTH;
}

bool
domain_name_from_wire(struct span wire, char name[DOMAIN_NAME_SIZE])
{
	struct span label;
	size_t length = 0;

	while (label_take(&wire, &label)) {
		if (span_is_empty(label)) {
			if (length == 0 || !span_is_empty(wire))
				return false;
			name[length - 1] = 0;
			return !looks_like_address(span_of(name, length - 1));
		}
		if (length + label.length > DOMAIN_NAME_MAX ||
		    !label_copy(label, name + length))
			return false;
		length += label.length;
		name[length++] = '.';
	}
	return false;
}

static void
print_ipv4(const unsigned char octets[4], char name[DOMAIN_NAME_SIZE])
{
	snprintf(name, DOMAIN_NAME_SIZE, "%u.%u.%u.%u.in-addr.arpa", octets[3],
		 octets[2], octets[1], octets[0]);
}

static void
print_ipv6(const unsigned char octets[16], char name[DOMAIN_NAME_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 15; i >= 0; i--) {
		*name++ = digits[octets[i] & 15];
		*name++ = '.';
		*name++ = digits[octets[i] >> 4];
		*name++ = '.';
	}
	memcpy(name, "ip6.arpa", sizeof("ip6.arpa"));
}

bool
domain_name_of_address(const struct endpoint *address, char name[DOMAIN_NAME_SIZE])
{
	const unsigned char *bytes = address->address.bytes;

	switch (endpoint_family(address)) {
	case AF_INET:
		print_ipv4(bytes + offsetof(struct sockaddr_in, sin_addr), name);
		return true;
	case AF_INET6:
		print_ipv6(bytes + offsetof(struct sockaddr_in6, sin6_addr), name);
		return true;
	default:
		return false;
	}
}
