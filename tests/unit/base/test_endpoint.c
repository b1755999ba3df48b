#include "base/endpoint.h"
#include "rows.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static const struct reading {
	const char *name;
	const char *text;
	const char *printed; /* NULL: refused */
	const char *address; /* as endpoint_print_address() prints it */
	int family;
	uint16_t port;
} readings[] = {
	{"IPv4", "192.0.2.1:25", "192.0.2.1:25", "192.0.2.1", AF_INET, 25},
	{"IPv6", "[2001:db8::1]:25", "[2001:db8::1]:25", "2001:db8::1", AF_INET6, 25},
	{"long IPv6", "[2001:0DB8:0:0:0:0:0:1]:587", "[2001:db8::1]:587", "2001:db8::1",
	 AF_INET6, 587},
	{"mapped IPv4", "[::ffff:192.0.2.1]:25", "192.0.2.1:25", "192.0.2.1", AF_INET,
	 25},
	{"UNIX", "unix:/run/lmtp", "unix:/run/lmtp", "unix:/run/lmtp", AF_UNIX, 0},
	{"port 0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1", AF_INET, 0},
	{"highest port", "127.0.0.1:65535", "127.0.0.1:65535", "127.0.0.1", AF_INET,
	 65535},
	{"port too high", "127.0.0.1:65536", NULL, NULL, 0, 0},
	{"no port", "127.0.0.1", NULL, NULL, 0, 0},
	{"empty port", "127.0.0.1:", NULL, NULL, 0, 0},
	{"signed port", "127.0.0.1:+25", NULL, NULL, 0, 0},
	{"empty", "", NULL, NULL, 0, 0},
	{"colon alone", ":", NULL, NULL, 0, 0},
	{"bracket alone", "[:25", NULL, NULL, 0, 0},
	{"empty brackets", "[]:25", NULL, NULL, 0, 0},
	{"IPv4 in brackets", "[192.0.2.1]:25", NULL, NULL, 0, 0},
	{"IPv6 without brackets", "2001:db8::1:25", NULL, NULL, 0, 0},
	{"IPv6 without port", "[2001:db8::1]", NULL, NULL, 0, 0},
	{"host name", "hub1.example.com:25", NULL, NULL, 0, 0},
	{"short IPv4", "127.1:25", NULL, NULL, 0, 0},
	{"octet too high", "127.0.0.256:25", NULL, NULL, 0, 0},
	{"leading blank", " 127.0.0.1:25", NULL, NULL, 0, 0},
	{"empty path", "unix:", NULL, NULL, 0, 0},
};

static void
test_reading(void **state)
{
	const struct reading *row = *state;
	char text[ENDPOINT_TEXT_MAX];
	struct endpoint endpoint;
	struct endpoint again;

	assert_int_equal(endpoint_read(span_from_string(row->text), &endpoint),
			 row->printed != NULL);
	if (!row->printed)
		return;
	assert_int_equal(endpoint_print(&endpoint, text), strlen(row->printed));
	assert_string_equal(text, row->printed);
	assert_true(endpoint_read(span_from_string(text), &again));
	assert_true(endpoint_equals(&endpoint, &again));
	assert_int_equal(endpoint_print_address(&endpoint, text), strlen(row->address));
	assert_string_equal(text, row->address);
	assert_int_equal(endpoint_family(&endpoint), row->family);
	assert_int_equal(endpoint_port(&endpoint), row->port);
}

