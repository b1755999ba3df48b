/* Answers of the kernel about routes and rules, whole, cut and with lengths that lie.
 */
#include "net/route.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

#define OF(number) (const uint32_t[]){number}, sizeof(uint32_t)

struct attribute {
	unsigned short type;
	const void *value;
	size_t length;
};

struct row {
	const char *name;
	uint16_t message;
	union {
		struct rtmsg route;
		struct fib_rule_hdr rule;
		int error;
	} fixed;
	size_t fixed_length;
	struct attribute attributes[3];
	struct route_record expected;
};

#define ROUTE(...) {.route = {__VA_ARGS__}}, sizeof(struct rtmsg)
#define RULE(...) {.rule = {__VA_ARGS__}}, sizeof(struct fib_rule_hdr)
#define ERROR(number) {.error = (number)}, sizeof(int)

static const struct row rows[] = {
	{"a route by an interface",
	 RTM_NEWROUTE,
	 ROUTE(.rtm_type = RTN_UNICAST, .rtm_dst_len = 24, .rtm_table = RT_TABLE_MAIN),
	 {{RTA_OIF, OF(3)}},
	 {RTM_NEWROUTE, RTN_UNICAST, 24, RT_TABLE_MAIN, 0, 3, 0}},
	{"the whole number of a table",
	 RTM_NEWROUTE,
	 ROUTE(.rtm_type = RTN_LOCAL, .rtm_table = RT_TABLE_COMPAT),
	 {{RTA_TABLE, OF(70000)}, {RTA_OIF, OF(1)}},
	 {RTM_NEWROUTE, RTN_LOCAL, 0, 70000, 0, 1, 0}},
	{"what is not asked for",
	 RTM_NEWROUTE,
	 ROUTE(.rtm_type = RTN_LOCAL),
	 {{RTA_PRIORITY, OF(9)}, {RTA_METRICS, "abcde", 5}, {RTA_OIF, OF(2)}},
	 {RTM_NEWROUTE, RTN_LOCAL, 0, 0, 0, 2, 0}},
	{"a number of another length",
	 RTM_NEWROUTE,
	 ROUTE(.rtm_type = RTN_LOCAL),
	 {{RTA_OIF, "ab", 2}},
	 {RTM_NEWROUTE, RTN_LOCAL, 0, 0, 0, 0, 0}},
	{"a rule for a mark",
	 RTM_NEWRULE,
	 RULE(.action = FR_ACT_TO_TBL, .table = 100),
	 {{FRA_FWMARK, OF(0x11)}, {FRA_FWMASK, OF(0xff)}, {FRA_TABLE, OF(100)}},
	 {RTM_NEWRULE, FR_ACT_TO_TBL, 0, 100, 0x11, 0, 0}},
	{"a rule that leads nowhere",
	 RTM_NEWRULE,
	 RULE(.action = FR_ACT_BLACKHOLE),
	 {{0}},
	 {RTM_NEWRULE, FR_ACT_BLACKHOLE, 0, 0, 0, 0, 0}},
	{"an error",
	 NLMSG_ERROR,
	 ERROR(-ENETUNREACH),
	 {{0}},
	 {NLMSG_ERROR, 0, 0, 0, 0, 0, -ENETUNREACH}},
	{"the end of a list",
	 NLMSG_DONE,
	 ERROR(0),
	 {{0}},
	 {NLMSG_DONE, 0, 0, 0, 0, 0, 0}},
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static size_t
append(char *room, size_t at, const void *bytes, size_t length)
{
	memcpy(room + at, bytes, length);
	return at + NLMSG_ALIGN(length);
}

static struct span
message_of(const struct row *row, char room[256])
{
	struct nlmsghdr header = {.nlmsg_type = row->message};
	size_t at = append(room, sizeof(header), &row->fixed, row->fixed_length);

	for (size_t i = 0; i < 3 && row->attributes[i].type; i++) {
		const struct attribute *attribute = &row->attributes[i];
		struct rtattr head = {(unsigned short)RTA_LENGTH(attribute->length),
				      attribute->type};

		at = append(room, at, &head, sizeof(head));
		at = append(room, at, attribute->value, attribute->length);
	}
	header.nlmsg_len = (uint32_t)at;
	memcpy(room, &header, sizeof(header));
	return span_of(room, at);
}

static void
assert_same(const struct route_record *got, const struct route_record *expected)
{
	assert_int_equal(got->message, expected->message);
	assert_int_equal(got->type, expected->type);
	assert_int_equal(got->bits, expected->bits);
	assert_int_equal(got->table, expected->table);
	assert_int_equal(got->mark, expected->mark);
	assert_int_equal(got->out, expected->out);
	assert_int_equal(got->error, expected->error);
}

static void
is_read(void **state)
{
	const struct row *row = *state;
	struct route_record record;
	char room[256] = {0};
	struct span messages = message_of(row, room);

	assert_true(route_read(&messages, &record));
	assert_true(span_is_empty(messages));
	assert_same(&record, &row->expected);
}

static void
is_not_read_when_cut(void **state)
{
	struct route_record record;
	char room[256] = {0};
	struct span message = message_of(*state, room);

	for (size_t length = 0; length < message.length; length++) {
		struct span cut = span_take(message, length);

		assert_false(route_read(&cut, &record));
	}
}

/* Of the whole and of each part: whatever they say, nothing outside is read. */
static void
survives_lengths_that_lie(void **state)
{
	struct route_record record;
	char room[256] = {0};
	struct span message = message_of(*state, room);

	for (size_t at = 0; at < message.length; at++) {
		char *copy = malloc(message.length);
		struct span lying = span_of(copy, message.length);

		assert_non_null(copy);
		memcpy(copy, message.at, message.length);
		copy[at] = (char)(copy[at] ^ 0x7f);
		while (route_read(&lying, &record))
			;
		free(copy);
	}
}

static void
messages_are_read_one_by_one(void **state)
{
	struct route_record record;
	char room[512] = {0};
	struct span first = message_of(&rows[0], room);
	struct span second = message_of(&rows[4], room + first.length);
	struct span both = span_of(room, first.length + second.length);

	(void)state;
	assert_true(route_read(&both, &record));
	assert_same(&record, &rows[0].expected);
	assert_true(route_read(&both, &record));
	assert_same(&record, &rows[4].expected);
	assert_false(route_read(&both, &record));
}

/* The kernel itself, which has these in every network. */

static void
every_machine_has_the_rule_of_its_main_table(void **state)
{
	struct route_tables tables;
	struct route_record rules[64];
	size_t count;
	bool found = false;

	(void)state;
	assert_int_equal(route_open(&tables), STATUS_OK);
	assert_int_equal(route_rules(&tables, AF_INET, rules, 64, &count), STATUS_OK);
	for (size_t i = 0; i < count; i++)
		found |= rules[i].type == FR_ACT_TO_TBL &&
			 rules[i].table == RT_TABLE_MAIN;
	assert_true(found);
	route_close(&tables);
}

static void
a_list_is_bounded(void **state)
{
	struct route_tables tables;
	struct route_record rule;
	size_t count;

	(void)state;
	assert_int_equal(route_open(&tables), STATUS_OK);
	assert_int_equal(route_rules(&tables, AF_INET, &rule, 1, &count), STATUS_OK);
	assert_int_equal(count, 1);
	/* the rest of it does not stand in the way of the next question */
	assert_int_equal(route_rules(&tables, AF_INET, &rule, 0, &count), STATUS_OK);
	assert_int_equal(count, 0);
	route_close(&tables);
}

static void
loopback_is_local(void **state)
{
	struct route_tables tables;
	struct route_packet packet = {0};
	struct route_record route;

	(void)state;
	assert_true(endpoint_read(SPAN("127.0.0.1:25"), &packet.to));
	assert_int_equal(route_open(&tables), STATUS_OK);
	assert_int_equal(route_find(&tables, &packet, &route), STATUS_OK);
	assert_int_equal(route.type, RTN_LOCAL);
	route_close(&tables);
}

static void
add_rows(struct CMUnitTest *tests, CMUnitTestFunction function)
{
	for (size_t i = 0; i < ROW_COUNT; i++)
		tests[i] = (struct CMUnitTest){.name = rows[i].name,
					       .test_func = function,
					       .initial_state = (void *)&rows[i]};
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_read_one_by_one),
		cmocka_unit_test(every_machine_has_the_rule_of_its_main_table),
		cmocka_unit_test(a_list_is_bounded),
		cmocka_unit_test(loopback_is_local),
	};
	struct CMUnitTest whole[ROW_COUNT];
	struct CMUnitTest cut[ROW_COUNT];
	struct CMUnitTest lying[ROW_COUNT];

	add_rows(whole, is_read);
	add_rows(cut, is_not_read_when_cut);
	add_rows(lying, survives_lengths_that_lie);
	return cmocka_run_group_tests_name("route", tests, NULL, NULL) +
	       cmocka_run_group_tests_name("route messages", whole, NULL, NULL) +
	       cmocka_run_group_tests_name("route messages cut", cut, NULL, NULL) +
	       cmocka_run_group_tests_name("route messages that lie", lying, NULL,
					   NULL);
}
