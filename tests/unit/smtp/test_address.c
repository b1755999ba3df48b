#include "rows.h"

#include "smtp/address.h"
#include <stdio.h>

#define UTF8 1
#define QUOTED 2
#define LITERAL 4
#define ROUTED 8

#define REVERSE SMTP_REVERSE_PATH
#define FORWARD SMTP_FORWARD_PATH

static const struct reading {
	const char *name;
	enum smtp_path_kind kind;
	const char *input;
	const char *local;
	const char *domain;
	const char *rest; /* NULL: malformed */
	unsigned flags;
} readings[] = {
	{"a mailbox", REVERSE, "<ann@a.example>", "ann", "a.example", "", 0},
	{"parameters behind it", REVERSE, "<ann@a.example> SIZE=1", "ann", "a.example",
	 " SIZE=1", 0},
	{"nobody", REVERSE, "<>", "", "", "", 0},
	{"nobody and parameters", REVERSE, "<> SIZE=1", "", "", " SIZE=1", 0},
	{"nobody can not be sent to", FORWARD, "<>", "", "", NULL, 0},
	{"the postmaster", FORWARD, "<Postmaster>", "Postmaster", "", "", 0},
	{"the postmaster in lower case", FORWARD, "<postmaster>", "postmaster", "", "",
	 0},
	{"the postmaster does not send", REVERSE, "<postmaster>", "", "", NULL, 0},
	{"another without a domain", FORWARD, "<root>", "", "", NULL, 0},
	{"a quoted postmaster", FORWARD, "<\"postmaster\"@a.b>", "\"postmaster\"",
	 "a.b", "", QUOTED},
	{"without brackets", REVERSE, "ann@a.example SIZE=1", "ann", "a.example",
	 " SIZE=1", 0},
	{"nothing without brackets", REVERSE, "", "", "", NULL, 0},
	{"quotes without brackets", FORWARD, "\"a.b\"@c.d", "\"a.b\"", "c.d", "",
	 QUOTED},
	{"a blank without brackets", FORWARD, "\"a b\"@c.d", "", "", NULL, 0},
	{"every atext", FORWARD, "<a!#$%&'*+-/=?^_`{|}~9@b>", "a!#$%&'*+-/=?^_`{|}~9",
	 "b", "", 0},
	{"a percent hack", FORWARD, "<a%b@c.d>", "a%b", "c.d", "", 0},
	{"a bang path", FORWARD, "<b!a@c.d>", "b!a", "c.d", "", 0},
	{"an at sign in quotes", FORWARD, "<\"a@evil\"@ok.test>", "\"a@evil\"",
	 "ok.test", "", QUOTED},
	{"a bracket in quotes", FORWARD, "<\"a> b\"@ok.test>", "\"a> b\"", "ok.test",
	 "", QUOTED},
	{"an escaped quote", FORWARD, "<\"a\\\"@x>\"@ok.test>", "\"a\\\"@x>\"",
	 "ok.test", "", QUOTED},
	{"an escaped backslash", FORWARD, "<\"a\\\\\"@ok.test>", "\"a\\\\\"", "ok.test",
	 "", QUOTED},
	{"empty quotes", FORWARD, "<\"\"@ok.test>", "\"\"", "ok.test", "", QUOTED},
	{"two unquoted at signs", FORWARD, "<a@b@c.d>", "", "", NULL, 0},
	{"quotes left open", FORWARD, "<\"a@c.d>", "", "", NULL, 0},
	{"a backslash at the end", FORWARD, "<\"a\\", "", "", NULL, 0},
	{"text behind quotes", FORWARD, "<\"a\"b@c.d>", "", "", NULL, 0},
	{"quotes within an atom", FORWARD, "<a\"b\"@c.d>", "", "", NULL, 0},
	{"a control octet in quotes", FORWARD, "<\"a\tb\"@c.d>", "", "", NULL, 0},
	{"a comment", FORWARD, "<a(x)@c.d>", "", "", NULL, 0},
	{"a blank in an atom", FORWARD, "<a b@c.d>", "", "", NULL, 0},
	{"a blank behind the bracket", FORWARD, "< a@c.d>", "", "", NULL, 0},
	{"dots", FORWARD, "<a.b.c@d.e>", "a.b.c", "d.e", "", 0},
	{"a dot first", FORWARD, "<.a@d.e>", "", "", NULL, 0},
	{"a dot last", FORWARD, "<a.@d.e>", "", "", NULL, 0},
	{"two dots", FORWARD, "<a..b@d.e>", "", "", NULL, 0},
	{"no local part", FORWARD, "<@d.e>", "", "", NULL, 0},
	{"no domain", FORWARD, "<a@>", "", "", NULL, 0},
	{"no closing bracket", FORWARD, "<a@b.c", "", "", NULL, 0},
	{"two closing brackets", FORWARD, "<a@b.c>>", "", "", NULL, 0},
	{"text glued to it", FORWARD, "<a@b.c>SIZE=1", "", "", NULL, 0},
	{"a bracket left out in front", FORWARD, "a@b.c>", "", "", NULL, 0},
	{"a single label", FORWARD, "<a@localhost>", "a", "localhost", "", 0},
	{"a trailing dot", FORWARD, "<a@b.c.>", "a", "b.c.", "", 0},
	{"two trailing dots", FORWARD, "<a@b.c..>", "", "", NULL, 0},
	{"a domain that begins with a dot", FORWARD, "<a@.b>", "", "", NULL, 0},
	{"a hyphen in a label", FORWARD, "<a@b-c.d>", "a", "b-c.d", "", 0},
	{"a hyphen first", FORWARD, "<a@-b.c>", "", "", NULL, 0},
	{"a hyphen last", FORWARD, "<a@b-.c>", "", "", NULL, 0},
	{"an underscore", FORWARD, "<a@my_host.c>", "a", "my_host.c", "", 0},
	{"a slash in a domain", FORWARD, "<a@b/c>", "", "", NULL, 0},
	{"an IPv4 literal", FORWARD, "<a@[192.0.2.1]>", "a", "[192.0.2.1]", "",
	 LITERAL},
	{"an IPv6 literal", FORWARD, "<a@[IPv6:2001:db8::1]>", "a",
	 "[IPv6:2001:db8::1]", "", LITERAL},
	{"an IPv6 literal with IPv4", FORWARD, "<a@[ipv6:::ffff:192.0.2.1]>", "a",
	 "[ipv6:::ffff:192.0.2.1]", "", LITERAL},
	{"a literal out of range", FORWARD, "<a@[192.0.2.256]>", "", "", NULL, 0},
	{"a literal of three parts", FORWARD, "<a@[192.0.2]>", "", "", NULL, 0},
	{"IPv6 without its tag", FORWARD, "<a@[2001:db8::1]>", "", "", NULL, 0},
	{"an unknown tag", FORWARD, "<a@[x:y]>", "", "", NULL, 0},
	{"an empty literal", FORWARD, "<a@[]>", "", "", NULL, 0},
	{"a literal left open", FORWARD, "<a@[192.0.2.1>", "", "", NULL, 0},
	{"text behind a literal", FORWARD, "<a@[192.0.2.1].b>", "", "", NULL, 0},
	{"a source route", FORWARD, "<@a,@b.c:d@e.f>", "d", "e.f", "", ROUTED},
	{"a route of one", FORWARD, "<@a:d@e.f>", "d", "e.f", "", ROUTED},
	{"a route without its colon", FORWARD, "<@a,@b d@e.f>", "", "", NULL, 0},
	{"a route with a hole", FORWARD, "<@a,,@b:d@e.f>", "", "", NULL, 0},
	{"a route to nobody", FORWARD, "<@a:>", "", "", NULL, 0},
	{"a route within a route", FORWARD, "<@a:@b:d@e.f>", "", "", NULL, 0},
	{"UTF-8", FORWARD, "<j\xc3\xb6rg@b\xc3\xbc.example>", "j\xc3\xb6rg",
	 "b\xc3\xbc.example", "", UTF8},
	{"UTF-8 in quotes", FORWARD, "<\"\xe2\x82\xac\"@b.c>", "\"\xe2\x82\xac\"",
	 "b.c", "", UTF8 | QUOTED},
	{"UTF-8 in the route alone", FORWARD, "<@\xc3\xbc.a:b@c.d>", "b", "c.d", "",
	 ROUTED},
	{"an overlong form", FORWARD, "<a\xc0\x80@b.c>", "", "", NULL, 0},
	{"an overlong at sign", FORWARD, "<a\xc1\x80z@b.c>", "", "", NULL, 0},
	{"a surrogate", FORWARD, "<a\xed\xa0\x80@b.c>", "", "", NULL, 0},
	{"a character cut off", FORWARD, "<a\xe2\x82@b.c>", "", "", NULL, 0},
	{"an escaped octet above 0x7f", FORWARD, "<\"\\\xc3\xb6\"@b.c>", "", "", NULL,
	 0},
};

