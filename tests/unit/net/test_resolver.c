/* The resolver, against a DNS server of our own on the same loop. */
#include "net/resolver.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

enum { A = 1, AAAA = 28 };
enum { NO_ERROR = 0, FAILED = 2, NO_NAME = 3, SILENT = 255 };

/* What the server says; to what is not listed: no error, and no data. */
struct zone_row {
	const char *name;
	int type;
	uint32_t ttl;
	unsigned copies; /* of the record, the last octet counting up; 0: rcode alone */
	const char *address;
	int rcode;
};

static const struct zone_row zone[] = {
	{"four.example.net", A, 3600, 1, "192.0.2.10", NO_ERROR},
	{"six.example.net", AAAA, 3600, 1, "2001:db8::10", NO_ERROR},
	{"both.example.net", A, 3600, 2, "192.0.2.10", NO_ERROR},
	{"both.example.net", AAAA, 300, 1, "2001:db8::10", NO_ERROR},
	{"many.example.net", A, 3600, 40, "192.0.2.10", NO_ERROR},
	{"many.example.net", AAAA, 3600, 1, "2001:db8::10", NO_ERROR},
	{"none.example.net", A, 0, 0, NULL, NO_NAME},
	{"none.example.net", AAAA, 0, 0, NULL, NO_NAME},
	{"broken.example.net", A, 0, 0, NULL, FAILED},
	{"broken.example.net", AAAA, 0, 0, NULL, FAILED},
	{"half.example.net", A, 3600, 1, "192.0.2.10", NO_ERROR},
	{"half.example.net", AAAA, 0, 0, NULL, FAILED},
	{"otherhalf.example.net", AAAA, 0, 0, NULL, FAILED},
	{"silent.example.net", A, 0, 0, NULL, SILENT},
	{"silent.example.net", AAAA, 0, 0, NULL, SILENT},
	{"hub.test", A, 3600, 1, "192.0.2.10", NO_ERROR},
	{"hub.home.arpa", A, 3600, 1, "192.0.2.10", NO_ERROR},
};

static struct loop loop;
static struct loop_source server;
static int server_fd;
static unsigned asked;
static struct resolver *resolver;

static const struct zone_row *
zone_find(const char *name, int type)
{
	for (size_t i = 0; i < sizeof(zone) / sizeof(zone[0]); i++) {
		if (zone[i].type == type && !strcasecmp(zone[i].name, name))
			return &zone[i];
	}
	return NULL;
}

/* The question's name with dots; returns what follows it. */
static const uint8_t *
name_read(const uint8_t *at, char text[256])
{
	size_t length = 0;

	for (; *at; at += 1 + *at) {
		memcpy(text + length, at + 1, *at);
		length += *at;
		text[length++] = '.';
	}
	text[length ? length - 1 : 0] = 0;
	return at + 1;
}

static size_t
record_write(uint8_t *at, const struct zone_row *row, unsigned copy)
{
	const uint16_t length = row->type == A ? 4 : 16;
	const uint32_t ttl = htonl(row->ttl);
	const uint8_t head[] = {0xc0, 12, 0, (uint8_t)row->type, 0, 1};

	memcpy(at, head, sizeof(head));
	memcpy(at + 6, &ttl, sizeof(ttl));
	at[10] = 0;
	at[11] = (uint8_t)length;
	inet_pton(row->type == A ? AF_INET : AF_INET6, row->address, at + 12);
	at[12 + length - 1] += (uint8_t)copy;
	return 12u + length;
}

/* SOA, root names and all: what is not there may be remembered for a minute. */
static size_t
absence_write(uint8_t *at)
{
	const uint8_t record[34] = {0xc0, 12, 0,  6, 0,  1,        0,
				    0,    0,  60, 0, 22, [33] = 60};

	memcpy(at, record, sizeof(record));
	return sizeof(record);
}