static const struct nature {
	const char *name;
	const char *address;
	bool is_private;
	bool is_loopback;
	bool is_any;
} natures[] = {
	{"loopback", "127.0.0.1", true, true, false},
	{"all of 127/8", "127.255.0.9", true, true, false},
	{"10/8", "10.200.3.4", true, false, false},
	{"below 172.16/12", "172.15.255.255", false, false, false},
	{"first of 172.16/12", "172.16.0.0", true, false, false},
	{"last of 172.16/12", "172.31.255.255", true, false, false},
	{"above 172.16/12", "172.32.0.0", false, false, false},
	{"192.168/16", "192.168.1.1", true, false, false},
	{"192.169", "192.169.1.1", false, false, false},
	{"link-local IPv4", "169.254.1.1", true, false, false},
	{"public IPv4", "192.0.2.1", false, false, false},
	{"any IPv4", "0.0.0.0", false, false, true},
	{"loopback IPv6", "::1", true, true, false},
	{"::2", "::2", false, false, false},
	{"RFC 4193 fc", "fc00::1", true, false, false},
	{"RFC 4193 fd", "fdff::1", true, false, false},
	{"fe00", "fe00::1", false, false, false},
	{"link-local IPv6", "fe80::1", true, false, false},
	{"end of link-local IPv6", "febf::1", true, false, false},
	{"above link-local IPv6", "fec0::1", false, false, false},
	{"public IPv6", "2001:db8::1", false, false, false},
	{"any IPv6", "::", false, false, true},
	{"mapped loopback", "::ffff:127.0.0.1", true, true, false},
	{"mapped public", "::ffff:192.0.2.1", false, false, false},
};

static void
test_nature(void **state)
{
	const struct nature *row = *state;
	struct endpoint endpoint;

	assert_true(
		endpoint_read_address(span_from_string(row->address), 25, &endpoint));
	assert_int_equal(endpoint_is_private(&endpoint), row->is_private);
	assert_int_equal(endpoint_is_loopback(&endpoint), row->is_loopback);
	assert_int_equal(endpoint_is_any(&endpoint), row->is_any);
}

static struct endpoint
endpoint_of(const char *text)
{
	struct endpoint endpoint;

	assert_true(endpoint_read(span_from_string(text), &endpoint));
	return endpoint;
}

static void
addresses_compare_without_ports(void **state)
{
	struct endpoint a = endpoint_of("192.0.2.1:25");
	struct endpoint b = endpoint_of("192.0.2.1:26");
	struct endpoint c = endpoint_of("192.0.2.2:25");

	(void)state;
	assert_false(endpoint_equals(&a, &b));
	assert_true(endpoint_equals_address(&a, &b));
	assert_false(endpoint_equals_address(&a, &c));
	endpoint_set_port(&b, 25);
	assert_true(endpoint_equals(&a, &b));
}

static void
hash_is_of_the_address_and_stable(void **state)
{
	struct endpoint a = endpoint_of("192.0.2.1:25");
	struct endpoint b = endpoint_of("[::ffff:192.0.2.1]:9999");
	struct endpoint c = endpoint_of("192.0.2.2:25");

	(void)state;
	assert_int_equal(endpoint_hash_address(&a), endpoint_hash_address(&b));
	assert_int_not_equal(endpoint_hash_address(&a), endpoint_hash_address(&c));
	/* Two nodes of different releases must agree: this value never changes. */
	assert_int_equal(endpoint_hash_address(&a), UINT64_C(0x2c1c901eed9adc4a));
}

static void
host_is_the_address_in_bytes(void **state)
{
	struct endpoint ipv4 = endpoint_of("[::ffff:192.0.2.1]:25");
	struct endpoint ipv6 = endpoint_of("[2001:db8::7]:25");
	struct endpoint local = endpoint_of("unix:/run/lmtp");
	struct endpoint none = {0};

	(void)state;
	assert_true(span_equals(endpoint_host(&ipv4), SPAN("\xc0\0\2\1")));
	assert_true(span_equals(endpoint_host(&ipv6),
				SPAN("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7")));
	assert_true(span_equals(endpoint_host(&local), SPAN("/run/lmtp")));
	assert_true(span_is_empty(endpoint_host(&none)));
}

