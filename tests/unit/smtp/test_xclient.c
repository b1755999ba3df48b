#include "rows.h"
#include "smtp/xclient.h"

#define XCLIENT SMTP_ATTRIBUTES_XCLIENT
#define XFORWARD SMTP_ATTRIBUTES_XFORWARD

#define NAME SMTP_ATTRIBUTE_NAME
#define ADDR SMTP_ATTRIBUTE_ADDR
#define PORT SMTP_ATTRIBUTE_PORT
#define PROTO SMTP_ATTRIBUTE_PROTO
#define HELO SMTP_ATTRIBUTE_HELO
#define LOGIN SMTP_ATTRIBUTE_LOGIN
#define DESTADDR SMTP_ATTRIBUTE_DESTADDR
#define DESTPORT SMTP_ATTRIBUTE_DESTPORT
#define IDENT SMTP_ATTRIBUTE_IDENT
#define SOURCE SMTP_ATTRIBUTE_SOURCE
#define ALL 0xffffffffU

#define X_15 "xxxxxxxxxxxxxxx"
#define X_255                                                                          \
	X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15     \
		X_15 X_15

static const struct reading {
	const char *name;
	const char *text;
	uint16_t wanted;
} readings[] = {
	{"none", "", 0},
	{"Postfix' XCLIENT",
	 "NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT",
	 NAME | ADDR | PROTO | HELO | PORT | LOGIN | DESTADDR | DESTPORT},
	{"Postfix' XFORWARD", "NAME ADDR PROTO HELO SOURCE PORT IDENT",
	 NAME | ADDR | PROTO | HELO | SOURCE | PORT | IDENT},
	{"mixed case", "name Addr", NAME | ADDR},
	{"blanks", "  NAME   ADDR ", NAME | ADDR},
	{"twice", "NAME NAME", NAME},
	{"unknown ones", "NAMES XNAME NAME=1 -", 0},
};

static void
test_reading(void **state)
{
	const struct reading *row = *state;

	assert_int_equal(smtp_attributes_read(span_from_string(row->text)),
			 row->wanted);
}

