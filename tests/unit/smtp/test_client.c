/* The sending side: replies find their steps, and nothing else is believed. */
#include "smtp/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* Expects what is listed, in this order, and then reads. */
static const struct row {
	const char *name;
	struct {
		enum smtp_step step;
		uint32_t count;
	} owed[10];          /* behind the greeting; a count of 0 ends it */
	const char *replies; /* from the server */
	const char *wanted;  /* "step:code …", then "more" or "broken" */
} rows[] = {
	{"a greeting", {{0}}, "220 mx ESMTP\r\n", "greeting:220 more"},
	{"a greeting of several lines",
	 {{0}},
	 "220-mx\r\n220 ESMTP\r\n",
	 "greeting:220 more"},
	{"half a greeting", {{0}}, "220-mx\r\n", "more"},
	{"nothing", {{0}}, "", "more"},
	{"a pipelined transaction",
	 {{SMTP_STEP_MAIL, 1}, {SMTP_STEP_RCPT, 2}, {SMTP_STEP_DATA, 1}},
	 "220 mx\r\n250 a\r\n250 b\r\n550 c\r\n354 d\r\n",
	 "greeting:220 mail:250 rcpt:250 rcpt:550 data:354 more"},
	{"equal steps are one run",
	 {{SMTP_STEP_RSET, 1},
	  {SMTP_STEP_MAIL, 1},
	  {SMTP_STEP_RCPT, 1},
	  {SMTP_STEP_RCPT, 1},
	  {SMTP_STEP_RCPT, 2},
	  {SMTP_STEP_RCPT, 1},
	  {SMTP_STEP_RCPT, 1},
	  {SMTP_STEP_DATA, 1}},
	 "220 mx\r\n250 a\r\n250 b\r\n250 1\r\n250 2\r\n250 3\r\n250 4\r\n250 5\r\n250 "
	 "6\r\n"
	 "354 d\r\n",
	 "greeting:220 rset:250 mail:250 rcpt:250 rcpt:250 rcpt:250 rcpt:250 rcpt:250 "
	 "rcpt:250 data:354 more"},
	{"a reply for each recipient of LMTP",
	 {{SMTP_STEP_END, 3}},
	 "220 mx\r\n250 a\r\n452 b\r\n250 c\r\n",
	 "greeting:220 end:250 end:452 end:250 more"},
	{"nothing is owed for no replies",
	 {{SMTP_STEP_END, 0}},
	 "220 mx\r\n250 a\r\n",
	 "greeting:220 broken"},
	{"a reply that nobody asked for",
	 {{0}},
	 "220 mx\r\n250 extra\r\n",
	 "greeting:220 broken"},
	{"half of one that nobody asked for",
	 {{0}},
	 "220 mx\r\n2",
	 "greeting:220 broken"},
	{"STARTTLS",
	 {{SMTP_STEP_STARTTLS, 1}},
	 "220 mx\r\n220 go\r\n",
	 "greeting:220 starttls:220 more"},
	{"a reply behind the one to STARTTLS",
	 {{SMTP_STEP_STARTTLS, 1}},
	 "220 mx\r\n220 go\r\n250 mx\r\n",
	 "greeting:220 starttls:220 broken"},
	{"an octet behind the reply to STARTTLS",
	 {{SMTP_STEP_STARTTLS, 1}},
	 "220 mx\r\n220 go\r\n2",
	 "greeting:220 starttls:220 broken"},
	{"challenges",
	 {{SMTP_STEP_AUTH, 3}},
	 "220 mx\r\n334 VXNlcm5hbWU6\r\n334 \r\n235 ok\r\n",
	 "greeting:220 auth:334 auth:334 auth:235 more"},
	{"a challenge that nobody asked for",
	 {{SMTP_STEP_AUTH, 1}},
	 "220 mx\r\n235 ok\r\n334 \r\n",
	 "greeting:220 auth:235 broken"},
	{"no reply at all", {{0}}, "SSH-2.0-OpenSSH_9.2\r\n", "broken"},
	{"a code that changes", {{0}}, "220-mx\r\n250 ESMTP\r\n", "broken"},
	{"a line that ends in LF",
	 {{SMTP_STEP_HELLO, 1}},
	 "220 mx\r\n550 no\n250 yes\r\n",
	 "greeting:220 broken"},
};