/* What comes from one client: it has a whole /64 of IPv6. */
static void
subscribers_have_a_prefix(void **state)
{
	struct endpoint ipv4 = endpoint_of("[::ffff:192.0.2.1]:25");
	struct endpoint ipv6 = endpoint_of("[2001:db8:0:7::1]:25");
	struct endpoint none = {0};

	(void)state;
	assert_true(span_equals(endpoint_subscriber(&ipv4), SPAN("\xc0\0\2\1")));
	assert_true(span_equals(endpoint_subscriber(&ipv6),
				SPAN("\x20\x01\x0d\xb8\0\0\0\7")));
	assert_true(span_is_empty(endpoint_subscriber(&none)));
}

static void
prefixes_are_of_one_family(void **state)
{
	static const unsigned char prefix[16] = {10, 0x80};
	struct endpoint ipv4 = endpoint_of("10.128.0.1:25");
	struct endpoint ipv6 = endpoint_of("[a80::1]:25");

	(void)state;
	assert_true(endpoint_has_prefix(&ipv4, AF_INET, prefix, 9));
	assert_false(endpoint_has_prefix(&ipv4, AF_INET, prefix, 32));
	assert_false(endpoint_has_prefix(&ipv4, AF_INET6, prefix, 9));
	assert_true(endpoint_has_prefix(&ipv6, AF_INET6, prefix, 16));
	assert_false(endpoint_has_prefix(&ipv6, AF_INET, prefix, 16));
}

static void
kernel_addresses(void **state)
{
	struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(25)};
	struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/run/lmtp"};
	struct endpoint read = endpoint_of("unix:/run/lmtp");
	struct endpoint endpoint;

	(void)state;
	assert_int_equal(inet_pton(AF_INET6, "::ffff:10.0.0.1", &mapped.sin6_addr), 1);
	endpoint_from_sockaddr(&endpoint, (struct sockaddr *)&mapped, sizeof(mapped));
	assert_int_equal(endpoint_family(&endpoint), AF_INET);
	endpoint_from_sockaddr(&endpoint, (struct sockaddr *)&local, sizeof(local));
	assert_true(endpoint_equals(&endpoint, &read));
}

static void
nothing_comes_of_strange_lengths(void **state)
{
	struct sockaddr_in ipv4 = {.sin_family = AF_INET};
	struct endpoint endpoint;
	char text[ENDPOINT_TEXT_MAX];

	(void)state;
	for (socklen_t length = 0; length < sizeof(ipv4); length++) {
		endpoint_from_sockaddr(&endpoint, (struct sockaddr *)&ipv4, length);
		assert_int_equal(endpoint.length, 0);
		assert_int_equal(endpoint_print(&endpoint, text), 0);
		assert_false(endpoint_is_private(&endpoint));
		assert_int_equal(endpoint_port(&endpoint), 0);
	}
}

static void
path_lengths(void **state)
{
	char text[128] = "unix:";
	struct endpoint endpoint;
	char printed[ENDPOINT_TEXT_MAX];

	(void)state;
	memset(text + 5, 'p', sizeof(text) - 5);
	assert_true(endpoint_read(span_of(text, 5 + 107), &endpoint));
	assert_int_equal(endpoint_print(&endpoint, printed), 5 + 107);
	assert_false(endpoint_read(span_of(text, 5 + 108), &endpoint));
	assert_false(endpoint_read(span_of("unix:a\0b", 8), &endpoint));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_compare_without_ports),
		cmocka_unit_test(hash_is_of_the_address_and_stable),
		cmocka_unit_test(host_is_the_address_in_bytes),
		cmocka_unit_test(subscribers_have_a_prefix),
		cmocka_unit_test(prefixes_are_of_one_family),
		cmocka_unit_test(kernel_addresses),
		cmocka_unit_test(nothing_comes_of_strange_lengths),
		cmocka_unit_test(path_lengths),
	};

	return ROWS_RUN(readings, test_reading) + ROWS_RUN(natures, test_nature) +
	       cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