static const struct telling {
	const char *name;
	enum smtp_attributes_verb verb;
	uint32_t attributes;
	const char *client;
	struct smtp_origin origin; /* without its ends */
	const char *wanted;        /* all commands */
} tellings[] = {
	{"all of XCLIENT",
	 XCLIENT,
	 ALL,
	 "192.0.2.1:56324",
	 {.name_state = SMTP_NAME_FOUND,
	  .name = SPAN("a.test"),
	  .helo = SPAN("b.test"),
	  .extended = true,
	  .authenticated = true,
	  .login = SPAN("joe"),
	  .id = SPAN("1")},
	 "XCLIENT NAME=a.test PORT=56324 PROTO=ESMTP HELO=b.test LOGIN=joe "
	 "DESTADDR=198.51.100.7 DESTPORT=25 ADDR=192.0.2.1\r\n"},
	{"all of XFORWARD",
	 XFORWARD,
	 ALL,
	 "192.0.2.1:56324",
	 {.name_state = SMTP_NAME_FOUND,
	  .name = SPAN("a.test"),
	  .helo = SPAN("b.test"),
	  .extended = true,
	  .authenticated = true,
	  .login = SPAN("joe"),
	  .id = SPAN("1")},
	 "XFORWARD NAME=a.test PORT=56324 PROTO=ESMTP HELO=b.test IDENT=1 "
	 "SOURCE=REMOTE ADDR=192.0.2.1\r\n"},
	{"those announced alone",
	 XCLIENT,
	 ADDR | HELO,
	 "192.0.2.1:1",
	 {.helo = SPAN("b")},
	 "XCLIENT HELO=b ADDR=192.0.2.1\r\n"},
	{"IPv6",
	 XCLIENT,
	 ADDR | PORT,
	 "[2001:db8::1]:1",
	 {.helo = SPAN("")},
	 "XCLIENT PORT=1 ADDR=IPV6:2001:db8::1\r\n"},
	{"a mapped address",
	 XFORWARD,
	 ADDR,
	 "[::ffff:192.0.2.1]:1",
	 {.helo = SPAN("")},
	 "XFORWARD ADDR=192.0.2.1\r\n"},
	{"HELO",
	 XCLIENT,
	 PROTO,
	 "192.0.2.1:1",
	 {.extended = false},
	 "XCLIENT PROTO=SMTP\r\n"},
	{"a name not known now",
	 XCLIENT,
	 NAME,
	 "192.0.2.1:1",
	 {.name_state = SMTP_NAME_UNKNOWN, .name = SPAN("a")},
	 "XCLIENT NAME=[TEMPUNAVAIL]\r\n"},
	{"a name that does not lead back",
	 XCLIENT,
	 NAME,
	 "192.0.2.1:1",
	 {.name_state = SMTP_NAME_NONE, .name = SPAN("a")},
	 "XCLIENT NAME=[UNAVAILABLE]\r\n"},
	{"XFORWARD and a name not known now",
	 XFORWARD,
	 NAME,
	 "192.0.2.1:1",
	 {.name_state = SMTP_NAME_UNKNOWN},
	 "XFORWARD NAME=[UNAVAILABLE]\r\n"},
	{"XFORWARD and no name",
	 XFORWARD,
	 NAME,
	 "192.0.2.1:1",
	 {.name_state = SMTP_NAME_NONE},
	 "XFORWARD NAME=[UNAVAILABLE]\r\n"},
	{"a UNIX client of XFORWARD",
	 XFORWARD,
	 ADDR | PORT | SOURCE | HELO | IDENT,
	 "unix:/run/a",
	 {.extended = true},
	 "XFORWARD PORT=[UNAVAILABLE] HELO=[UNAVAILABLE] IDENT=[UNAVAILABLE] "
	 "SOURCE=LOCAL ADDR=[UNAVAILABLE]\r\n"},
	{"a client of which nothing is known",
	 XFORWARD,
	 ADDR | PORT | SOURCE,
	 "",
	 {.extended = true},
	 "XFORWARD PORT=[UNAVAILABLE] SOURCE=[UNAVAILABLE] ADDR=[UNAVAILABLE]\r\n"},
	{"a login that is none",
	 XCLIENT,
	 LOGIN | PROTO,
	 "192.0.2.1:1",
	 {.login = SPAN("joe")},
	 "XCLIENT PROTO=SMTP\r\n"},
	{"a login without a name",
	 XCLIENT,
	 LOGIN,
	 "192.0.2.1:1",
	 {.authenticated = true},
	 "XCLIENT LOGIN=[UNAVAILABLE]\r\n"},
	{"nothing", XCLIENT, 0, "192.0.2.1:1", {.extended = true}, ""},
	{"a login alone that is none",
	 XCLIENT,
	 LOGIN,
	 "192.0.2.1:1",
	 {.extended = true},
	 ""},
	{"XFORWARD's alone",
	 XCLIENT,
	 IDENT | SOURCE,
	 "192.0.2.1:1",
	 {.extended = true},
	 ""},
	{"XCLIENT's alone",
	 XFORWARD,
	 LOGIN | DESTADDR | DESTPORT,
	 "192.0.2.1:1",
	 {.authenticated = true, .login = SPAN("joe")},
	 ""},
	{"xtext",
	 XCLIENT,
	 HELO,
	 "192.0.2.1:1",
	 {.helo = SPAN("a+b=c d\t\r\n\0\x7f\xe9~!")},
	 "XCLIENT HELO=a+2Bb+3Dc+20d+09+0D+0A+00+7F+E9~!\r\n"},
	{"an address literal",
	 XCLIENT,
	 HELO,
	 "192.0.2.1:1",
	 {.helo = SPAN("[IPv6:::1]")},
	 "XCLIENT HELO=[IPv6:::1]\r\n"},
	{"the longest value",
	 XCLIENT,
	 HELO,
	 "192.0.2.1:1",
	 {.helo = SPAN(X_255)},
	 "XCLIENT HELO=" X_255 "\r\n"},
	{"a value too long",
	 XCLIENT,
	 HELO,
	 "192.0.2.1:1",
	 {.helo = SPAN(X_255 "x")},
	 "XCLIENT HELO=[UNAVAILABLE]\r\n"},
	{"a value too long when encoded",
	 XCLIENT,
	 HELO,
	 "192.0.2.1:1",
	 {.helo = SPAN("+" X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15
			       X_15 X_15 X_15 X_15 "xxxxxxxxxxxxx")},
	 "XCLIENT HELO=[UNAVAILABLE]\r\n"},
	{"two commands",
	 XCLIENT,
	 NAME | HELO | ADDR,
	 "192.0.2.1:1",
	 {.name_state = SMTP_NAME_FOUND, .name = SPAN(X_255), .helo = SPAN(X_255)},
	 "XCLIENT NAME=" X_255 "\r\n"
	 "XCLIENT HELO=" X_255 " ADDR=192.0.2.1\r\n"},
	{"ADDR waits for what does not fit",
	 XCLIENT,
	 NAME | HELO | LOGIN | DESTPORT | ADDR,
	 "192.0.2.1:1",
	 {.name_state = SMTP_NAME_FOUND,
	  .name = SPAN("a"),
	  .helo = SPAN(X_255),
	  .authenticated = true,
	  .login = SPAN(X_255)},
	 "XCLIENT NAME=a HELO=" X_255 "\r\n"
	 "XCLIENT LOGIN=" X_255 " DESTPORT=25 ADDR=192.0.2.1\r\n"},
	{"a command of 512 bytes",
	 XCLIENT,
	 NAME | HELO,
	 "192.0.2.1:1",
	 {.name_state = SMTP_NAME_FOUND,
	  .name = SPAN(X_255),
	  .helo = SPAN(X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15
			       X_15 X_15 "xxxxxxxxxxx")},
	 "XCLIENT NAME=" X_255 " HELO=" X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15
		 X_15 X_15 X_15 X_15 X_15 X_15 "xxxxxxxxxxx\r\n"},
	{"a command of 513 bytes is two",
	 XCLIENT,
	 NAME | HELO,
	 "192.0.2.1:1",
	 {.name_state = SMTP_NAME_FOUND,
	  .name = SPAN(X_255),
	  .helo = SPAN(X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15
			       X_15 X_15 "xxxxxxxxxxxx")},
	 "XCLIENT NAME=" X_255 "\r\nXCLIENT HELO=" X_15 X_15 X_15 X_15 X_15 X_15 X_15
		 X_15 X_15 X_15 X_15 X_15 X_15 X_15 X_15 "xxxxxxxxxxxx\r\n"},
};