static unsigned
flags_of(const struct smtp_path *path)
{
	return (path->utf8 ? UTF8 : 0) | (path->quoted ? QUOTED : 0) |
	       (path->literal ? LITERAL : 0) | (path->routed ? ROUTED : 0);
}

static void
test_reading(void **state)
{
	const struct reading *row = *state;
	struct span input = span_from_string(row->input);
	struct span mailbox;
	struct smtp_path path;

	assert_int_equal(smtp_path_read(&input, row->kind, &path), row->rest != NULL);
	if (!row->rest) {
		assert_true(input.at == row->input);
		return;
	}
	assert_true(span_equals(input, span_from_string(row->rest)));
	assert_true(span_equals(path.local, span_from_string(row->local)));
	assert_true(span_equals(path.domain, span_from_string(row->domain)));
	assert_int_equal(flags_of(&path), row->flags);
	mailbox = span_skip(path.mailbox, path.local.length);
	if (path.domain.length)
		assert_true(span_equals(span_skip(mailbox, 1), path.domain));
	else
		assert_true(span_is_empty(mailbox));
}

/* "<" route local "@" domain ">" of such lengths. */
static const struct limit {
	const char *name;
	size_t route; /* with its at sign and colon */
	size_t local;
	size_t domain;
	bool valid;
} limits[] = {
	{"the longest local part", 0, 256, 10, true},
	{"a local part too long", 0, 257, 10, false},
	{"the longest domain", 0, 10, 255, true},
	{"a domain too long", 0, 10, 256, false},
	{"the longest route", 257, 10, 255, true},
	{"a domain in the route too long", 258, 10, 255, false},
};

