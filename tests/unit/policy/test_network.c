/* Networks in CIDR form, and the addresses that are in them. */
#include "policy/network.h"
#include "rows.h"

#include <arpa/inet.h>

static const struct reading {
	const char *name;
	const char *text;
	const char *prefix; /* NULL: refused */
	unsigned bits;
} readings[] = {
	{"IPv4", "192.0.2.0/24", "192.0.2.0", 24},
	{"IPv6", "2001:db8::/32", "2001:db8::", 32},
	{"a host", "192.0.2.10", "192.0.2.10", 32},
	{"a host of IPv6", "2001:db8::1", "2001:db8::1", 128},
	{"all of IPv4", "0.0.0.0/0", "0.0.0.0", 0},
	{"all of IPv6", "::/0", "::", 0},
	{"bits of the host", "192.0.2.77/24", "192.0.2.0", 24},
	{"bits within an octet", "10.255.255.255/9", "10.128.0.0", 9},
	{"one bit less than a host", "10.0.0.3/31", "10.0.0.2", 31},
	{"bits of a host of IPv6", "2001:db8:ffff::1/33", "2001:db8:8000::", 33},
	{"a mapped host", "::ffff:192.0.2.10", "192.0.2.10", 32},
	{"a mapped network", "::ffff:192.0.2.0/120", "192.0.2.0", 24},
	{"all that is mapped", "::ffff:0:0/96", "0.0.0.0", 0},
	{"more than what is mapped", "::ffff:0:0/95", NULL, 0},
	{"too many bits", "10.0.0.0/33", NULL, 0},
	{"too many bits of IPv6", "::/129", NULL, 0},
	{"no bits", "10.0.0.0/", NULL, 0},
	{"bits with a sign", "10.0.0.0/+8", NULL, 0},
	{"a mask", "10.0.0.0/255.0.0.0", NULL, 0},
	{"a slash behind the bits", "10.0.0.0/8/", NULL, 0},
	{"no address", "/8", NULL, 0},
	{"a short address", "10/8", NULL, 0},
	{"a port", "10.0.0.1:25", NULL, 0},
	{"a host name", "localhost", NULL, 0},
	{"a path", "unix:/run/s", NULL, 0},
	{"nothing", "", NULL, 0},
};

static void
test_reading(void **state)
{
	const struct reading *row = *state;
	struct network network;
	char prefix[INET6_ADDRSTRLEN];

	assert_int_equal(network_read(span_from_string(row->text), &network),
			 row->prefix != NULL);
	if (!row->prefix)
		return;
	assert_int_equal(network.bits, row->bits);
	assert_non_null(
		inet_ntop(network.family, network.prefix, prefix, sizeof(prefix)));
	assert_string_equal(prefix, row->prefix);
}

static const struct membership {
	const char *name;
	const char *network;
	const char *endpoint;
	bool is_in;
} memberships[] = {
	{"the first", "192.0.2.0/24", "192.0.2.0:25", true},
	{"the last", "192.0.2.0/24", "192.0.2.255:25", true},
	{"one above", "192.0.2.0/24", "192.0.3.0:25", false},
	{"one below", "192.0.2.0/24", "192.0.1.255:25", false},
	{"the last of an odd prefix", "10.0.0.0/13", "10.7.255.255:25", true},
	{"one above an odd prefix", "10.0.0.0/13", "10.8.0.0:25", false},
	{"a host", "192.0.2.10", "192.0.2.10:65535", true},
	{"its neighbour", "192.0.2.10", "192.0.2.11:25", false},
	{"anybody", "0.0.0.0/0", "255.255.255.255:1", true},
	{"a mapped address", "192.0.2.0/24", "[::ffff:192.0.2.1]:25", true},
	{"an address in a mapped network", "::ffff:192.0.2.0/120", "192.0.2.1:25",
	 true},
	{"IPv6", "2001:db8::/32", "[2001:db8:ffff::1]:25", true},
	{"IPv6 above", "2001:db8::/32", "[2001:db9::]:25", false},
	{"the last bit of IPv6", "2001:db8::/127", "[2001:db8::1]:25", true},
	{"above the last bit of IPv6", "2001:db8::/127", "[2001:db8::2]:25", false},
	{"IPv4 is in no network of IPv6", "::/0", "192.0.2.1:25", false},
	{"IPv6 is in no network of IPv4", "0.0.0.0/0", "[2001:db8::1]:25", false},
	{"a UNIX socket is in none", "0.0.0.0/0", "unix:/run/s", false},
	{"a UNIX socket is in none of IPv6", "::/0", "unix:/run/s", false},
};

