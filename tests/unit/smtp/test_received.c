#include "rows.h"
#include "smtp/received.h"

#define TIME INT64_C(1795572000)
#define DATE "Wed, 25 Nov 2026 02:00:00 +0000\r\n"

#define X_16 "xxxxxxxxxxxxxxxx"
#define X_64 X_16 X_16 X_16 X_16
#define X_240 X_64 X_64 X_64 X_16 X_16 X_16
#define X_255 X_240 "xxxxxxxxxxxxxxx"
#define X_256 X_64 X_64 X_64 X_64

static const struct line {
	const char *name;
	const char *client;
	struct smtp_origin origin; /* without its client */
	struct span recipient;
	const char *wanted;
} lines[] = {
	{"all",
	 "192.0.2.1:1",
	 {.name_state = SMTP_NAME_FOUND,
	  .name = SPAN("a.test"),
	  .helo = SPAN("b.test"),
	  .extended = true,
	  .id = SPAN("4Zx"),
	  .tls = {.used = true,
		  .version = SPAN("TLSv1.3"),
		  .cipher = SPAN("TLS_AES_256_GCM_SHA384")}},
	 SPAN("joe@c.test"),
	 "Received: from b.test (a.test [192.0.2.1])\r\n"
	 "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\r\n"
	 "\tby mx.test with ESMTPS id 4Zx\r\n"
	 "\tfor <joe@c.test>; " DATE},
	{"no TLS",
	 "192.0.2.1:1",
	 {.helo = SPAN("b"), .extended = true, .tls = {.version = SPAN("TLSv1.3")}},
	 SPAN("joe@c"),
	 "Received: from b (unknown [192.0.2.1])\r\n"
	 "\tby mx.test with ESMTP\r\n"
	 "\tfor <joe@c>; " DATE},
	{"no recipient",
	 "192.0.2.1:1",
	 {.helo = SPAN("b"), .id = SPAN("4Zx")},
	 SPAN(""),
	 "Received: from b (unknown [192.0.2.1])\r\n"
	 "\tby mx.test with SMTP id 4Zx; " DATE},
	{"a name that does not lead back",
	 "192.0.2.1:1",
	 {.helo = SPAN("b"), .name_state = SMTP_NAME_NONE, .name = SPAN("a")},
	 SPAN(""),
	 "Received: from b (unknown [192.0.2.1])\r\n"
	 "\tby mx.test with SMTP; " DATE},
	{"IPv6",
	 "[2001:db8::1]:1",
	 {.helo = SPAN("[IPv6:2001:db8::1]")},
	 SPAN(""),
	 "Received: from [IPv6:2001:db8::1] (unknown [IPv6:2001:db8::1])\r\n"
	 "\tby mx.test with SMTP; " DATE},
	{"a mapped address",
	 "[::ffff:192.0.2.1]:1",
	 {.helo = SPAN("b")},
	 SPAN(""),
	 "Received: from b (unknown [192.0.2.1])\r\n"
	 "\tby mx.test with SMTP; " DATE},
	{"a UNIX client",
	 "unix:/run/a)",
	 {.helo = SPAN("b"), .name_state = SMTP_NAME_FOUND, .name = SPAN("a")},
	 SPAN(""),
	 "Received: from b (localhost)\r\n"
	 "\tby mx.test with SMTP; " DATE},
	{"a client of which nothing is known",
	 "",
	 {.helo = SPAN("b")},
	 SPAN(""),
	 "Received: from b (unknown)\r\n"
	 "\tby mx.test with SMTP; " DATE},
	{"no HELO",
	 "192.0.2.1:1",
	 {.extended = true},
	 SPAN(""),
	 "Received: from unknown (unknown [192.0.2.1])\r\n"
	 "\tby mx.test with ESMTP; " DATE},
	{"octets that would mean something",
	 "192.0.2.1:1",
	 {.helo = SPAN("a(b)c<d>e\\f\"g h;i\r\n\0\x7f\xc3\xa9~!@")},
	 SPAN(""),
	 "Received: from a?b?c?d?e?f?g?h?i??????~!@ (unknown [192.0.2.1])\r\n"
	 "\tby mx.test with SMTP; " DATE},
	{"the same in a name and an id",
	 "192.0.2.1:1",
	 {.name_state = SMTP_NAME_FOUND, .name = SPAN("a)\r\nX: y"), .id = SPAN("a;b")},
	 SPAN(""),
	 "Received: from unknown (a???X:?y [192.0.2.1])\r\n"
	 "\tby mx.test with SMTP id a?b; " DATE},
	{"the same in what TLS is",
	 "192.0.2.1:1",
	 {.tls = {.used = true, .version = SPAN("a)"), .cipher = SPAN("\r\nb")}},
	 SPAN(""),
	 "Received: from unknown (unknown [192.0.2.1])\r\n"
	 "\t(using a? with cipher ??b)\r\n"
	 "\tby mx.test with SMTPS; " DATE},
	{"a quoted recipient",
	 "192.0.2.1:1",
	 {.helo = SPAN("b")},
	 SPAN("\"a b>;(c\"@d"),
	 "Received: from b (unknown [192.0.2.1])\r\n"
	 "\tby mx.test with SMTP\r\n"
	 "\tfor <\"a b>;(c\"@d>; " DATE},
	{"a recipient in UTF-8",
	 "192.0.2.1:1",
	 {.helo = SPAN("b")},
	 SPAN("\xc3\xb6@d"),
	 "Received: from b (unknown [192.0.2.1])\r\n"
	 "\tby mx.test with SMTP; " DATE},
	{"a recipient with a line end",
	 "192.0.2.1:1",
	 {.helo = SPAN("b")},
	 SPAN("\"a\r\n\"@d"),
	 "Received: from b (unknown [192.0.2.1])\r\n"
	 "\tby mx.test with SMTP; " DATE},
	{"the longest recipient",
	 "192.0.2.1:1",
	 {.helo = SPAN("b")},
	 SPAN(X_256),
	 "Received: from b (unknown [192.0.2.1])\r\n"
	 "\tby mx.test with SMTP\r\n"
	 "\tfor <" X_256 ">; " DATE},
	{"a recipient too long",
	 "192.0.2.1:1",
	 {.helo = SPAN("b")},
	 SPAN(X_256 "x"),
	 "Received: from b (unknown [192.0.2.1])\r\n"
	 "\tby mx.test with SMTP; " DATE},
	{"the longest HELO",
	 "192.0.2.1:1",
	 {.helo = SPAN(X_255)},
	 SPAN(""),
	 "Received: from " X_255 " (unknown [192.0.2.1])\r\n"
	 "\tby mx.test with SMTP; " DATE},
	{"a HELO too long",
	 "192.0.2.1:1",
	 {.helo = SPAN(X_256 "y")},
	 SPAN(""),
	 "Received: from " X_255 " (unknown [192.0.2.1])\r\n"
	 "\tby mx.test with SMTP; " DATE},
	{"the longest id",
	 "192.0.2.1:1",
	 {.id = SPAN(X_64)},
	 SPAN(""),
	 "Received: from unknown (unknown [192.0.2.1])\r\n"
	 "\tby mx.test with SMTP id " X_64 "; " DATE},
	{"an id too long",
	 "192.0.2.1:1",
	 {.id = SPAN(X_64 "x")},
	 SPAN(""),
	 "Received: from unknown (unknown [192.0.2.1])\r\n"
	 "\tby mx.test with SMTP; " DATE},
	{"a cipher too long",
	 "192.0.2.1:1",
	 {.tls = {.used = true, .version = SPAN("a"), .cipher = SPAN(X_64 "x")}},
	 SPAN(""),
	 "Received: from unknown (unknown [192.0.2.1])\r\n"
	 "\tby mx.test with SMTPS; " DATE},
};