/* Makes the query in place into its answer; returns its length, 0 for none. */
static size_t
answer_write(uint8_t packet[2048])
{
	char name[256];
	const uint8_t *type = name_read(packet + 12, name);
	const struct zone_row *row = zone_find(name, type[1]);
	size_t length = (size_t)(type + 4 - packet);
	const int rcode = row ? row->rcode : NO_ERROR;
	const unsigned copies = row ? row->copies : 0;
	const bool absent = copies == 0 && rcode != FAILED;
	const uint8_t counts[] = {0, 1, 0, (uint8_t)copies, 0, absent, 0, 0};

	if (rcode == SILENT)
		return 0;
	packet[2] = 0x81;
	packet[3] = (uint8_t)(0x80 | rcode);
	memcpy(packet + 4, counts, sizeof(counts));
	for (unsigned copy = 0; copy < copies; copy++)
		length += record_write(packet + length, row, copy);
	if (absent)
		length += absence_write(packet + length);
	return length;
}

static void
server_ready(struct loop_source *source)
{
	struct sockaddr_storage from;
	struct sockaddr *client = (struct sockaddr *)&from;
	socklen_t from_length = sizeof(from);
	uint8_t packet[2048] = {0};
	size_t length;

	source->ready = 0;
	if (recvfrom(server_fd, packet, 512, MSG_DONTWAIT, client, &from_length) < 12)
		return;
	asked++;
	length = answer_write(packet);
	if (length)
		sendto(server_fd, packet, length, 0, client, from_length);
}

static int
setup(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	struct endpoint at;

	(void)state;
	asked = 0;
	server_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (loop_open(&loop) || server_fd < 0 ||
	    bind(server_fd, (struct sockaddr *)&address, length) < 0 ||
	    getsockname(server_fd, (struct sockaddr *)&address, &length) < 0 ||
	    loop_add_level(&loop, &server, server_fd, server_ready))
		return -1;
	endpoint_from_sockaddr(&at, (struct sockaddr *)&address, length);
	return resolver_open(&resolver, &loop, RESOLVER_FORWARD, &at, 1);
}

static int
teardown(void **state)
{
	(void)state;
	if (resolver)
		resolver_close(resolver);
	resolver = NULL;
	loop_remove(&server);
	close(server_fd);
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
	before = asked;
	ask(&asker, "both.example.net");
	rounds_until(&asker, 2);
	assert_int_equal(asker.answer.count, 3);
	assert_int_equal(asked, before);
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
	while (asked < 2)
		loop_round(&loop, 1000000);
	assert_int_equal(asker.answers, 0);
	timer_wheel_advance(&loop.timers, loop.now + RESOLVER_PATIENCE + TIMER_TICK);
	loop_round(&loop, 0);
	assert_int_equal(asker.answers, 1);
	assert_int_equal(asker.answer.status, STATUS_TIMEOUT);
}

static void
closing_cancels(void **state)
{
	struct asker asker = {0};

	(void)state;
	ask(&asker, "silent.example.net");
	while (asked < 1)
		loop_round(&loop, 1000000);
	resolver_close(resolver);
	resolver = NULL;
	assert_null(asker.query.answer);
	assert_int_equal(loop.timers.running, 0);
	loop_round(&loop, 0);
	assert_int_equal(asker.answers, 0);
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

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	struct CMUnitTest each[ROW_COUNT];
	const struct CMUnitTest tests[] = {
		TEST(an_answer_is_cached),
		TEST(an_answered_query_may_ask_again),
		TEST(a_cancelled_query_is_not_answered),
		TEST(patience_ends),
		TEST(closing_cancels),
		TEST(the_system_knows_localhost),
	};

	for (size_t i = 0; i < ROW_COUNT; i++)
		each[i] = (struct CMUnitTest){.name = rows[i].name,
					      .test_func = resolves,
					      .setup_func = setup,
					      .teardown_func = teardown,
					      .initial_state = (void *)&rows[i]};
	return cmocka_run_group_tests_name("resolver", each, NULL, NULL) +
	       cmocka_run_group_tests_name("resolver queries", tests, NULL, NULL);
}
