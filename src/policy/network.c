#include "policy/network.h"

#include "base/number.h"

/*
 * Bits are counted from the front of what is written. Of IPv4-mapped IPv6 that is 96
 * more than the IPv4 address has, and a network that they do not cover is none of IPv4.
 */
static bool
read_bits(struct span address, struct span text, unsigned most, unsigned *bits)
{
	unsigned written = span_find(address, ':') == SPAN_NOWHERE ? 32 : 128;
	unsigned before = written - most;
	uint64_t number;

	if (!number_read(text, written, &number) || number < before)
		return false;
	*bits = (unsigned)number - before;
	return true;
}

static void
set_prefix(struct network *network, struct span host)
{
	unsigned whole = network->bits / 8;
	unsigned rest = network->bits % 8;

	memcpy(network->prefix, host.at, whole);
	if (rest)
		network->prefix[whole] = (unsigned char)((unsigned char)host.at[whole] &
							 0xffU << (8 - rest));
}

bool
network_read(struct span text, struct network *network)
{
	struct span bits = text;
	struct span address = span_cut(&bits, '/');
	bool is_host = address.length == text.length;
	struct endpoint endpoint;
	struct span host;

	if (!endpoint_read_address(address, 0, &endpoint))
		return false;
	host = endpoint_host(&endpoint);
	*network = (struct network){.family = endpoint_family(&endpoint),
				    .bits = (unsigned)host.length * 8};
	if (!is_host && !read_bits(address, bits, network->bits, &network->bits))
		return false;
	set_prefix(network, host);
	return true;
}

bool
network_has(const struct network *network, const struct endpoint *endpoint)
{
	return endpoint_has_prefix(endpoint, network->family, network->prefix,
				   network->bits);
}

bool
network_is_wide(const struct network *network)
{
	return network->bits < (network->family == AF_INET ? 8 : 16);
}

bool
network_covers(const struct network *network, const struct network *other)
{
	struct network wide = *other;

	if (network->family != other->family || network->bits > other->bits)
		return false;
	memset(wide.prefix, 0, sizeof(wide.prefix));
	wide.bits = network->bits;
	set_prefix(&wide, span_of((const char *)other->prefix, sizeof(other->prefix)));
	return memcmp(network->prefix, wide.prefix, sizeof(wide.prefix)) == 0;
}

bool
network_set_has(const struct network_set *set, const struct endpoint *endpoint)
{
	for (uint32_t i = 0; i < set->count; i++)
		if (network_has(&set->networks[i], endpoint))
			return true;
	return false;
}
