#include "rows.h"
#include "smtp/proxy_header.h"

static struct endpoint
endpoint_of(const char *text)
{
	struct endpoint endpoint = {0};

	assert_true(*text == 0 || endpoint_read(span_from_string(text), &endpoint));
	return endpoint;
}

static const struct line {
	const char *name;
	const char *source;
	const char *destination;
	const char *wanted;
} lines[] = {
	{"IPv4", "192.0.2.1:56324", "198.51.100.7:25",
	 "PROXY TCP4 192.0.2.1 198.51.100.7 56324 25\r\n"},
	{"the longest IPv4", "255.255.255.255:65535", "255.255.255.255:65535",
	 "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"},
	{"IPv6", "[2001:db8::1]:1", "[::1]:65535",
	 "PROXY TCP6 2001:db8::1 ::1 1 65535\r\n"},
	{"IPv4 to IPv6", "192.0.2.1:1", "[2001:db8::1]:2",
	 "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 1 2\r\n"},
	{"IPv6 to IPv4", "[2001:db8::1]:1", "192.0.2.1:2",
	 "PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 1 2\r\n"},
	{"a mapped address is IPv4", "[::ffff:192.0.2.1]:1", "192.0.2.2:2",
	 "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"},
};

static void
assert_reads_back(struct span printed, const struct endpoint *source,
		  const struct endpoint *destination)
{
	struct proxy_header header;

	assert_int_equal(proxy_header_read(printed, &header), PROXY_HEADER_COMPLETE);
	assert_int_equal(header.length, printed.length);
	assert_true(endpoint_equals(&header.source, source));
	assert_true(endpoint_equals(&header.destination, destination));
}

static void
test_line(void **state)
{
	const struct line *row = *state;
	struct endpoint source = endpoint_of(row->source);
	struct endpoint destination = endpoint_of(row->destination);
	char room[PROXY_HEADER_PRINT_MAX];
	struct span printed =
		span_of(room, proxy_header_print_v1(&source, &destination, room));

	assert_true(span_equals(printed, span_from_string(row->wanted)));
	assert_reads_back(printed, &source, &destination);
}

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define IPV4 "\xc0\x00\x02\x01\xc6\x33\x64\x07\xdc\x04\x00\x19"
#define IPV6_1 "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"
#define MAPPED "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x01"
#define PORTS "\xdc\x04\x00\x19"
#define CLIENT "192.0.2.1:56324"
#define SERVER "198.51.100.7:25"

#define X_16 "xxxxxxxxxxxxxxxx"
#define X_128 X_16 X_16 X_16 X_16 X_16 X_16 X_16 X_16

static const struct head {
	const char *name;
	const char *client;
	const char *destination;
	struct smtp_origin origin; /* without its ends */
	struct span wanted;
} heads[] = {
	{"IPv4", CLIENT, SERVER, {.helo = SPAN("a")}, SPAN(V2 "\x21\x11\x00\x0c" IPV4)},
	{"IPv6",
	 "[2001:db8::1]:56324",
	 "[2001:db8::1]:25",
	 {.helo = SPAN("a")},
	 SPAN(V2 "\x21\x21\x00\x24" IPV6_1 IPV6_1 PORTS)},
	{"IPv4 to IPv6",
	 CLIENT,
	 "[2001:db8::1]:25",
	 {.helo = SPAN("a")},
	 SPAN(V2 "\x21\x21\x00\x24" MAPPED IPV6_1 PORTS)},
	{"IPv6 to IPv4",
	 "[2001:db8::1]:56324",
	 "192.0.2.1:25",
	 {.helo = SPAN("a")},
	 SPAN(V2 "\x21\x21\x00\x24" IPV6_1 MAPPED PORTS)},
	{"UNIX",
	 "unix:/run/a",
	 "unix:/run/b",
	 {.id = SPAN("abc")},
	 SPAN(V2 "\x21\x00\x00\x06\x05\x00\x03"
		 "abc")},
	{"no addresses", "", "", {.helo = SPAN("a")}, SPAN(V2 "\x21\x00\x00\x00")},
	{"an id",
	 CLIENT,
	 SERVER,
	 {.id = SPAN("abc")},
	 SPAN(V2 "\x21\x11\x00\x12" IPV4 "\x05\x00\x03"
		 "abc")},
	{"an id too long",
	 CLIENT,
	 SERVER,
	 {.id = SPAN(X_128 "x")},
	 SPAN(V2 "\x21\x11\x00\x0c" IPV4)},
	{"TLS",
	 CLIENT,
	 SERVER,
	 {.tls = {.used = true,
		  .version = SPAN("TLSv1.3"),
		  .cipher = SPAN("AES"),
		  .server_name = SPAN("mx.test")}},
	 SPAN(V2 "\x21\x11\x00\x2e" IPV4 "\x20\x00\x15\x01\x00\x00\x00\x01"
		 "\x21\x00\x07TLSv1.3\x23\x00\x03"
		 "AES\x02\x00\x07mx.test")},
	{"TLS of which nothing is known",
	 CLIENT,
	 SERVER,
	 {.tls = {.used = true}},
	 SPAN(V2 "\x21\x11\x00\x14" IPV4 "\x20\x00\x05\x01\x00\x00\x00\x01")},
	{"a certificate",
	 CLIENT,
	 SERVER,
	 {.tls = {.used = true, .has_certificate = true, .common_name = SPAN("joe")}},
	 SPAN(V2 "\x21\x11\x00\x1a" IPV4 "\x20\x00\x0b\x07\x00\x00\x00\x01\x22\x00\x03"
		 "joe")},
	{"a certificate without a name",
	 CLIENT,
	 SERVER,
	 {.tls = {.used = true, .has_certificate = true}},
	 SPAN(V2 "\x21\x11\x00\x14" IPV4 "\x20\x00\x05\x07\x00\x00\x00\x01")},
	{"a verified certificate",
	 CLIENT,
	 SERVER,
	 {.tls = {.used = true,
		  .has_certificate = true,
		  .verified = true,
		  .common_name = SPAN("joe")}},
	 SPAN(V2 "\x21\x11\x00\x1a" IPV4 "\x20\x00\x0b\x07\x00\x00\x00\x00\x22\x00\x03"
		 "joe")},
	{"a verified certificate of a session that was resumed",
	 CLIENT,
	 SERVER,
	 {.tls = {.used = true,
		  .has_certificate = true,
		  .resumed = true,
		  .verified = true,
		  .common_name = SPAN("joe")}},
	 SPAN(V2 "\x21\x11\x00\x1a" IPV4 "\x20\x00\x0b\x05\x00\x00\x00\x00\x22\x00\x03"
		 "joe")},
	{"a session that was resumed, without a certificate",
	 CLIENT,
	 SERVER,
	 {.tls = {.used = true, .resumed = true}},
	 SPAN(V2 "\x21\x11\x00\x14" IPV4 "\x20\x00\x05\x01\x00\x00\x00\x01")},
	{"what is known of TLS that is not used",
	 CLIENT,
	 SERVER,
	 {.tls = {.version = SPAN("TLSv1.3"), .server_name = SPAN("mx.test")}},
	 SPAN(V2 "\x21\x11\x00\x0c" IPV4)},
};

