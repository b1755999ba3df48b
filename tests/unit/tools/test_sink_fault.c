#include "rows.h"
#include "tools/sink_fault.h"

static const struct reading {
	const char *name;
	const char *text;
	enum fault_where where;
	enum fault_what what;
	uint64_t number;
	const char *argument;
	uint64_t first, last;
} readings[] = {
	{"a deed alone", "rcpt=drop", FAULT_RCPT, FAULT_DROP, 0, "", 1, UINT64_MAX},
	{"either case", "RCPT=Drop", FAULT_RCPT, FAULT_DROP, 0, "", 1, UINT64_MAX},
	{"a size", "body=drop:4k", FAULT_BODY, FAULT_DROP, 4096, "", 1, UINT64_MAX},
	{"a duration", "greeting=delay:2s", FAULT_GREETING, FAULT_DELAY, 2000, "", 1,
	 UINT64_MAX},
	{"a reply", "mail=reply:451 4.3.0 no", FAULT_MAIL, FAULT_REPLY, 0,
	 "451 4.3.0 no", 1, UINT64_MAX},
	{"a reply of two lines", "mail=reply:250-a\\r\\n250 b", FAULT_MAIL, FAULT_REPLY,
	 0, "250-a\r\n250 b", 1, UINT64_MAX},
	{"colons in a reply", "end=reply:250 a: b: c", FAULT_END, FAULT_REPLY, 0,
	 "250 a: b: c", 1, UINT64_MAX},
	{"an equals sign in a reply", "end=reply:250 a=b", FAULT_END, FAULT_REPLY, 0,
	 "250 a=b", 1, UINT64_MAX},
	{"octets", "end=raw:\\x41\\t\\\\\\x7F", FAULT_END, FAULT_RAW, 0, "A\t\\\x7f", 1,
	 UINT64_MAX},
	{"one occurrence", "data=drop@3", FAULT_DATA, FAULT_DROP, 0, "", 3, 3},
	{"all from one on", "data=drop@3+", FAULT_DATA, FAULT_DROP, 0, "", 3,
	 UINT64_MAX},
	{"an occurrence behind an argument", "body=drop:10@2", FAULT_BODY, FAULT_DROP,
	 10, "", 2, 2},
	{"an at sign in a text", "rcpt=reply:550 a@b", FAULT_RCPT, FAULT_REPLY, 0,
	 "550 a@b", 1, UINT64_MAX},
	{"an at sign in a text and an occurrence", "rcpt=reply:550 a@b@2", FAULT_RCPT,
	 FAULT_REPLY, 0, "550 a@b", 2, 2},
	{"a drop after the reply", "quit=drop-after-reply", FAULT_QUIT,
	 FAULT_DROP_AFTER_REPLY, 0, "", 1, UINT64_MAX},
	{"STARTTLS refused", "starttls=reply:454 4.7.0 no", FAULT_STARTTLS, FAULT_REPLY,
	 0, "454 4.7.0 no", 1, UINT64_MAX},
	{"a handshake that is dropped", "handshake=drop@2", FAULT_HANDSHAKE, FAULT_DROP,
	 0, "", 2, 2},
	{"octets in a handshake", "handshake=raw:220 no\\r\\n", FAULT_HANDSHAKE,
	 FAULT_RAW, 0, "220 no\r\n", 1, UINT64_MAX},
	{"split with an interval", "ehlo=split:50ms", FAULT_HELLO, FAULT_SPLIT, 50, "",
	 1, UINT64_MAX},
};

static void
test_reading(void **state)
{
	const struct reading *row = *state;
	struct fault_table table = {0};
	const struct fault *fault = &table.rows[0];
	const char *why;

	assert_true(fault_table_add(&table, span_from_string(row->text), &why));
	assert_int_equal(fault->where, row->where);
	assert_int_equal(fault->what, row->what);
	assert_int_equal(fault->number, row->number);
	assert_true(span_equals(fault->text, span_from_string(row->argument)));
	assert_int_equal(fault->first, row->first);
	assert_int_equal(fault->last, row->last);
	fault_table_fini(&table);
}

