/* The resolver, against a DNS server of our own on the same loop. */
#include "net/resolver.h"

#include "dns_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>

/* Behind the last octet of 192.0.2.…; of 2001:db8::10. */
#define NET ".2.0.192.in-addr.arpa"
#define NAMES_OF_IPV6                                                                  \
	"0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"

static const struct zone_row zone[] = {
	{"four.example.net", DNS_A, 3600, 1, "192.0.2.10", DNS_NO_ERROR},
	{"six.example.net", DNS_AAAA, 3600, 1, "2001:db8::10", DNS_NO_ERROR},
	{"both.example.net", DNS_A, 3600, 2, "192.0.2.10", DNS_NO_ERROR},
	{"both.example.net", DNS_AAAA, 300, 1, "2001:db8::10", DNS_NO_ERROR},
	{"many.example.net", DNS_A, 3600, 40, "192.0.2.10", DNS_NO_ERROR},
	{"many.example.net", DNS_AAAA, 3600, 1, "2001:db8::10", DNS_NO_ERROR},
	{"none.example.net", DNS_A, 0, 0, NULL, DNS_NO_NAME},
	{"none.example.net", DNS_AAAA, 0, 0, NULL, DNS_NO_NAME},
	{"broken.example.net", DNS_A, 0, 0, NULL, DNS_FAILED},
	{"broken.example.net", DNS_AAAA, 0, 0, NULL, DNS_FAILED},
	{"half.example.net", DNS_A, 3600, 1, "192.0.2.10", DNS_NO_ERROR},
	{"half.example.net", DNS_AAAA, 0, 0, NULL, DNS_FAILED},
	{"otherhalf.example.net", DNS_AAAA, 0, 0, NULL, DNS_FAILED},
	{"silent.example.net", DNS_A, 0, 0, NULL, DNS_SILENT},
	{"silent.example.net", DNS_AAAA, 0, 0, NULL, DNS_SILENT},
	{"hub.test", DNS_A, 3600, 1, "192.0.2.10", DNS_NO_ERROR},
	{"hub.home.arpa", DNS_A, 3600, 1, "192.0.2.10", DNS_NO_ERROR},
	{"10" NET, DNS_PTR, 3600, 1, "mail.example.net", DNS_NO_ERROR},
	{"11" NET, DNS_PTR, 3600, 1, "MX_1.Example.NET", DNS_NO_ERROR},
	{"12" NET, DNS_PTR, 300, 1, "a.example.net", DNS_NO_ERROR},
	{"12" NET, DNS_PTR, 300, 1, "b.example.net", DNS_NO_ERROR},
	{"13" NET, DNS_PTR, 3600, 9, "host-a", DNS_NO_ERROR},
	{"14" NET, DNS_PTR, 3600, 1, "a b.example.net", DNS_NO_ERROR},
	{"15" NET, DNS_PTR, 3600, 1, "a\r\n250 ok.example.net", DNS_NO_ERROR},
	{"16" NET, DNS_PTR, 3600, 1, "\xfc.example.net", DNS_NO_ERROR},
	{"17" NET, DNS_PTR, 3600, 1, "192.0.2.17", DNS_NO_ERROR},
	{"18" NET, DNS_PTR, 3600, 1, "", DNS_NO_ERROR},
	{"19" NET, DNS_PTR, 3600, 1, "a b.example.net", DNS_NO_ERROR},
	{"19" NET, DNS_PTR, 3600, 1, "good.example.net", DNS_NO_ERROR},
	{"20" NET, DNS_PTR, 0, 0, NULL, DNS_NO_NAME},
	{"21" NET, DNS_PTR, 0, 0, NULL, DNS_FAILED},
	{"22" NET, DNS_PTR, 0, 0, NULL, DNS_SILENT},
	{"9.2.0.10.in-addr.arpa", DNS_PTR, 3600, 1, "hub.example.net", DNS_NO_ERROR},
	{NAMES_OF_IPV6, DNS_PTR, 3600, 1, "six.example.net", DNS_NO_ERROR},
};

