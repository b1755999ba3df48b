#include "rows.h"
#include "smtp/extensions.h"
#include "smtp/sasl.h"
#include "smtp/xclient.h"

static const struct reading {
	const char *name;
	const char *reply;
	uint32_t set;
	uint64_t size;
	uint32_t auth;
} readings[] = {
	{"a name alone", "250 mx.test", 0, 0},
	{"the name is no keyword", "250 PIPELINING", 0, 0},
	{"Postfix",
	 "250-mx.test\r\n250-PIPELINING\r\n250-SIZE "
	 "10240000\r\n250-VRFY\r\n250-ETRN\r\n"
	 "250-STARTTLS\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-DSN\r\n"
	 "250-SMTPUTF8\r\n250 CHUNKING",
	 SMTP_PIPELINING | SMTP_SIZE | SMTP_STARTTLS | SMTP_ENHANCEDSTATUSCODES |
		 SMTP_8BITMIME | SMTP_DSN | SMTP_SMTPUTF8 | SMTP_CHUNKING,
	 10240000},
	{"Exim",
	 "250-mx Hello me [127.0.0.1]\r\n250-SIZE 52428800\r\n250-LIMITS "
	 "MAILMAX=1000\r\n"
	 "250-8BITMIME\r\n250-PIPELINING\r\n250-PIPECONNECT\r\n250-CHUNKING\r\n250 "
	 "HELP",
	 SMTP_SIZE | SMTP_8BITMIME | SMTP_PIPELINING | SMTP_CHUNKING, 52428800},
	{"what is never offered",
	 "250-mx\r\n250-XCLIENT NAME ADDR\r\n250-XFORWARD "
	 "NAME\r\n"
	 "250-BINARYMIME\r\n250 REQUIRETLS",
	 SMTP_XCLIENT | SMTP_XFORWARD | SMTP_BINARYMIME | SMTP_REQUIRETLS, 0},
	{"AUTH", "250-mx\r\n250 AUTH PLAIN LOGIN X-OWN", SMTP_AUTH, 0,
	 SASL_PLAIN | SASL_LOGIN},
	{"AUTH as it once was", "250-mx\r\n250 AUTH=LOGIN PLAIN", SMTP_AUTH, 0,
	 SASL_PLAIN | SASL_LOGIN},
	{"AUTH in both ways", "250-mx\r\n250-AUTH NTLM\r\n250 auth=plain", SMTP_AUTH, 0,
	 SASL_NTLM | SASL_PLAIN},
	{"AUTH without a mechanism", "250-mx\r\n250 AUTH", SMTP_AUTH, 0, 0},
	{"another keyword that begins so", "250-mx\r\n250 AUTHX PLAIN", 0, 0, 0},
	{"lower case", "250-mx\r\n250-pipelining\r\n250 size 5",
	 SMTP_PIPELINING | SMTP_SIZE, 5},
	{"SIZE without a number", "250-mx\r\n250 SIZE", SMTP_SIZE, 0},
	{"SIZE 0", "250-mx\r\n250 SIZE 0", SMTP_SIZE, 0},
	{"SIZE that is no number", "250-mx\r\n250 SIZE big", SMTP_SIZE, 0},
	{"a blank at the end", "250-mx\r\n250-SIZE 7 \r\n250 DSN ",
	 SMTP_SIZE | SMTP_DSN, 7},
	{"a keyword glued to more", "250-mx\r\n250 DSNX", 0, 0},
	{"a line without text", "250-mx\r\n250-\r\n250", 0, 0},
};

static void
test_reading(void **state)
{
	const struct reading *row = *state;
	struct smtp_reply reply = smtp_reply_of(span_from_string(row->reply));
	struct smtp_extensions read = smtp_extensions_read(&reply);

	assert_int_equal(read.set, row->set);
	assert_int_equal(read.size, row->size);
	assert_int_equal(read.auth, row->auth);
}

#define NAME SMTP_ATTRIBUTE_NAME
#define ADDR SMTP_ATTRIBUTE_ADDR
#define HELO SMTP_ATTRIBUTE_HELO

static const struct identity {
	const char *name;
	const char *reply;
	uint16_t xclient;
	uint16_t xforward;
} identities[] = {
	{"none", "250-mx\r\n250 DSN", 0, 0},
	{"XCLIENT", "250-mx\r\n250-XCLIENT NAME ADDR\r\n250 DSN", NAME | ADDR, 0},
	{"XFORWARD", "250-mx\r\n250 xforward name helo", 0, NAME | HELO},
	{"both", "250-mx\r\n250-XCLIENT ADDR\r\n250 XFORWARD HELO", ADDR, HELO},
	{"XCLIENT in two lines", "250-mx\r\n250-XCLIENT NAME\r\n250 XCLIENT ADDR",
	 NAME | ADDR, 0},
	{"without attributes", "250-mx\r\n250-XCLIENT\r\n250 XFORWARD ", 0, 0},
	{"attributes of another", "250-mx\r\n250 AUTH NAME ADDR", 0, 0},
};

