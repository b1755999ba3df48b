#include "rows.h"
#include "smtp/proxy_header.h"

#define MALFORMED PROXY_HEADER_MALFORMED
#define MORE PROXY_HEADER_MORE

#define TCP4 "PROXY TCP4 192.0.2.1 198.51.100.7 56324 25\r\n"
#define TCP4_FROM "192.0.2.1:56324"
#define TCP4_TO "198.51.100.7:25"

#define X_11 "xxxxxxxxxxx"
#define X_88 X_11 X_11 X_11 X_11 X_11 X_11 X_11 X_11

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define IPV4 "\xc0\x00\x02\x01\xc6\x33\x64\x07\xdc\x04\x00\x19"
#define IPV6_1 "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"
#define IPV6_2 "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff"
#define MAPPED "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x01"
#define PORTS "\xdc\x04\x00\x19"
#define ZEROS_27 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define ZEROS_108 ZEROS_27 ZEROS_27 ZEROS_27 ZEROS_27
#define NOOP_2 "\x04\x00\x02\x00\x00"
#define SUM_FIRST "\x03\x00\x04"

/* Headers that name two ends, with something behind them that is not theirs. */
static const struct naming {
	const char *name;
	struct span input;
	unsigned version;
	size_t behind; /* bytes behind the header */
	const char *source;
	const char *destination;
} namings[] = {
	{"TCP4", SPAN(TCP4), 1, 0, TCP4_FROM, TCP4_TO},
	{"TCP4 and a command", SPAN(TCP4 "EHLO a\r\n"), 1, 8, TCP4_FROM, TCP4_TO},
	{"TCP4 twice", SPAN(TCP4 TCP4), 1, sizeof(TCP4) - 1, TCP4_FROM, TCP4_TO},
	{"the longest TCP4",
	 SPAN("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), 1, 0,
	 "255.255.255.255:65535", "255.255.255.255:65535"},
	{"the least TCP4", SPAN("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), 1, 0,
	 "0.0.0.0:0", "0.0.0.0:0"},
	{"TCP6", SPAN("PROXY TCP6 2001:db8::1 ::1 56324 25\r\nx"), 1, 1,
	 "[2001:db8::1]:56324", "[::1]:25"},
	{"TCP6 in upper case", SPAN("PROXY TCP6 2001:DB8::AB ::C 1 2\r\n"), 1, 0,
	 "[2001:db8::ab]:1", "[::c]:2"},
	{"the longest TCP6",
	 SPAN("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	 1, 0, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	 "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
	{"a mapped source", SPAN("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"), 1, 0,
	 "192.0.2.1:1", "[::1]:2"},
	{"IPv4", SPAN(V2 "\x21\x11\x00\x0c" IPV4), 2, 0, TCP4_FROM, TCP4_TO},
	{"IPv4 and a command", SPAN(V2 "\x21\x11\x00\x0c" IPV4 "EHLO a\r\n"), 2, 8,
	 TCP4_FROM, TCP4_TO},
	{"IPv6", SPAN(V2 "\x21\x21\x00\x24" IPV6_1 IPV6_2 PORTS), 2, 0,
	 "[2001:db8::1]:56324", "[2001:db8::ff]:25"},
	{"a mapped IPv6", SPAN(V2 "\x21\x21\x00\x24" MAPPED IPV6_2 PORTS), 2, 0,
	 "192.0.2.1:56324", "[2001:db8::ff]:25"},
	{"TLVs",
	 SPAN(V2 "\x21\x11\x00\x1a" IPV4 NOOP_2 "\x02\x00\x02mx"
		 "\xee\x00\x01z"),
	 2, 0, TCP4_FROM, TCP4_TO},
	{"an empty TLV", SPAN(V2 "\x21\x11\x00\x0f" IPV4 "\x04\x00\x00"), 2, 0,
	 TCP4_FROM, TCP4_TO},
	{"a checksum alone",
	 SPAN(V2 "\x21\x11\x00\x13" IPV4 SUM_FIRST "\x8b\x1d\xce\x42"), 2, 0, TCP4_FROM,
	 TCP4_TO},
	{"a checksum between others",
	 SPAN(V2 "\x21\x11\x00\x1d" IPV4 NOOP_2 SUM_FIRST "\xf6\xb5\x64\x8a"
		 "\x02\x00\x02mx"
		 "QUIT\r\n"),
	 2, 6, TCP4_FROM, TCP4_TO},
};

/* What is said of each prefix of the input, and of all of it. */
static void
assert_decided(struct span input, enum proxy_header_result result, size_t after)
{
	struct proxy_header header;

	for (size_t length = 0; length <= input.length; length++) {
		struct span prefix = span_take(input, length);
		char *copy = malloc(length + 1);

		/* A copy lets the sanitizers see a byte too many that is read. */
		assert(copy);
		memcpy(copy, prefix.at, length);
		copy = realloc(copy, length ? length : 1);
		if (proxy_header_read(span_of(copy, length), &header) !=
		    (length < after ? MORE : result))
			fail_msg("decided otherwise after %zu bytes", length);
		if (length >= after && result == PROXY_HEADER_COMPLETE)
			assert_int_equal(header.length, after);
		free(copy);
	}
}

static void
assert_endpoint(const struct endpoint *endpoint, const char *wanted)
{
	char text[ENDPOINT_TEXT_MAX];

	endpoint_print(endpoint, text);
	assert_string_equal(text, wanted);
}

static void
test_naming(void **state)
{
	const struct naming *row = *state;
	struct proxy_header header;

	assert_int_equal(proxy_header_read(row->input, &header), PROXY_HEADER_COMPLETE);
	assert_int_equal(header.version, row->version);
	assert_false(header.local);
	assert_int_equal(header.length, row->input.length - row->behind);
	assert_endpoint(&header.source, row->source);
	assert_endpoint(&header.destination, row->destination);
	assert_decided(row->input, PROXY_HEADER_COMPLETE, header.length);
}

/* Headers that name nobody. */
static const struct local {
	const char *name;
	struct span input;
	unsigned version;
	size_t behind;
} locals[] = {
	{"UNKNOWN", SPAN("PROXY UNKNOWN\r\n"), 1, 0},
	{"UNKNOWN and a command", SPAN("PROXY UNKNOWN\r\nEHLO a\r\n"), 1, 8},
	{"UNKNOWN with anything", SPAN("PROXY UNKNOWN  TCP4 \xff\0 1\r\n"), 1, 0},
	{"UNKNOWN with a CR", SPAN("PROXY UNKNOWN a\rb\nc\r\n"), 1, 0},
	{"the longest UNKNOWN", SPAN("PROXY UNKNOWN xxx" X_88 "\r\n"), 1, 0},
	{"LOCAL", SPAN(V2 "\x20\x00\x00\x00"), 2, 0},
	{"LOCAL and a command", SPAN(V2 "\x20\x00\x00\x00QUIT\r\n"), 2, 6},
	{"LOCAL with addresses", SPAN(V2 "\x20\x11\x00\x0c" IPV4), 2, 0},
	{"LOCAL with too few", SPAN(V2 "\x20\x21\x00\x01z"), 2, 0},
	{"LOCAL with a family that is none", SPAN(V2 "\x20\xff\x00\x01z"), 2, 0},
	{"UNSPEC", SPAN(V2 "\x21\x00\x00\x00"), 2, 0},
	{"UNSPEC with bytes that are no TLV", SPAN(V2 "\x21\x00\x00\x02zz"), 2, 0},
	{"UNSPEC in a stream", SPAN(V2 "\x21\x01\x00\x00"), 2, 0},
	{"UNIX", SPAN(V2 "\x21\x31\x00\xd8" ZEROS_108 ZEROS_108), 2, 0},
	{"UNIX with a TLV", SPAN(V2 "\x21\x31\x00\xdd" ZEROS_108 ZEROS_108 NOOP_2), 2,
	 0},
};

static void
test_local(void **state)
{
	const struct local *row = *state;
	struct proxy_header header;

	assert_int_equal(proxy_header_read(row->input, &header), PROXY_HEADER_COMPLETE);
	assert_int_equal(header.version, row->version);
	assert_true(header.local);
	assert_int_equal(header.length, row->input.length - row->behind);
	assert_int_equal(header.source.length, 0);
	assert_int_equal(header.destination.length, 0);
	assert_decided(row->input, PROXY_HEADER_COMPLETE, header.length);
}

static const struct refusal {
	const char *name;
	struct span input;
	size_t after; /* bytes that show it */
} refusals[] = {
	{"a command", SPAN("EHLO a\r\n"), 1},
	{"a TLS hello", SPAN("\x16\x03\x01"), 1},
	{"LF", SPAN("\n"), 1},
	{"NUL", SPAN("\0"), 1},
	{"another word", SPAN("PROXIES"), 5},
	{"lower case", SPAN("proxy TCP4"), 1},
	{"a tab", SPAN("PROXY\tTCP4"), 6},
	{"no family", SPAN("PROXY\r\n"), 6},
	{"two blanks", SPAN("PROXY  TCP4"), 7},
	{"UDP4", SPAN("PROXY UDP4 "), 8},
	{"TCP5", SPAN("PROXY TCP5 "), 10},
	{"tcp4", SPAN("PROXY tcp4 "), 7},
	{"unknown", SPAN("PROXY unknown\r\n"), 7},
	{"UNKNOWN glued to more", SPAN("PROXY UNKNOWNS\r\n"), 14},
	{"UNKNOWN and a CR alone", SPAN("PROXY UNKNOWN\rx\r\n"), 15},
	{"UNKNOWN and a LF alone", SPAN("PROXY UNKNOWN\n"), 14},
	{"UNKNOWN without an end", SPAN("PROXY UNKNOWN xxx" X_88 "x\r\n"), 107},
	{"TCP4 without an end",
	 SPAN("PROXY TCP4 1111111111111111111111111111111111111"
	      "111111111111111111111111111111111111111111111111"
	      "111111111111111111111"),
	 107},
	{"TCP4 without addresses", SPAN("PROXY TCP4\r\n"), 11},
	{"no addresses", SPAN("PROXY TCP4 \r\n"), 13},
	{"no ports", SPAN("PROXY TCP4 192.0.2.1 198.51.100.7\r\n"), 35},
	{"one port", SPAN("PROXY TCP4 192.0.2.1 198.51.100.7 25\r\n"), 38},
	{"three ports", SPAN("PROXY TCP4 192.0.2.1 198.51.100.7 1 2 3\r\n"), 41},
	{"a blank at the end", SPAN("PROXY TCP4 192.0.2.1 198.51.100.7 1 2 \r\n"), 40},
	{"two blanks between", SPAN("PROXY TCP4 192.0.2.1  198.51.100.7 1 2\r\n"), 40},
	{"a tab between", SPAN("PROXY TCP4 192.0.2.1\t198.51.100.7 1 2\r\n"), 21},
	{"a name", SPAN("PROXY TCP4 host.test 198.51.100.7 1 2\r\n"), 12},
	{"an octet too large", SPAN("PROXY TCP4 192.0.2.256 198.51.100.7 1 2\r\n"), 41},
	{"three octets", SPAN("PROXY TCP4 192.0.2 198.51.100.7 1 2\r\n"), 37},
	{"an octet with a zero", SPAN("PROXY TCP4 192.0.2.01 198.51.100.7 1 2\r\n"),
	 40},
	{"an IPv6 source of TCP4", SPAN("PROXY TCP4 ::1 198.51.100.7 1 2\r\n"), 33},
	{"an IPv6 destination of TCP4", SPAN("PROXY TCP4 192.0.2.1 ::1 1 2\r\n"), 30},
	{"an IPv4 source of TCP6", SPAN("PROXY TCP6 192.0.2.1 ::1 1 2\r\n"), 30},
	{"an IPv4 destination of TCP6", SPAN("PROXY TCP6 ::1 192.0.2.1 1 2\r\n"), 30},
	{"brackets", SPAN("PROXY TCP6 [::1] ::1 1 2\r\n"), 12},
	{"a zone", SPAN("PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n"), 19},
	{"a port too large", SPAN("PROXY TCP4 192.0.2.1 198.51.100.7 65536 2\r\n"), 43},
	{"a port with a zero", SPAN("PROXY TCP4 192.0.2.1 198.51.100.7 1 025\r\n"), 41},
	{"a port of zeros", SPAN("PROXY TCP4 192.0.2.1 198.51.100.7 1 00\r\n"), 40},
	{"a signed port", SPAN("PROXY TCP4 192.0.2.1 198.51.100.7 +1 2\r\n"), 35},
	{"a hexadecimal port", SPAN("PROXY TCP4 192.0.2.1 198.51.100.7 a 2\r\n"), 39},
	{"LF alone", SPAN("PROXY TCP4 192.0.2.1 198.51.100.7 1 2\n"), 38},
	{"CR alone", SPAN("PROXY TCP4 192.0.2.1 198.51.100.7 1 2\rE"), 39},
	{"another signature", SPAN("\r\n\r\n\r\n"), 5},
	{"a signature with an error", SPAN("\r\n\r\n\0\r\nQUIT\r"), 12},
	{"version 1 in a head", SPAN(V2 "\x11\x11\x00\x0c" IPV4), 13},
	{"version 3", SPAN(V2 "\x31\x11\x00\x0c" IPV4), 13},
	{"an unknown command", SPAN(V2 "\x22\x11\x00\x0c" IPV4), 13},
	{"a datagram", SPAN(V2 "\x21\x12\x00\x0c" IPV4), 14},
	{"a datagram of no family", SPAN(V2 "\x21\x02\x00\x00"), 14},
	{"a UNIX datagram", SPAN(V2 "\x21\x32\x00\xd8"), 14},
	{"an unknown transport", SPAN(V2 "\x21\x13\x00\x0c" IPV4), 14},
	{"no transport", SPAN(V2 "\x21\x10\x00\x0c" IPV4), 14},
	{"an unknown family", SPAN(V2 "\x21\x41\x00\x0c" IPV4), 14},
	{"no IPv4 addresses", SPAN(V2 "\x21\x11\x00\x00"), 16},
	{"too little for IPv4", SPAN(V2 "\x21\x11\x00\x0b"), 16},
	{"too little for IPv6", SPAN(V2 "\x21\x21\x00\x23"), 16},
	{"too little for UNIX", SPAN(V2 "\x21\x31\x00\xd7"), 16},
	{"over 4096", SPAN(V2 "\x21\x11\x10\x01"), 16},
	{"LOCAL over 4096", SPAN(V2 "\x20\x00\xff\xff"), 16},
	{"a TLV without a length", SPAN(V2 "\x21\x11\x00\x0d" IPV4 "\x04"), 29},
	{"a TLV with half a length", SPAN(V2 "\x21\x11\x00\x0e" IPV4 "\x04\x00"), 30},
	{"a TLV that runs over", SPAN(V2 "\x21\x11\x00\x10" IPV4 "\x04\x00\x02z"), 32},
	{"a TLV that runs over by far",
	 SPAN(V2 "\x21\x11\x00\x10" IPV4 "\x04\xff\xffz"), 32},
	{"a second TLV that runs over",
	 SPAN(V2 "\x21\x11\x00\x14" IPV4 NOOP_2 "\x04\x00\x01"), 36},
	{"a wrong checksum",
	 SPAN(V2 "\x21\x11\x00\x13" IPV4 SUM_FIRST "\x8b\x1d\xce\x43"), 35},
	{"a checksum in the other order",
	 SPAN(V2 "\x21\x11\x00\x13" IPV4 SUM_FIRST "\x42\xce\x1d\x8b"), 35},
	{"a checksum of zeros",
	 SPAN(V2 "\x21\x11\x00\x13" IPV4 SUM_FIRST "\x00\x00\x00\x00"), 35},
	{"a checksum too short",
	 SPAN(V2 "\x21\x11\x00\x12" IPV4 "\x03\x00\x03\x8b\x1d\xce"), 34},
	{"a checksum too long",
	 SPAN(V2 "\x21\x11\x00\x14" IPV4 "\x03\x00\x05\x8b\x1d\xce\x42\x00"), 36},
	/* The first one is right over the second one as it stands. */
	{"two checksums",
	 SPAN(V2 "\x21\x11\x00\x1a" IPV4 SUM_FIRST "\xc3\x2e\x29\x36" SUM_FIRST
		 "\1\2\3\4"),
	 42},
};

static void
test_refusal(void **state)
{
	const struct refusal *row = *state;

	assert_decided(row->input, MALFORMED, row->after);
}

/* The longest that is taken: LOCAL with 4096 bytes that nobody looks at. */
static void
test_longest(void **state)
{
	static char input[PROXY_HEADER_READ_MAX] = V2 "\x20\x00\x10\x00";

	(void)state;
	assert_decided(span_of(input, sizeof(input)), PROXY_HEADER_COMPLETE,
		       sizeof(input));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_longest)};

	return ROWS_RUN(namings, test_naming) + ROWS_RUN(locals, test_local) +
	       ROWS_RUN(refusals, test_refusal) +
	       cmocka_run_group_tests(tests, NULL, NULL);
}
