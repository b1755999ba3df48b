/* The receiving side: answers keep the order of the commands, and who waits for whom.
 */
#include "server_dialogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

#define TWO_RCPTS                                                                      \
	"C: RCPT TO:<x@y.test>\n"                                                      \
	"C: RCPT TO:<z@y.test>\n"                                                      \
	"E: rcpt x@y.test\n"                                                           \
	"E: rcpt z@y.test\n"

static const struct server_dialogue order_rows[] = {
	{"answers given backwards come out forwards",
	 EHLO MAIL TWO_RCPTS "E: more\n"
			     "A2: 550 5.1.1 z\n"
			     "S. \n"
			     "A: 250 2.1.5 x\n"
			     "S: 250 2.1.5 x\n"
			     "S. 550 5.1.1 z\n"},
	{"our own answers wait for earlier ones",
	 EHLO MAIL "C: RCPT TO:<x@y.test>\n"
		   "C: NOOP\n"
		   "C: BAD\n"
		   "E: rcpt x@y.test\n"
		   "E: refused unknown-command\n"
		   "S. \n"
		   "A: 250 2.1.5 x\n"
		   "S: 250 2.1.5 x\n"
		   "S: 250 2.0.0 Ok\n"
		   "S. 500 5.5.2 No such command\n"},
	{"a recipient too many waits its turn", EHLO MAIL RCPT TWO_RCPTS
	 "C: RCPT TO:<w@y.test>\n"
	 "E: refused recipients\n"
	 "S. \n"
	 "A: 250 2.1.5 x\n"
	 "A: 250 2.1.5 z\n"
	 "S: 250 2.1.5 x\n"
	 "S: 250 2.1.5 z\n"
	 "S. 452 4.5.3 Too many recipients, send the others in another message\n"},
	{"multi-line answers are kept",
	 EHLO MAIL TWO_RCPTS "A2: 550-5.1.1 not<CR><LF>550 5.1.1 here\n"
			     "A: 250 2.1.5 x\n"
			     "S: 250 2.1.5 x\n"
			     "S: 550-5.1.1 not\n"
			     "S. 550 5.1.1 here\n"},
	{"DATA is passed on while RCPTs are owed",
	 EHLO MAIL TWO_RCPTS "C: DATA\n"
			     "E: data\n"
			     "E: more\n"
			     "A: 250 2.1.5 x\n"
			     "A: 250 2.1.5 z\n"
			     "A: 354 Go\n"
			     "S: 250 2.1.5 x\n"
			     "S: 250 2.1.5 z\n"
			     "S. 354 Go\n"
			     "C: Hello\n"
			     "C: .\n"
			     "E: body Hello<CR><LF>\n"
			     "E: body-end\n"},
	{"DATA is passed on and all RCPTs are refused",
	 EHLO MAIL TWO_RCPTS "C: DATA\n"
			     "E: data\n"
			     "A: 550 5.1.1 x\n"
			     "A: 550 5.1.1 z\n"
			     "A: 554 5.5.1 No valid recipients\n"
			     "S: 550 5.1.1 x\n"
			     "S: 550 5.1.1 z\n"
			     "S. 554 5.5.1 No valid recipients\n" MAIL},
	{"the 354 waits for the RCPTs, and so does the body",
	 EHLO MAIL TWO_RCPTS "C: DATA\n"
			     "E: data\n"
			     "A3: 354 Go\n"
			     "S. \n"
			     "C: Hello\n"
			     "E: refused early-talk\n"
			     "S. 554 5.5.0 You spoke before the answer to DATA\n"
			     "E: close\n"},
	{"bytes behind DATA",
	 EHLO MAIL RCPT "C: DATA\n"
			"C: Hello\n"
			"E: data\n"
			"E: refused early-talk\n"
			"S. 554 5.5.0 You spoke before the answer to DATA\n"
			"E: close\n"},
	{"a 421 to RCPT forgets what waits behind it",
	 EHLO MAIL TWO_RCPTS "A2: 250 2.1.5 z\n"
			     "A: 421 4.3.2 Stopping\n"
			     "S. 421 4.3.2 Stopping\n"
			     "E: close\n"},
	{"MAIL behind the end of data waits",
	 EHLO MAIL RCPT DATA "C: Hello\n"
			     "C: .\n"
			     "C: MAIL FROM:<c@d.test>\n"
			     "E: body Hello<CR><LF>\n"
			     "E: body-end\n"
			     "E: blocked\n"
			     "E: blocked\n"
			     "A: 250 2.0.0 Taken\n"
			     "S. 250 2.0.0 Taken\n"
			     "E: mail c@d.test\n"},
	{"NOOP behind the end of data is answered after it",
	 EHLO MAIL RCPT DATA "C: .\n"
			     "C: NOOP\n"
			     "E: body-end\n"
			     "E: more\n"
			     "S. \n"
			     "A: 451 4.3.0 No\n"
			     "S: 451 4.3.0 No\n"
			     "S. 250 2.0.0 Ok\n"},
	{"RCPT waits for MAIL", EHLO "C: MAIL FROM:<a@b.test>\n"
				     "C: RCPT TO:<x@y.test>\n"
				     "E: mail a@b.test\n"
				     "E: blocked\n"
				     "A: 250 2.1.0 Ok\n"
				     "E: rcpt x@y.test\n"},
	{"MAIL waits for EHLO", "C: EHLO c.test\n"
				"C: MAIL FROM:<a@b.test>\n"
				"E: hello EHLO c.test\n"
				"E: blocked\n"
				"H:\n"
				"E: mail a@b.test\n"},
	{"RSET waits for RCPT", EHLO MAIL "C: RCPT TO:<x@y.test>\n"
					  "C: RSET\n"
					  "E: rcpt x@y.test\n"
					  "E: blocked\n"
					  "A: 250 2.1.5 Ok\n"
					  "E: rset\n"
					  "S: 250 2.1.5 Ok\n"
					  "S. 250 2.0.0 Ok\n"},
	{"QUIT waits for RCPT", EHLO MAIL "C: RCPT TO:<x@y.test>\n"
					  "C: QUIT\n"
					  "E: rcpt x@y.test\n"
					  "E: blocked\n"
					  "A: 250 2.1.5 Ok\n"
					  "E: quit\n"
					  "S: 250 2.1.5 Ok\n"
					  "S. 221 2.0.0 Bye\n"},
	{"BDAT waits for RCPT", EHLO MAIL "C: RCPT TO:<x@y.test>\n"
					  "C: BDAT 0 LAST\n"
					  "E: rcpt x@y.test\n"
					  "E: blocked\n"
					  "A: 250 2.1.5 Ok\n"
					  "E: chunk 0 last\n"
					  "E: body-end\n"},
	{"a new EHLO waits for RCPT", EHLO MAIL "C: RCPT TO:<x@y.test>\n"
						"C: EHLO c.test\n"
						"E: rcpt x@y.test\n"
						"E: blocked\n"
						"A: 250 2.1.5 Ok\n"
						"E: hello EHLO c.test\n"},
};