static void
describe(struct smtp_client *client, struct span *input, char *text, size_t size)
{
	enum smtp_client_result result;
	struct smtp_reply reply;
	enum smtp_step step;
	size_t end = strlen(text);

	while ((result = smtp_client_next(client, input, &step, &reply)) ==
	       SMTP_CLIENT_REPLY)
		end += (size_t)snprintf(text + end, size - end, "%s:%u ",
					smtp_step_name(step), reply.code);
	if (result == SMTP_CLIENT_BROKEN && !strstr(text, "broken"))
		snprintf(text + end, size - end, "broken");
}

static void
play(const struct row *row, size_t piece)
{
	struct span replies = span_from_string(row->replies);
	struct smtp_client client;
	struct span input;
	char text[512] = "";
	size_t taken = 0;

	smtp_client_init(&client);
	for (size_t i = 0; row->owed[i].count; i++)
		smtp_client_expect(&client, row->owed[i].step, row->owed[i].count);
	for (size_t shown = piece; shown < replies.length + piece; shown += piece) {
		input = span_skip(span_take(replies, shown), taken);
		describe(&client, &input, text, sizeof(text));
		taken = (shown < replies.length ? shown : replies.length) -
			input.length;
	}
	if (!strstr(text, "broken"))
		strcat(text, "more");
	if (strcmp(text, row->wanted)) {
		print_error("%s (in pieces of %zu): %s\n", row->name, piece, text);
		fail();
	}
}

static void
test_replies(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		play(&rows[i], 4096);
		play(&rows[i], 1);
	}
}

static void
test_a_broken_connection_stays_broken(void **state)
{
	struct span noise = SPAN("noise\r\n");
	struct span greeting = SPAN("220 mx\r\n");
	struct smtp_client client;
	struct smtp_reply reply;
	enum smtp_step step;

	(void)state;
	smtp_client_init(&client);
	assert_int_equal(smtp_client_next(&client, &noise, &step, &reply),
			 SMTP_CLIENT_BROKEN);
	assert_int_equal(smtp_client_next(&client, &greeting, &step, &reply),
			 SMTP_CLIENT_BROKEN);
}

static void
test_send(void **state)
{
	struct smtp_client client;
	struct buffer output;

	(void)state;
	smtp_client_init(&client);
	buffer_init(&output, 64);
	assert_int_equal(smtp_client_send(&client, SMTP_STEP_RCPT, &output,
					  "RCPT TO:<%s>", "x@y.test"),
			 STATUS_OK);
	assert_true(span_equals(buffer_span(&output), SPAN("RCPT TO:<x@y.test>\r\n")));
	assert_int_equal(smtp_client_owed(&client), 2);
	assert_int_equal(smtp_client_owed_to(&client, SMTP_STEP_RCPT), 1);
	assert_int_equal(smtp_client_owed_to(&client, SMTP_STEP_MAIL), 0);
	buffer_clear(&output);
}

static void
test_what_can_not_be_sent_is_not_owed(void **state)
{
	struct smtp_client client;
	struct buffer output;

	(void)state;
	smtp_client_init(&client);
	buffer_init(&output, 16);
	assert_int_equal(smtp_client_send(&client, SMTP_STEP_MAIL, &output, "%s",
					  "MAIL FROM:<long@b.test>"),
			 STATUS_FULL);
	assert_int_equal(
		smtp_client_send(&client, SMTP_STEP_NOOP, &output, "NOOP%s", "\nQUIT"),
		STATUS_INVALID);
	assert_true(buffer_is_empty(&output));
	assert_int_equal(smtp_client_owed(&client), 1);
	buffer_clear(&output);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_a_broken_connection_stays_broken),
		cmocka_unit_test(test_send),
		cmocka_unit_test(test_what_can_not_be_sent_is_not_owed),
	};

	return cmocka_run_group_tests_name("smtp client", tests, NULL, NULL);
}