static size_t
fill(char *to, char byte, size_t length)
{
	memset(to, byte, length);
	return length;
}

static void
test_limit(void **state)
{
	const struct limit *row = *state;
	char text[1024] = "<";
	struct smtp_path path;
	struct span input;
	size_t length = 1;

	if (row->route) {
		length += fill(text + length, '@', 1);
		length += fill(text + length, 'r', row->route - 2);
		length += fill(text + length, ':', 1);
	}
	length += fill(text + length, 'l', row->local);
	length += fill(text + length, '@', 1);
	length += fill(text + length, 'd', row->domain);
	length += fill(text + length, '>', 1);
	input = span_of(text, length);
	assert_int_equal(smtp_path_read(&input, SMTP_FORWARD_PATH, &path), row->valid);
}

/* A route of many hops, and a domain that fills what is left. */
static bool
path_is_read(size_t length)
{
	char text[SMTP_PATH_MAX + 16] = "<";
	struct smtp_path path;
	struct span input;
	size_t end = 1;

	for (size_t hops = 0; hops < 300; hops++)
		end += (size_t)sprintf(text + end, "@a%c", hops < 299 ? ',' : ':');
	end += (size_t)sprintf(text + end, "b@");
	end += fill(text + end, 'c', length + 1 - end);
	text[end] = '>';
	input = span_of(text, end + 1);
	return smtp_path_read(&input, SMTP_FORWARD_PATH, &path);
}