static void
test_order(void **state)
{
	(void)state;
	server_dialogue_play(order_rows, COUNT(order_rows));
}

static struct smtp_event
next_event(struct smtp_server *server, struct span input, size_t *taken)
{
	struct span rest = span_skip(input, *taken);
	struct smtp_event event;

	smtp_server_next(server, &rest, &event);
	*taken = input.length - rest.length;
	return event;
}

static void
begin_transaction(struct smtp_server *server, const struct smtp_server_options *options)
{
	struct smtp_extensions none = {0};
	struct span input = SPAN("EHLO c.test\r\nMAIL FROM:<>\r\n");
	struct smtp_event event;
	size_t taken = 0;

	smtp_server_init(server, options);
	assert_int_equal(smtp_server_greet(server), STATUS_OK);
	event = next_event(server, input, &taken);
	assert_int_equal(smtp_server_hello(server, event.slot, SMTP_EHLO, none),
			 STATUS_OK);
	event = next_event(server, input, &taken);
	assert_int_equal(event.type, SMTP_EVENT_MAIL);
	assert_int_equal(
		smtp_server_answer(server, event.slot, &SMTP_REPLY("250 2.1.0 Ok")),
		STATUS_OK);
}

/* As many RCPTs as are passed on before the server blocks; their slots. */
static size_t
pipeline(struct smtp_server *server, uint32_t *slots, size_t limit)
{
	struct span rcpt = SPAN("RCPT TO:<x@y.test>\r\n");
	struct smtp_event event;
	size_t count = 0;
	size_t taken;

	for (; count < limit; count++) {
		taken = 0;
		event = next_event(server, rcpt, &taken);
		if (event.type == SMTP_EVENT_BLOCKED)
			break;
		assert_int_equal(event.type, SMTP_EVENT_RCPT);
		slots[count] = event.slot;
	}
	return count;
}

static void
test_slots_are_bounded_and_given_back(void **state)
{
	struct smtp_server_options options = server_dialogue_options;
	struct smtp_server server;
	uint32_t slots[100];
	size_t count;

	(void)state;
	options.max_recipients = 0;
	begin_transaction(&server, &options);
	for (unsigned round = 0; round < 3; round++) {
		count = pipeline(&server, slots, 100);
		assert_int_equal(count, 64);
		assert_true(smtp_server_owes(&server));
		while (count--)
			assert_int_equal(
				smtp_server_answer(&server, slots[count],
						   &SMTP_REPLY("250 2.1.5 Ok")),
				STATUS_OK);
		assert_false(smtp_server_owes(&server));
		assert_null(server.slots);
	}
	assert_int_equal(server.recipients, 3 * 64);
	smtp_server_fini(&server);
}

static void
test_answers_that_wait_are_bounded(void **state)
{
	static char text[40000];
	struct smtp_reply long_reply = {250, {text, sizeof(text)}};
	struct smtp_server server;
	uint32_t slots[3];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "250 ", 4);
	begin_transaction(&server, &server_dialogue_options);
	assert_int_equal(pipeline(&server, slots, 3), 3);
	assert_int_equal(smtp_server_answer(&server, slots[1], &long_reply), STATUS_OK);
	assert_int_equal(smtp_server_answer(&server, slots[2], &long_reply),
			 STATUS_FULL);
	assert_int_equal(server.state, SMTP_STATE_CLOSING);
	smtp_server_fini(&server);
}

static void
test_nothing_is_held_while_idle(void **state)
{
	struct smtp_server server;

	(void)state;
	begin_transaction(&server, &server_dialogue_options);
	buffer_consume(&server.output, buffer_length(&server.output));
	assert_null(server.slots);
	assert_null(server.output.storage);
	smtp_server_fini(&server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_slots_are_bounded_and_given_back),
		cmocka_unit_test(test_answers_that_wait_are_bounded),
		cmocka_unit_test(test_nothing_is_held_while_idle),
	};

	return cmocka_run_group_tests_name("smtp server: order", tests, NULL, NULL);
}