static const struct refusal {
	const char *name;
	const char *text;
	const char *why;
} refusals[] = {
	{"nothing", "", "no such place in the conversation"},
	{"no deed", "mail", "nothing of that name can happen"},
	{"an unknown place", "noop=drop", "no such place in the conversation"},
	{"an unknown deed", "mail=explode", "nothing of that name can happen"},
	{"the occurrence zero", "data=drop@0", "nothing of that name can happen"},
	{"no argument where one is needed", "mail=delay", "it needs an argument"},
	{"a bad duration", "mail=delay:soon", "the argument is malformed"},
	{"an argument too many", "mail=garbage:1", "the argument is malformed"},
	{"a reply without a code", "mail=reply:no", "the argument is malformed"},
	{"a reply that changes its code", "mail=reply:250-a\\r\\n251 b",
	 "the argument is malformed"},
	{"two replies", "mail=reply:250 a\\r\\n250 b", "the argument is malformed"},
	{"an unfinished escape", "end=raw:\\", "the argument is malformed"},
	{"half an octet", "end=raw:\\x4", "the argument is malformed"},
	{"no octet", "end=raw:\\xg0", "the argument is malformed"},
	{"an unknown escape", "end=raw:\\q", "the argument is malformed"},
	{"an early reply outside the body", "end=early-reply",
	 "that can not happen there"},
	{"garbage in the body", "body=garbage", "that can not happen there"},
	{"a reply in the handshake", "handshake=reply:454 no",
	 "that can not happen there"},
	{"a reply in pieces in the handshake", "handshake=split",
	 "that can not happen there"},
	{"slow reading of a handshake", "handshake=slow:1k",
	 "that can not happen there"},
	{"a reader that never reads", "body=slow:0", "the argument is malformed"},
};

static void
test_refusal(void **state)
{
	const struct refusal *row = *state;
	struct fault_table table = {0};
	const char *why = NULL;

	assert_false(fault_table_add(&table, span_from_string(row->text), &why));
	assert_string_equal(why, row->why);
	assert_int_equal(table.count, 0);
	fault_table_fini(&table);
}

/* At which of five MAILs "mail=drop" with that suffix happens. */
static const struct planning {
	const char *name;
	const char *text;
	const char *happens;
} plannings[] = {
	{"always", "mail=drop", "xxxxx"},
	{"at the first", "mail=drop@1", "x...."},
	{"at the third", "mail=drop@3", "..x.."},
	{"from the third on", "mail=drop@3+", "..xxx"},
	{"beyond the last", "mail=drop@6", "....."},
	{"elsewhere", "rcpt=drop", "....."},
};

static void
test_planning(void **state)
{
	const struct planning *row = *state;
	struct fault_table table = {0};
	const char *why;

	assert_true(fault_table_add(&table, span_from_string(row->text), &why));
	for (const char *at = row->happens; *at; at++) {
		struct fault_plan plan;
		bool any = fault_table_plan(&table, FAULT_MAIL, &plan);

		assert_int_equal(any, *at == 'x');
		assert_int_equal(plan.acts[FAULT_DROP] != NULL, *at == 'x');
		assert_null(plan.acts[FAULT_DELAY]);
	}
	fault_table_fini(&table);
}

static void
test_rows_make_one_plan(void **state)
{
	struct fault_table table = {0};
	struct fault_plan plan;
	const char *why;

	(void)state;
	assert_true(fault_table_add(&table, SPAN("mail=delay:1s"), &why));
	assert_true(fault_table_add(&table, SPAN("mail=split@2"), &why));
	assert_true(fault_table_plan(&table, FAULT_MAIL, &plan));
	assert_non_null(plan.acts[FAULT_DELAY]);
	assert_null(plan.acts[FAULT_SPLIT]);
	assert_true(fault_table_plan(&table, FAULT_MAIL, &plan));
	assert_non_null(plan.acts[FAULT_DELAY]);
	assert_non_null(plan.acts[FAULT_SPLIT]);
	assert_int_equal(table.done, 2);
	fault_table_fini(&table);
}

static void
test_table_fills_up(void **state)
{
	struct fault_table table = {0};
	const char *why;

	(void)state;
	for (unsigned at = 0; at < FAULTS_MAX; at++)
		assert_true(fault_table_add(&table, SPAN("mail=drop"), &why));
	assert_false(fault_table_add(&table, SPAN("mail=drop"), &why));
	assert_string_equal(why, "too many faults");
	fault_table_fini(&table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_make_one_plan),
		cmocka_unit_test(test_table_fills_up),
	};

	return ROWS_RUN(readings, test_reading) + ROWS_RUN(refusals, test_refusal) +
	       ROWS_RUN(plannings, test_planning) +
	       cmocka_run_group_tests(tests, NULL, NULL);
}