static void
test_identity(void **state)
{
	const struct identity *row = *state;
	struct smtp_reply reply = smtp_reply_of(span_from_string(row->reply));
	struct smtp_extensions read = smtp_extensions_read(&reply);

	assert_int_equal(read.xclient, row->xclient);
	assert_int_equal(read.xforward, row->xforward);
}

static const struct intersection {
	const char *name;
	struct smtp_extensions a;
	struct smtp_extensions b;
	struct smtp_extensions wanted;
} intersections[] = {
	{"what both have",
	 {SMTP_DSN | SMTP_SIZE, 0},
	 {SMTP_DSN | SMTP_8BITMIME, 0},
	 {SMTP_DSN, 0}},
	{"mechanisms of both",
	 {SMTP_AUTH, 0, SASL_PLAIN | SASL_NTLM},
	 {SMTP_AUTH, 0, SASL_PLAIN | SASL_LOGIN},
	 {SMTP_AUTH, 0, SASL_PLAIN}},
	{"the smaller size", {SMTP_SIZE, 10}, {SMTP_SIZE, 20}, {SMTP_SIZE, 10}},
	{"no limit is the largest", {SMTP_SIZE, 0}, {SMTP_SIZE, 20}, {SMTP_SIZE, 20}},
	{"a limit against none", {SMTP_SIZE, 20}, {SMTP_SIZE, 0}, {SMTP_SIZE, 20}},
	{"no limit at all", {SMTP_SIZE, 0}, {SMTP_SIZE, 0}, {SMTP_SIZE, 0}},
	{"large limits do not overflow",
	 {SMTP_SIZE, UINT64_MAX},
	 {SMTP_SIZE, UINT64_MAX},
	 {SMTP_SIZE, UINT64_MAX}},
	{"attributes that both take",
	 {.xclient = NAME | ADDR, .xforward = ADDR},
	 {.xclient = NAME | HELO, .xforward = ADDR | HELO},
	 {.xclient = NAME, .xforward = ADDR}},
};

static void
test_intersection(void **state)
{
	const struct intersection *row = *state;
	struct smtp_extensions both = smtp_extensions_intersect(row->a, row->b);

	assert_int_equal(both.set, row->wanted.set);
	assert_int_equal(both.size, row->wanted.size);
	assert_int_equal(both.xclient, row->wanted.xclient);
	assert_int_equal(both.xforward, row->wanted.xforward);
	assert_int_equal(both.auth, row->wanted.auth);
}

static const struct printing {
	const char *name;
	struct smtp_extensions extensions;
	const char *wanted;
} printings[] = {
	{"none", {0, 0}, "250 mx.test\r\n"},
	{"one", {SMTP_DSN, 0}, "250-mx.test\r\n250 DSN\r\n"},
	{"a size", {SMTP_SIZE, 1000}, "250-mx.test\r\n250 SIZE 1000\r\n"},
	{"no limit", {SMTP_SIZE, 0}, "250-mx.test\r\n250 SIZE\r\n"},
	{"mechanisms",
	 {SMTP_AUTH, 0, SASL_PLAIN | SASL_LOGIN},
	 "250-mx.test\r\n250 AUTH PLAIN LOGIN\r\n"},
	{"no mechanism", {SMTP_AUTH | SMTP_DSN, 0, 0}, "250-mx.test\r\n250 DSN\r\n"},
	{"mechanisms without AUTH", {0, 0, SASL_PLAIN}, "250 mx.test\r\n"},
	{"all that is offered",
	 {UINT32_MAX, 9, SASL_PLAIN},
	 "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 9\r\n250-STARTTLS\r\n"
	 "250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-DSN\r\n250-SMTPUTF8\r\n"
	 "250-CHUNKING\r\n250-AUTH PLAIN\r\n250 REQUIRETLS\r\n"},
	{"nothing that is not",
	 {.set = SMTP_XCLIENT | SMTP_XFORWARD | SMTP_BINARYMIME,
	  .xclient = NAME | ADDR,
	  .xforward = NAME | ADDR},
	 "250 mx.test\r\n"},
};

static void
test_printing(void **state)
{
	const struct printing *row = *state;
	struct buffer output;

	buffer_init(&output, 1024);
	assert_int_equal(
		smtp_extensions_print(row->extensions, SPAN("mx.test"), &output),
		STATUS_OK);
	assert_true(span_equals(buffer_span(&output), span_from_string(row->wanted)));
	buffer_clear(&output);
}

int
main(void)
{
	return ROWS_RUN(readings, test_reading) + ROWS_RUN(identities, test_identity) +
	       ROWS_RUN(intersections, test_intersection) +
	       ROWS_RUN(printings, test_printing);
}