static void
test_line(void **state)
{
	const struct line *row = *state;
	struct smtp_origin origin = row->origin;
	char room[SMTP_RECEIVED_MAX];
	size_t length;

	assert_true(*row->client == 0 ||
		    endpoint_read(span_from_string(row->client), &origin.client));
	length = smtp_received_print(&origin, SPAN("mx.test"), row->recipient, TIME,
				     room);
	if (!span_equals(span_of(room, length), span_from_string(row->wanted)))
		fail_msg("%.*s", (int)length, room);
}

/* What is left out where not all fits. All names here are of the longest. */
static const struct fit {
	const char *name;
	struct span version; /* of TLS, whose cipher is as long */
	size_t recipient;
	const char *with; /* what must be in it; NULL: neither TLS nor a recipient */
	size_t length;
} fits[] = {
	{"TLS without a recipient", SPAN("x"), 256, "(using x with", 978},
	{"no room for either", SPAN(X_16), 256, NULL, 952},
	{"a short recipient", SPAN(X_64), 39, "for <", 1000},
	{"a recipient a byte too long", SPAN(X_64), 40, NULL, 952},
};

static void
test_fit(void **state)
{
	const struct fit *row = *state;
	struct smtp_origin origin = {
		.name_state = SMTP_NAME_FOUND,
		.name = SPAN(X_255),
		.helo = SPAN(X_255),
		.extended = true,
		.authenticated = true,
		.id = SPAN(X_64),
		.tls = {.used = true, .version = row->version, .cipher = row->version},
	};
	char room[SMTP_RECEIVED_MAX + 1];
	size_t length;

	assert_true(endpoint_read_address(
		SPAN("2001:1db8:1111:2222:3333:4444:5555:6666"), 1, &origin.client));
	length =
		smtp_received_print(&origin, SPAN(X_255),
				    span_take(SPAN(X_256), row->recipient), TIME, room);
	room[length] = 0;
	assert_int_equal(length, row->length);
	assert_true(row->with ? strstr(room, row->with) != NULL
			      : !strstr(room, "using") && !strstr(room, "for"));
}

static const struct date {
	const char *name;
	int64_t seconds;
	const char *wanted;
} dates[] = {
	{"the first second", 0, "Thu, 01 Jan 1970 00:00:00 +0000"},
	{"a leap day", 1709251199, "Thu, 29 Feb 2024 23:59:59 +0000"},
	{"the day behind it", 1709251200, "Fri, 01 Mar 2024 00:00:00 +0000"},
	{"the end of a year", 1798761599, "Thu, 31 Dec 2026 23:59:59 +0000"},
	{"behind 32 bits", INT64_C(4294967296), "Sun, 07 Feb 2106 06:28:16 +0000"},
	{"the last second", INT64_C(253402300799), "Fri, 31 Dec 9999 23:59:59 +0000"},
};

static void
test_date(void **state)
{
	const struct date *row = *state;
	struct smtp_origin origin = {0};
	char room[SMTP_RECEIVED_MAX];
	struct span line =
		span_of(room, smtp_received_print(&origin, SPAN("mx"), SPAN(""),
						  row->seconds, room));
	size_t semicolon = span_find(line, ';');

	assert_true(span_equals(
		span_of(line.at + semicolon + 2, line.length - semicolon - 4),
		span_from_string(row->wanted)));
}

int
main(void)
{
	return ROWS_RUN(lines, test_line) + ROWS_RUN(fits, test_fit) +
	       ROWS_RUN(dates, test_date);
}