static void
test_a_path_has_a_limit(void **state)
{
	(void)state;
	assert_true(path_is_read(SMTP_PATH_MAX));
	assert_false(path_is_read(SMTP_PATH_MAX + 1));
}

static const struct domain {
	const char *name;
	const char *domain;
	const char *wanted; /* "": no domain */
} domains[] = {
	{"lower case stays", "a.example", "a.example"},
	{"upper case", "A.Example", "a.example"},
	{"a trailing dot", "a.example.", "a.example"},
	{"a U-label",
	 "b\xc3\xbc"
	 "cher.example",
	 "xn--bcher-kva.example"},
	{"a U-label in upper case",
	 "B\xc3\x9c"
	 "CHER.example.",
	 "xn--bcher-kva.example"},
	{"a U-label not composed",
	 "bu\xcc\x88"
	 "cher.example",
	 "xn--bcher-kva.example"},
	{"an A-label", "XN--Bcher-KVA.example", "xn--bcher-kva.example"},
	{"an ideographic dot", "\xe4\xbe\x8b\xe3\x80\x82test", "xn--fsq.test"},
	{"a sharp s stays",
	 "stra\xc3\x9f"
	 "e.test",
	 "xn--strae-oqa.test"},
	{"a literal", "[IPv6:2001:DB8::1]", "[ipv6:2001:db8::1]"},
	{"nothing", "", ""},
	{"a dot", ".", ""},
	{"two trailing dots", "a..", ""},
	{"a blank", "a b", ""},
	{"a character that hides a slash",
	 "a\xe2\x84\x80"
	 "b.test",
	 ""},
	{"a character that hides an at sign",
	 "a\xef\xbc\xa0"
	 "b.test",
	 ""},
	{"a private character", "a\xee\x80\x80.test", ""},
	{"no UTF-8", "a\xff.test", ""},
};

static void
test_domain(void **state)
{
	const struct domain *row = *state;
	char text[SMTP_DOMAIN_MAX + 1] = "";
	size_t length = smtp_domain_normalize(span_from_string(row->domain), text);

	assert_true(span_equals(span_of(text, length), span_from_string(row->wanted)));
}

static const struct equality {
	const char *name;
	const char *a;
	const char *b;
	bool equal;
} equalities[] = {
	{"the same", "a.example", "a.example", true},
	{"case", "A.example", "a.EXAMPLE", true},
	{"a trailing dot", "a.example.", "a.example", true},
	{"another", "a.example", "b.example", false},
	{"one that ends alike", "aa.example", "a.example", false},
	{"a U-label and its A-label",
	 "b\xc3\xbc"
	 "cher.example",
	 "xn--bcher-kva.example", true},
	{"two U-labels", "b\xc3\xbc.test", "B\xc3\x9c.test.", true},
	{"U-labels that differ", "b\xc3\xbc.test", "b\xc3\xb6.test", false},
	{"nothing", "", "a.example", false},
	{"two that are no domains", "a\xff", "b\xff", false},
};

static void
test_equality(void **state)
{
	const struct equality *row = *state;
	struct span a = span_from_string(row->a);
	struct span b = span_from_string(row->b);

	assert_int_equal(smtp_domain_equals(a, b), row->equal);
	assert_int_equal(smtp_domain_equals(b, a), row->equal);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_path_has_a_limit),
	};

	return ROWS_RUN(readings, test_reading) + ROWS_RUN(limits, test_limit) +
	       ROWS_RUN(domains, test_domain) + ROWS_RUN(equalities, test_equality) +
	       cmocka_run_group_tests_name("paths", tests, NULL, NULL);
}