static void
test_telling(void **state)
{
	const struct telling *row = *state;
	struct smtp_origin origin = row->origin;
	uint32_t left = row->attributes;
	struct buffer output;

	assert_true(*row->client == 0 ||
		    endpoint_read(span_from_string(row->client), &origin.client));
	assert_true(endpoint_read(SPAN("198.51.100.7:25"), &origin.destination));
	buffer_init(&output, 4096);
	do {
		size_t before = buffer_length(&output);
		enum status status =
			smtp_attributes_print(row->verb, &origin, &left, &output);

		assert_int_equal(status, *row->wanted ? STATUS_OK : STATUS_NOT_FOUND);
		assert_true(buffer_length(&output) - before <= 512);
	} while (left);
	assert_true(span_equals(buffer_span(&output), span_from_string(row->wanted)));
	buffer_clear(&output);
}

/* What was not said is still to be said. */
static void
test_full(void **state)
{
	struct smtp_origin origin = {.helo = SPAN("a")};
	uint32_t left = HELO | IDENT;
	struct buffer output;

	(void)state;
	buffer_init(&output, 15);
	assert_int_equal(smtp_attributes_print(XCLIENT, &origin, &left, &output),
			 STATUS_FULL);
	assert_int_equal(left, HELO | IDENT);
	assert_true(buffer_is_empty(&output));
	buffer_clear(&output);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_full)};

	return ROWS_RUN(readings, test_reading) + ROWS_RUN(tellings, test_telling) +
	       cmocka_run_group_tests(tests, NULL, NULL);
}