static void
test_membership(void **state)
{
	const struct membership *row = *state;
	struct network network;
	struct endpoint endpoint;

	assert_true(network_read(span_from_string(row->network), &network));
	assert_true(endpoint_read(span_from_string(row->endpoint), &endpoint));
	assert_int_equal(network_has(&network, &endpoint), row->is_in);
}

static const struct cover {
	const char *name;
	const char *network;
	const char *other;
	bool covers;
} covers[] = {
	{"itself", "10.0.0.0/8", "10.0.0.0/8", true},
	{"a part", "10.0.0.0/8", "10.255.0.0/16", true},
	{"a host", "10.0.0.0/8", "10.1.2.3", true},
	{"the whole of a part", "10.255.0.0/16", "10.0.0.0/8", false},
	{"a neighbour", "10.0.0.0/9", "10.128.0.0/9", false},
	{"within an octet", "10.128.0.0/9", "10.192.0.0/10", true},
	{"all", "0.0.0.0/0", "192.0.2.1", true},
	{"IPv6", "2001:db8::/33", "2001:db8:7fff::/48", true},
	{"the other half of IPv6", "2001:db8::/33", "2001:db8:8000::/48", false},
	{"the other family", "0.0.0.0/0", "::/0", false},
};

static void
test_cover(void **state)
{
	const struct cover *row = *state;
	struct network network;
	struct network other;

	assert_true(network_read(span_from_string(row->network), &network));
	assert_true(network_read(span_from_string(row->other), &other));
	assert_int_equal(network_covers(&network, &other), row->covers);
}

static void
wide_is_what_nobody_owns(void **state)
{
	static const char *const wide[] = {"0.0.0.0/0", "8.0.0.0/7", "::/0",
					   "2000::/15"};
	static const char *const owned[] = {"10.0.0.0/8", "192.0.2.1", "2001::/16",
					    "::1"};
	struct network network;

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_true(network_read(span_from_string(wide[i]), &network));
		assert_true(network_is_wide(&network));
		assert_true(network_read(span_from_string(owned[i]), &network));
		assert_false(network_is_wide(&network));
	}
}

static void
a_set_has_what_any_of_its_networks_has(void **state)
{
	struct network networks[2];
	const struct network_set set = {networks, 2};
	const struct network_set first = {networks, 1};
	struct endpoint endpoint;

	(void)state;
	assert_true(network_read(SPAN("192.0.2.10"), &networks[0]));
	assert_true(network_read(SPAN("10.0.0.0/8"), &networks[1]));
	assert_true(endpoint_read(SPAN("10.1.2.3:25"), &endpoint));
	assert_true(network_set_has(&set, &endpoint));
	assert_false(network_set_has(&first, &endpoint));
	assert_true(endpoint_read(SPAN("192.0.2.11:25"), &endpoint));
	assert_false(network_set_has(&set, &endpoint));
}

static void
nobody_is_in_an_empty_set(void **state)
{
	const struct network_set set = {0};
	struct endpoint endpoint;

	(void)state;
	assert_true(endpoint_read(SPAN("127.0.0.1:25"), &endpoint));
	assert_false(network_set_has(&set, &endpoint));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_set_has_what_any_of_its_networks_has),
		cmocka_unit_test(nobody_is_in_an_empty_set),
		cmocka_unit_test(wide_is_what_nobody_owns),
	};

	return ROWS_RUN(readings, test_reading) +
	       ROWS_RUN(memberships, test_membership) + ROWS_RUN(covers, test_cover) +
	       cmocka_run_group_tests_name("network", tests, NULL, NULL);
}
