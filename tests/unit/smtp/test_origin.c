#include "rows.h"
#include "smtp/origin.h"

static const struct protocol {
	const char *name;
	struct smtp_origin origin;
	const char *wanted;
} protocols[] = {
	{"HELO", {.extended = false}, "SMTP"},
	{"HELO over TLS", {.tls = {.used = true}}, "SMTPS"},
	{"EHLO", {.extended = true}, "ESMTP"},
	{"EHLO over TLS", {.extended = true, .tls = {.used = true}}, "ESMTPS"},
	{"AUTH", {.extended = true, .authenticated = true}, "ESMTPA"},
	{"AUTH over TLS",
	 {.extended = true, .authenticated = true, .tls = {.used = true}},
	 "ESMTPSA"},
};

static void
test_protocol(void **state)
{
	const struct protocol *row = *state;

	assert_true(span_equals(smtp_origin_protocol(&row->origin),
				span_from_string(row->wanted)));
}

static const struct end {
	const char *name;
	const char *endpoint;
	bool is_ip;
} ends[] = {
	{"IPv4", "192.0.2.1:25", true},
	{"IPv6", "[::1]:25", true},
	{"UNIX", "unix:/run/a", false},
	{"none", "", false},
};

static void
test_end(void **state)
{
	const struct end *row = *state;
	struct endpoint endpoint = {0};

	endpoint_read(span_from_string(row->endpoint), &endpoint);
	assert_int_equal(smtp_origin_is_ip(&endpoint), row->is_ip);
}

int
main(void)
{
	return ROWS_RUN(protocols, test_protocol) + ROWS_RUN(ends, test_end);
}