static struct span
print_head(const struct head *row, char room[PROXY_HEADER_PRINT_MAX],
	   struct smtp_origin *origin)
{
	*origin = row->origin;
	origin->client = endpoint_of(row->client);
	origin->destination = endpoint_of(row->destination);
	return span_of(room, proxy_header_print_v2(origin, false, room));
}

static void
test_head(void **state)
{
	char room[PROXY_HEADER_PRINT_MAX];
	struct smtp_origin origin;
	struct span printed = print_head(*state, room, &origin);
	struct endpoint none = {0};
	bool named = smtp_origin_is_ip(&origin.client);

	assert_true(span_equals(printed, ((const struct head *)*state)->wanted));
	assert_reads_back(printed, named ? &origin.client : &none,
			  named ? &origin.destination : &none);
}

/*
 * What is left out where not all fits. IPv4 leaves 508 bytes for TLVs, of which the
 * head of TLS takes 8 and that of each other one 3.
 */
static const struct fit {
	const char *name;
	size_t common_name;
	size_t server_name;
	size_t id;
	size_t length; /* of the header */
} fits[] = {
	{"to the last byte", 200, 163, 128, 536},
	{"the id is left out", 200, 164, 128, 536 - 130},
	{"the name is left out, the id is not", 200, 300, 128, 536 - 166},
	{"the common name to the last byte", 497, 1, 1, 536},
	{"the common name is left out", 498, 100, 100, 28 + 8 + 103 + 103},
	{"all are left out", 600, 600, 600, 28 + 8},
};

static void
test_fit(void **state)
{
	static const char filler[600];
	const struct fit *row = *state;
	struct smtp_origin origin = {
		.client = endpoint_of(CLIENT),
		.destination = endpoint_of(SERVER),
		.id = span_of(filler, row->id),
		.tls = {.used = true,
			.common_name = span_of(filler, row->common_name),
			.server_name = span_of(filler, row->server_name)},
	};
	char room[PROXY_HEADER_PRINT_MAX];
	size_t length = proxy_header_print_v2(&origin, false, room);

	assert_int_equal(length, row->length);
	assert_reads_back(span_of(room, length), &origin.client, &origin.destination);
}

static void
test_local(void **state)
{
	char room[PROXY_HEADER_PRINT_MAX];
	struct span printed = span_of(room, proxy_header_print_v2(NULL, true, room));

	(void)state;
	assert_true(span_equals(printed, SPAN(V2 "\x20\x00\x00\x00")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_local)};

	return ROWS_RUN(lines, test_line) + ROWS_RUN(heads, test_head) +
	       ROWS_RUN(fits, test_fit) + cmocka_run_group_tests(tests, NULL, NULL);
}