static struct loop loop;
static struct dns_server server;
static struct resolver *resolver;

static int
setup(void **state)
{
	(void)state;
	if (loop_open(&loop) ||
	    dns_server_open(&server, &loop, zone, sizeof(zone) / sizeof(zone[0])))
		return -1;
	return resolver_open(&resolver, &loop, RESOLVER_FORWARD, &server.address, 1);
}

static int
teardown(void **state)
{
	(void)state;
	resolver_close(resolver);
	resolver = NULL;
	dns_server_close(&server);
	loop_close(&loop);
	return 0;
}

struct asker {
	struct resolver_query query;
	struct resolver_answer answer;
	unsigned answers;
	bool again; /* asks once more when it is answered */
};

static void
answered(struct resolver_query *query, const struct resolver_answer *answer)
{
	struct asker *asker = CONTAINER_OF(query, struct asker, query);

	asker->answer = *answer;
	asker->answers++;
	if (!asker->again)
		return;
	asker->again = false;
	assert_int_equal(
		resolver_ask(resolver, query, SPAN("both.example.net"), answered),
		STATUS_OK);
}

static void
rounds_until(struct asker *asker, unsigned answers)
{
	while (asker->answers < answers)
		loop_round(&loop, 1000000);
}

struct row {
	const char *name;
	const char *host;
	enum status asked;
	enum status status;
	unsigned count;
	uint32_t ttl; /* about; UINT32_MAX: exactly */
	const char *first;
	const char *last;
};

/* 64 octets: one more than a label may have */
#define LONG_LABEL "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"

