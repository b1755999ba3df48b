#include "config/value.h"
#include "rows.h"

static const struct row {
	const char *name;
	enum value_type type;
	const char *text;
	bool good;
	uint64_t number;
} rows[] = {
	{"a text", VALUE_TEXT, "mail user", true, 0},
	{"an empty text", VALUE_TEXT, "", false, 0},
	{"a text in two lines", VALUE_TEXT, "a\nb", false, 0},
	{"a host name", VALUE_HOSTNAME, "mx1.example.com", true, 0},
	{"a container's name", VALUE_HOSTNAME, "mail_hub", true, 0},
	{"a hyphen first", VALUE_HOSTNAME, "-a.example", false, 0},
	{"a hyphen last", VALUE_HOSTNAME, "a-.example", false, 0},
	{"two dots", VALUE_HOSTNAME, "a..example", false, 0},
	{"a blank in a host name", VALUE_HOSTNAME, "a b", false, 0},
	{"a mailbox", VALUE_MAILBOX, "postmaster@example.com", true, 0},
	{"the null sender", VALUE_MAILBOX, "", true, 0},
	{"postmaster alone", VALUE_MAILBOX, "Postmaster", true, 0},
	{"a mailbox without a domain", VALUE_MAILBOX, "ann", false, 0},
	{"a mailbox that ends the command", VALUE_MAILBOX, "a@b>\r\nRSET", false, 0},
	{"a path", VALUE_PATH, "/run/evenpost.sock", true, 0},
	{"a relative path", VALUE_PATH, "./log", true, 0},
	{"a word is no path", VALUE_PATH, "stdout", false, 0},
	{"a number", VALUE_NUMBER, "42", true, 42},
	{"a negative number", VALUE_NUMBER, "-1", false, 0},
	{"a duration in milliseconds", VALUE_DURATION, "2m", true, 120000},
	{"a size in bytes", VALUE_SIZE, "1m", true, 1048576},
	{"a rate", VALUE_RATE, "20/m", true, 20},
	{"a percentage", VALUE_PERCENTAGE, "50%", true, 50},
	{"yes", VALUE_SWITCH, "yes", true, 1},
	{"no", VALUE_SWITCH, "off", true, 0},
	{"maybe", VALUE_SWITCH, "maybe", false, 0},
	{"an address to listen on", VALUE_BIND, "[::]:25", true, 0},
	{"a socket to listen on", VALUE_BIND, "unix:/run/s", true, 0},
	{"a port alone", VALUE_BIND, "25", false, 0},
	{"a server's host name", VALUE_SERVER, "hub.example.com:25", true, 0},
	{"a server's IPv6 address", VALUE_SERVER, "[2001:db8::1]:25", true, 0},
	{"IPv6 without brackets", VALUE_SERVER, "2001:db8::1:25", false, 0},
	{"port 0", VALUE_SERVER, "10.0.0.1:0", false, 0},
	{"port 0 of a host name", VALUE_SERVER, "hub.example.com:0", false, 0},
	{"port 65536", VALUE_SERVER, "hub.example.com:65536", false, 0},
	{"three numbers are no host", VALUE_SERVER, "10.0.1:25", false, 0},
	{"an address", VALUE_ADDRESS, "10.0.0.2", true, 0},
	{"an address with a port", VALUE_ADDRESS, "10.0.0.2:25", false, 0},
	{"a resolver", VALUE_RESOLVER, "::1", true, 0},
	{"a resolver with a port", VALUE_RESOLVER, "127.0.0.1:5353", true, 0},
	{"a network", VALUE_NETWORK, "10.0.0.0/8", true, 8},
	{"a network of IPv6", VALUE_NETWORK, "2001:db8::/32", true, 32},
	{"a host as a network", VALUE_NETWORK, "192.0.2.10", true, 32},
	{"too many bits", VALUE_NETWORK, "10.0.0.0/33", false, 0},
	{"no bits behind the slash", VALUE_NETWORK, "10.0.0.0/", false, 0},
};

static void
test_row(void **state)
{
	const struct row *row = *state;
	struct key key = {.name = "key", .type = row->type};
	uint64_t number;
	enum value_fault fault = value_read(&key, span_from_string(row->text), &number);

	assert_int_equal(fault, row->good ? VALUE_GOOD : VALUE_MALFORMED);
	if (row->good)
		assert_int_equal(number, row->number);
}

static const struct print_row {
	const char *name;
	enum value_type type;
	uint64_t number;
	const char *text;
} prints[] = {
	{"zero has no unit", VALUE_DURATION, 0, "0"},
	{"milliseconds", VALUE_DURATION, 1500, "1500ms"},
	{"seconds", VALUE_DURATION, 90000, "90s"},
	{"minutes", VALUE_DURATION, 120000, "2m"},
	{"days", VALUE_DURATION, 86400000, "1d"},
	{"bytes", VALUE_SIZE, 1000, "1000"},
	{"mebibytes", VALUE_SIZE, 52428800, "50m"},
	{"a number", VALUE_NUMBER, 1024, "1024"},
};

static void
test_print(void **state)
{
	const struct print_row *row = *state;
	char text[VALUE_NUMBER_TEXT_MAX];

	value_print(row->type, row->number, text);
	assert_string_equal(text, row->text);
}

int
main(void)
{
	return ROWS_RUN(rows, test_row) + ROWS_RUN(prints, test_print);
}
