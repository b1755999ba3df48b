/* Names of hosts: what the wire may say, and where the names of addresses stand. */
#include "net/domain_name.h"

#include "rows.h"

#define L9 "abcdefghi"
#define L60 L9 "-" L9 "-" L9 "-" L9 "-" L9 "-" L9 "-"
/* Four labels and their dots: 253 octets of text, the most that there may be. */
#define LONGEST L60 "abc." L60 "abc." L60 "abc." L60 "a"
#define LONGEST_WIRE "\x3f" L60 "abc\x3f" L60 "abc\x3f" L60 "abc\x3d" L60 "a"

static const struct wire_row {
	const char *name;
	struct span wire;
	const char *text; /* NULL: refused */
} wire_rows[] = {
	{"a name", SPAN_INITIALIZER("\4mail\7example\3net\0"), "mail.example.net"},
	{"lower case", SPAN_INITIALIZER("\4MAIL\7Example\3NET\0"), "mail.example.net"},
	{"one label", SPAN_INITIALIZER("\11localhost\0"), "localhost"},
	{"hyphen, underscore, digits", SPAN_INITIALIZER("\3a-b\3_1_\3net\0"),
	 "a-b._1_.net"},
	{"digits that end in a letter", SPAN_INITIALIZER("\003192\0010\0012\0021a\0"),
	 "192.0.2.1a"},
	{"the longest", SPAN_INITIALIZER(LONGEST_WIRE "\0"), LONGEST},
	{"one octet too long", SPAN_INITIALIZER("\1a" LONGEST_WIRE "\0"), NULL},
	{"a label of 64 octets", SPAN_INITIALIZER("\x40" L60 "abcd\0"), NULL},
	{"a pointer", SPAN_INITIALIZER("\4mail\xc0\x0c"), NULL},
	{"the root", SPAN_INITIALIZER("\0"), NULL},
	{"nothing", SPAN_INITIALIZER(""), NULL},
	{"no end", SPAN_INITIALIZER("\4mail\7example"), NULL},
	{"a label cut short", SPAN_INITIALIZER("\4mail\7exam"), NULL},
	{"octets behind the end", SPAN_INITIALIZER("\4mail\0x"), NULL},
	{"an address", SPAN_INITIALIZER("\003192\0010\0012\0011\0"), NULL},
	{"a number", SPAN_INITIALIZER("\003123\0"), NULL},
	{"a blank", SPAN_INITIALIZER("\3a b\3net\0"), NULL},
	{"CR LF", SPAN_INITIALIZER("\4a\r\nb\3net\0"), NULL},
	{"NUL", SPAN_INITIALIZER("\3a\0b\3net\0"), NULL},
	{"eight bits", SPAN_INITIALIZER("\003\303\274b\3net\0"), NULL},
	{"a dot in a label", SPAN_INITIALIZER("\3a.b\3net\0"), NULL},
	{"a bracket", SPAN_INITIALIZER("\3[a]\3net\0"), NULL},
	{"an at-sign, and a letter's neighbours", SPAN_INITIALIZER("\5@[`{a\3net\0"),
	 NULL},
};

static void
test_wire(void **state)
{
	const struct wire_row *row = *state;
	char name[DOMAIN_NAME_SIZE];

	assert_int_equal(domain_name_from_wire(row->wire, name), row->text != NULL);
	if (row->text)
		assert_string_equal(name, row->text);
}

static const struct address_row {
	const char *name;
	const char *address;
	const char *text; /* NULL: refused */
} address_rows[] = {
	{"IPv4", "192.0.2.10", "10.2.0.192.in-addr.arpa"},
	{"IPv4, the longest", "255.254.253.252", "252.253.254.255.in-addr.arpa"},
	{"IPv6", "2001:db8:1f::a9",
	 "9.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.f.1.0.0.8.b.d.0.1.0.0.2.ip6.arpa"},
	{"IPv4 in IPv6", "::ffff:192.0.2.10", "10.2.0.192.in-addr.arpa"},
	{"a path", "unix:/run/socket", NULL},
};

static void
test_address(void **state)
{
	const struct address_row *row = *state;
	struct span address = span_from_string(row->address);
	char name[DOMAIN_NAME_SIZE];
	struct endpoint endpoint;

	assert_true(endpoint_read_address(address, 25, &endpoint) ||
		    endpoint_read(address, &endpoint));
	assert_int_equal(domain_name_of_address(&endpoint, name), row->text != NULL);
	if (row->text)
		assert_string_equal(name, row->text);
}

int
main(void)
{
	int failed = ROWS_RUN(wire_rows, test_wire);

	return failed + ROWS_RUN(address_rows, test_address);
}