static const struct row rows[] = {
	{"an IPv4 address", "192.0.2.7", STATUS_OK, STATUS_OK, 1, UINT32_MAX,
	 "192.0.2.7", "192.0.2.7"},
	{"an IPv6 address", "2001:db8::7", STATUS_OK, STATUS_OK, 1, UINT32_MAX,
	 "2001:db8::7", "2001:db8::7"},
	{"IPv4 alone", "four.example.net", STATUS_OK, STATUS_OK, 1, 3600, "192.0.2.10",
	 "192.0.2.10"},
	{"IPv6 alone", "six.example.net", STATUS_OK, STATUS_OK, 1, 3600, "2001:db8::10",
	 "2001:db8::10"},
	{"IPv4 before IPv6, the shorter TTL", "both.example.net", STATUS_OK, STATUS_OK,
	 3, 300, NULL, "2001:db8::10"},
	{"a final dot, upper case", "FOUR.example.NET.", STATUS_OK, STATUS_OK, 1, 3600,
	 "192.0.2.10", "192.0.2.10"},
	{"more addresses than there is room for", "many.example.net", STATUS_OK,
	 STATUS_OK, RESOLVER_ADDRESSES_MAX, 3600, NULL, NULL},
	{"no such name", "none.example.net", STATUS_OK, STATUS_NOT_FOUND, 0, 60, NULL,
	 NULL},
	{"a name without addresses", "empty.example.net", STATUS_OK, STATUS_NOT_FOUND,
	 0, 60, NULL, NULL},
	{"the server fails", "broken.example.net", STATUS_OK, STATUS_SYSTEM, 0, 0, NULL,
	 NULL},
	{"half an answer is one", "half.example.net", STATUS_OK, STATUS_OK, 1, 3600,
	 "192.0.2.10", "192.0.2.10"},
	{"half a failure is not an absence", "otherhalf.example.net", STATUS_OK,
	 STATUS_SYSTEM, 0, 0, NULL, NULL},
	{"a laboratory's name", "hub.test", STATUS_OK, STATUS_OK, 1, 3600, "192.0.2.10",
	 "192.0.2.10"},
	{"a home's name", "hub.home.arpa", STATUS_OK, STATUS_OK, 1, 3600, "192.0.2.10",
	 "192.0.2.10"},
	{"an empty name", "", STATUS_INVALID, STATUS_OK, 0, 0, NULL, NULL},
	{"an empty label", "a..example.net", STATUS_INVALID, STATUS_OK, 0, 0, NULL,
	 NULL},
	{"an escape", "a\\.b.example.net", STATUS_INVALID, STATUS_OK, 0, 0, NULL, NULL},
	{"a blank", "a b.example.net", STATUS_INVALID, STATUS_OK, 0, 0, NULL, NULL},
	{"a dot alone", ".", STATUS_INVALID, STATUS_OK, 0, 0, NULL, NULL},
	{"two final dots", "example.net..", STATUS_INVALID, STATUS_OK, 0, 0, NULL,
	 NULL},
	{"a label too long", LONG_LABEL ".net", STATUS_INVALID, STATUS_OK, 0, 0, NULL,
	 NULL},
	{"a name too long",
	 LONG_LABEL "." LONG_LABEL "." LONG_LABEL "." LONG_LABEL ".example.net",
	 STATUS_INVALID, STATUS_OK, 0, 0, NULL, NULL},
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static void
assert_address(const struct endpoint *address, const char *expected)
{
	char text[ENDPOINT_TEXT_MAX];

	endpoint_print_address(address, text);
	if (expected)
		assert_string_equal(text, expected);
	assert_int_equal(endpoint_port(address), 0);
}

static void
assert_answer(const struct resolver_answer *answer, const struct row *row)
{
	assert_int_equal(answer->status, row->status);
	assert_int_equal(answer->count, row->count);
	if (row->ttl == UINT32_MAX)
		assert_int_equal(answer->ttl, UINT32_MAX);
	else if (row->ttl)
		assert_in_range(answer->ttl, row->ttl / 2, row->ttl);
	if (row->count == 0)
		return;
	assert_address(&answer->addresses[0], row->first);
	assert_address(&answer->addresses[answer->count - 1], row->last);
}

static void
resolves(void **state)
{
	const struct row *row = *state;
	struct asker asker = {0};

	assert_int_equal(resolver_ask(resolver, &asker.query,
				      span_from_string(row->host), answered),
			 row->asked);
	assert_int_equal(asker.answers, 0);
	if (row->asked == STATUS_OK) {
		rounds_until(&asker, 1);
		assert_answer(&asker.answer, row);
	}
	assert_null(asker.query.answer);
	loop_round(&loop, 0);
	assert_int_equal(asker.answers, row->asked == STATUS_OK);
}

struct name_row {
	const char *name;
	const char *address;
	enum status status;
	unsigned count;
	uint32_t ttl; /* about */
	const char *first;
};

static const struct name_row name_rows[] = {
	{"a name", "192.0.2.10", STATUS_OK, 1, 3600, "mail.example.net"},
	{"in lower case", "192.0.2.11", STATUS_OK, 1, 3600, "mx_1.example.net"},
	{"two names", "192.0.2.12", STATUS_OK, 2, 300, NULL},
	{"more names than there is room for", "192.0.2.13", STATUS_OK,
	 RESOLVER_NAMES_MAX, 3600, NULL},
	{"a name with a blank", "192.0.2.14", STATUS_NOT_FOUND, 0, 0, NULL},
	{"a name with an end of line", "192.0.2.15", STATUS_NOT_FOUND, 0, 0, NULL},
	{"a name with eight bits", "192.0.2.16", STATUS_NOT_FOUND, 0, 0, NULL},
	{"an address for a name", "192.0.2.17", STATUS_NOT_FOUND, 0, 0, NULL},
	{"the root for a name", "192.0.2.18", STATUS_NOT_FOUND, 0, 0, NULL},
	{"a good name beside a bad one", "192.0.2.19", STATUS_OK, 1, 3600,
	 "good.example.net"},
	{"no such name", "192.0.2.20", STATUS_NOT_FOUND, 0, 60, NULL},
	{"no names", "192.0.2.99", STATUS_NOT_FOUND, 0, 60, NULL},
	{"the server fails", "192.0.2.21", STATUS_SYSTEM, 0, 0, NULL},
	{"a private address", "10.0.2.9", STATUS_OK, 1, 3600, "hub.example.net"},
	{"IPv6", "2001:db8::10", STATUS_OK, 1, 3600, "six.example.net"},
	{"this machine", "127.0.0.1", STATUS_OK, 1, 0, "localhost"},
	{"a path", "unix:/run/socket", STATUS_INVALID, 0, 0, NULL},
};
#define NAME_ROW_COUNT (sizeof(name_rows) / sizeof(name_rows[0]))

static enum status
ask_name(struct asker *asker, const char *address)
{
	struct span text = span_from_string(address);
	struct endpoint endpoint;

	assert_true(endpoint_read_address(text, 25, &endpoint) ||
		    endpoint_read(text, &endpoint));
	return resolver_ask_name(resolver, &asker->query, &endpoint, answered);
}

static void
assert_names(const struct resolver_answer *answer, const struct name_row *row)
{
	assert_int_equal(answer->status, row->status);
	assert_int_equal(answer->count, row->count);
	if (row->ttl)
		assert_in_range(answer->ttl, row->ttl / 2, row->ttl);
	if (row->first)
		assert_string_equal(answer->names[0], row->first);
}

static void
resolves_names(void **state)
{
	const struct name_row *row = *state;
	struct asker asker = {0};
	bool asks = row->status != STATUS_INVALID;

	assert_int_equal(ask_name(&asker, row->address),
			 asks ? STATUS_OK : row->status);
	assert_int_equal(asker.answers, 0);
	if (asks) {
		rounds_until(&asker, 1);
		assert_names(&asker.answer, row);
	}
	assert_null(asker.query.answer);
	loop_round(&loop, 0);
	assert_int_equal(asker.answers, asks);
}

static void
ask(struct asker *asker, const char *host)
{
	assert_int_equal(
		resolver_ask(resolver, &asker->query, span_from_string(host), answered),
		STATUS_OK);
}

static void
an_answer_is_cached(void **state)
{
	struct asker asker = {0};
	unsigned before;

	(void)state;
	ask(&asker, "both.example.net");
	rounds_until(&asker, 1);
	before = server.asked;
	ask(&asker, "both.example.net");
	rounds_until(&asker, 2);
	assert_int_equal(asker.answer.count, 3);
	assert_int_equal(server.asked, before);
}

static void
an_answered_query_may_ask_again(void **state)
{
	struct asker asker = {.again = true};

	(void)state;
	ask(&asker, "192.0.2.1");
	rounds_until(&asker, 2);
	assert_int_equal(asker.answer.count, 3);
}

static void
a_cancelled_query_is_not_answered(void **state)
{
	struct asker literal = {0};
	struct asker cancelled = {0};
	struct asker other = {0};

	(void)state;
	ask(&literal, "192.0.2.1");
	ask(&cancelled, "four.example.net");
	ask(&other, "six.example.net");
	resolver_cancel(&literal.query);
	resolver_cancel(&cancelled.query);
	resolver_cancel(&cancelled.query);
	rounds_until(&other, 1);
	assert_int_equal(literal.answers + cancelled.answers, 0);
	/* and may ask anew */
	ask(&cancelled, "four.example.net");
	rounds_until(&cancelled, 1);
	assert_int_equal(cancelled.answer.count, 1);
}

static void
patience_ends(void **state)
{
	struct asker asker = {0};

	(void)state;
	ask(&asker, "silent.example.net");
	while (server.asked < 2)
		loop_round(&loop, 1000000);
	assert_int_equal(asker.answers, 0);
	timer_wheel_advance(&loop.timers, loop.now + RESOLVER_PATIENCE + TIMER_TICK);
	loop_round(&loop, 0);
	assert_int_equal(asker.answers, 1);
	assert_int_equal(asker.answer.status, STATUS_TIMEOUT);
}

static void
patience_for_names_ends(void **state)
{
	struct asker asker = {0};

	(void)state;
	assert_int_equal(ask_name(&asker, "192.0.2.22"), STATUS_OK);
	while (server.asked < 1)
		loop_round(&loop, 1000000);
	timer_wheel_advance(&loop.timers, loop.now + RESOLVER_PATIENCE + TIMER_TICK);
	loop_round(&loop, 0);
	assert_int_equal(asker.answers, 1);
	assert_int_equal(asker.answer.status, STATUS_TIMEOUT);
}

static void
a_cancelled_name_is_not_answered(void **state)
{
	struct asker cancelled = {0};
	struct asker other = {0};

	(void)state;
	assert_int_equal(ask_name(&cancelled, "192.0.2.10"), STATUS_OK);
	assert_int_equal(ask_name(&other, "192.0.2.11"), STATUS_OK);
	resolver_cancel(&cancelled.query);
	rounds_until(&other, 1);
	assert_int_equal(cancelled.answers, 0);
	assert_int_equal(loop.timers.running, 0);
}

static void
closing_cancels(void **state)
{
	struct asker asker = {0};
	struct asker of_names = {0};

	(void)state;
	ask(&asker, "silent.example.net");
	assert_int_equal(ask_name(&of_names, "192.0.2.22"), STATUS_OK);
	while (server.asked < 1)
		loop_round(&loop, 1000000);
	resolver_close(resolver);
	resolver = NULL;
	assert_null(asker.query.answer);
	assert_null(of_names.query.answer);
	assert_int_equal(loop.timers.running, 0);
	loop_round(&loop, 0);
	assert_int_equal(asker.answers + of_names.answers, 0);
}

static void
the_system_knows_localhost(void **state)
{
	struct asker asker = {0};

	(void)state;
	resolver_close(resolver);
	resolver = NULL;
	assert_int_equal(resolver_open(&resolver, &loop, RESOLVER_SYSTEM, NULL, 0),
			 STATUS_OK);
	ask(&asker, "localhost");
	rounds_until(&asker, 1);
	assert_int_equal(asker.answer.status, STATUS_OK);
	for (unsigned i = 0; i < asker.answer.count; i++)
		assert_true(endpoint_is_loopback(&asker.answer.addresses[i]));
}

static struct CMUnitTest
test_of(const char *name, CMUnitTestFunction function, const void *row)
{
	return (struct CMUnitTest){.name = name,
				   .test_func = function,
				   .setup_func = setup,
				   .teardown_func = teardown,
				   .initial_state = (void *)(uintptr_t)row};
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	struct CMUnitTest each[ROW_COUNT];
	struct CMUnitTest each_name[NAME_ROW_COUNT];
	const struct CMUnitTest tests[] = {
		TEST(an_answer_is_cached),
		TEST(an_answered_query_may_ask_again),
		TEST(a_cancelled_query_is_not_answered),
		TEST(a_cancelled_name_is_not_answered),
		TEST(patience_ends),
		TEST(patience_for_names_ends),
		TEST(closing_cancels),
		TEST(the_system_knows_localhost),
	};

	for (size_t i = 0; i < ROW_COUNT; i++)
		each[i] = test_of(rows[i].name, resolves, &rows[i]);
	for (size_t i = 0; i < NAME_ROW_COUNT; i++)
		each_name[i] =
			test_of(name_rows[i].name, resolves_names, &name_rows[i]);
	return cmocka_run_group_tests_name("resolver", each, NULL, NULL) +
	       cmocka_run_group_tests_name("names of addresses", each_name, NULL,
					   NULL) +
	       cmocka_run_group_tests_name("resolver queries", tests, NULL, NULL);
}
