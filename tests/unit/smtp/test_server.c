/* The receiving side, command by command: what is legal when, and what is refused. */
#include "server_dialogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct server_dialogue hello_rows[] = {
	{"EHLO shows the extensions", "C: EHLO c.test\n"
				      "E: hello EHLO c.test\n"
				      "H:\n"
				      "S: 250-mx.test\n"
				      "S*\n"
				      "E: more\n"},
	{"HELO shows the name alone", "C: helo c.test\n"
				      "E: hello HELO c.test\n"
				      "H-\n"
				      "S. 250 mx.test\n"},
	{"an address literal is a name", "C: EHLO [192.0.2.1]\n"
					 "E: hello EHLO [192.0.2.1]\n"},
	{"EHLO without a name",
	 "C: EHLO\n"
	 "E: refused syntax\n"
	 "S. 501 5.5.4 A host name or an address literal is needed\n"},
	{"LHLO is not SMTP", "C: LHLO c.test\n"
			     "E: refused unknown-command\n"
			     "S. 500 5.5.1 This is SMTP, use EHLO\n"},
	{"LHLO is LMTP", "O: lmtp\n"
			 "C: LHLO c.test\n"
			 "E: hello LHLO c.test\n"
			 "H:\n"
			 "S*\n" MAIL},
	{"EHLO is not LMTP", "O: lmtp\n"
			     "C: EHLO c.test\n"
			     "E: refused unknown-command\n"
			     "S. 500 5.5.1 This is LMTP, use LHLO\n"},
	{"EHLO may be refused, and is tried again",
	 "C: EHLO c.test\n"
	 "E: hello EHLO c.test\n"
	 "A: 450 4.7.1 Not now\n"
	 "S. 450 4.7.1 Not now\n"
	 "C: MAIL FROM:<a@b.test>\n"
	 "E: refused sequence\n"
	 "S. 503 5.5.1 Say hello first\n" EHLO MAIL},
	{"EHLO voids the transaction",
	 EHLO MAIL RCPT EHLO "C: DATA\n"
			     "E: refused sequence\n"
			     "S. 503 5.5.1 Send MAIL first\n"},
	{"after HELO there are no parameters",
	 "C: HELO c.test\n"
	 "E: hello HELO c.test\n"
	 "H-\n"
	 "S*\n"
	 "C: MAIL FROM:<a@b.test> SIZE=5\n"
	 "E: refused parameter\n"
	 "S. 555 5.5.4 Parameter unknown or not offered\n"},
};

static const struct server_dialogue sequence_rows[] = {
	{"MAIL before EHLO", "C: MAIL FROM:<a@b.test>\n"
			     "E: refused sequence\n"
			     "S. 503 5.5.1 Say hello first\n"},
	{"MAIL twice", EHLO MAIL "C: MAIL FROM:<a@b.test>\n"
				 "E: refused sequence\n"
				 "S. 503 5.5.1 The sender is known already\n"},
	{"MAIL after RCPT",
	 EHLO MAIL RCPT "C: MAIL FROM:<a@b.test>\n"
			"E: refused sequence\n"
			"S. 503 5.5.1 The sender is known already\n"},
	{"MAIL again after it was refused", EHLO "C: MAIL FROM:<a@b.test>\n"
						 "E: mail a@b.test\n"
						 "A: 451 4.3.0 No\n"
						 "S. 451 4.3.0 No\n" MAIL},
	{"RCPT without MAIL", EHLO "C: RCPT TO:<x@y.test>\n"
				   "E: refused sequence\n"
				   "S. 503 5.5.1 Send MAIL first\n"},
	{"DATA without MAIL", EHLO "C: DATA\n"
				   "E: refused sequence\n"
				   "S. 503 5.5.1 Send MAIL first\n"},
	{"DATA without RCPT", EHLO MAIL "C: DATA\n"
					"E: refused sequence\n"
					"S. 503 5.5.1 Send RCPT first\n"},
	{"DATA when all recipients were refused",
	 EHLO MAIL "C: RCPT TO:<x@y.test>\n"
		   "E: rcpt x@y.test\n"
		   "A: 550 5.1.1 Who\n"
		   "S. 550 5.1.1 Who\n"
		   "C: DATA\n"
		   "E: refused sequence\n"
		   "S. 554 5.5.1 No valid recipients\n" RCPT DATA},
	{"DATA when the only recipient was refused here",
	 EHLO MAIL "C: RCPT TO:<>\n"
		   "E: refused syntax\n"
		   "S*\n"
		   "C: DATA\n"
		   "E: refused sequence\n"
		   "S. 554 5.5.1 No valid recipients\n"},
	{"DATA with an argument",
	 EHLO MAIL RCPT "C: DATA now\n"
			"E: refused syntax\n"
			"S. 501 5.5.4 This command takes no argument\n" DATA},
	{"a refused DATA ends the transaction",
	 EHLO MAIL RCPT "C: DATA\n"
			"E: data\n"
			"A: 451 4.3.0 No\n"
			"S. 451 4.3.0 No\n" MAIL},
	{"RSET ends the transaction", EHLO MAIL RCPT "C: RSET\n"
						     "E: rset\n"
						     "S. 250 2.0.0 Ok\n" MAIL},
	{"RSET before EHLO leaves it needed", "C: RSET\n"
					      "E: rset\n"
					      "S. 250 2.0.0 Ok\n"
					      "C: MAIL FROM:<a@b.test>\n"
					      "E: refused sequence\n"},
	{"QUIT", "C: QUIT\n"
		 "E: quit\n"
		 "S. 221 2.0.0 Bye\n"
		 "C: NOOP\n"
		 "E: close\n"
		 "S. \n"},
};

static const struct server_dialogue envelope_rows[] = {
	{"the null sender", EHLO "C: MAIL FROM:<>\n"
				 "E: mail \n"},
	{"a blank before the path", EHLO "C: MAIL FROM: <a@b.test>\n"
					 "E: mail a@b.test\n"},
	{"parameters are passed on",
	 EHLO "C: MAIL FROM:<a@b.test> SIZE=10 BODY=8BITMIME\n"
	      "E: mail a@b.test SIZE=10 BODY=8BITMIME\n"},
	{"a size within the limit", EHLO "C: MAIL FROM:<a@b.test> SIZE=1000\n"
					 "E: mail a@b.test SIZE=1000\n"},
	{"a size over the limit", EHLO "C: MAIL FROM:<a@b.test> SIZE=1001\n"
				       "E: refused size\n"
				       "S. 552 5.3.4 Message larger than the limit\n"},
	{"an unknown parameter",
	 EHLO "C: MAIL FROM:<a@b.test> COLOUR=red\n"
	      "E: refused parameter\n"
	      "S. 555 5.5.4 Parameter unknown or not offered\n"},
	{"a malformed parameter", EHLO "C: MAIL FROM:<a@b.test> SIZE=many\n"
				       "E: refused parameter\n"
				       "S. 501 5.5.4 Malformed parameter\n"},
	{"a malformed sender", EHLO "C: MAIL FROM:<a@@b.test>\n"
				    "E: refused syntax\n"
				    "S. 501 5.1.7 Malformed sender address\n"},
	{"a path that runs on", EHLO "C: MAIL FROM:<a@b.test>SIZE=5\n"
				     "E: refused syntax\n"
				     "S. 501 5.1.7 Malformed sender address\n"},
	{"no sender", EHLO "C: MAIL\n"
			   "E: refused syntax\n"
			   "S. 501 5.5.4 Syntax: MAIL FROM:<address>\n"},
	{"a malformed recipient",
	 EHLO MAIL "C: RCPT TO:<x@y.test\n"
		   "E: refused syntax\n"
		   "S. 501 5.1.3 Malformed recipient address\n"},
	{"no recipient", EHLO MAIL "C: RCPT FROM:<x@y.test>\n"
				   "E: refused syntax\n"
				   "S. 501 5.5.4 Syntax: RCPT TO:<address>\n"},
	{"an 8-bit sender without SMTPUTF8",
	 EHLO "C: MAIL FROM:<\xc3\xa4@b.test>\n"
	      "E: refused syntax\n"
	      "S. 553 5.6.7 This address needs SMTPUTF8 with MAIL\n"},
	{"an 8-bit recipient without SMTPUTF8",
	 EHLO MAIL "C: RCPT TO:<\xc3\xa4@b.test>\n"
		   "E: refused syntax\n"
		   "S. 553 5.6.7 This address needs SMTPUTF8 with MAIL\n"},
	{"8-bit addresses with SMTPUTF8",
	 EHLO "C: MAIL FROM:<\xc3\xa4@b.test> SMTPUTF8\n"
	      "E: mail \xc3\xa4@b.test SMTPUTF8\n"
	      "A: 250 2.1.0 Ok\n"
	      "C: RCPT TO:<\xc3\xb6@y.test>\n"
	      "E: rcpt \xc3\xb6@y.test\n"},
	{"a recipient too many", EHLO MAIL RCPT RCPT RCPT
	 "C: RCPT TO:<x@y.test>\n"
	 "E: refused recipients\n"
	 "S. 452 4.5.3 Too many recipients, send the others in another message\n" DATA},
	{"refused recipients do not count",
	 EHLO MAIL RCPT RCPT "C: RCPT TO:<x@y.test>\n"
			     "E: rcpt x@y.test\n"
			     "A: 550 5.1.1 Who\n"
			     "S*\n" RCPT},
};

static const struct server_dialogue line_rows[] = {
	{"NOOP", "C: noop\n"
		 "E: more\n"
		 "S. 250 2.0.0 Ok\n"},
	{"VRFY", "C: VRFY root\n"
		 "E: more\n"
		 "S. 252 2.1.5 Send it and see\n"},
	{"HELP", "C: HELP\n"
		 "E: more\n"
		 "S. 214 2.0.0 See RFC 5321\n"},
	{"EXPN", "C: EXPN all\n"
		 "E: refused unknown-command\n"
		 "S. 502 5.5.1 No EXPN here\n"},
	{"ETRN", "C: ETRN b.test\n"
		 "E: refused unknown-command\n"
		 "S. 502 5.5.1 No ETRN here\n"},
	{"TURN", "C: TURN\n"
		 "E: refused unknown-command\n"
		 "S. 502 5.5.1 No TURN here\n"},
	{"STARTTLS", "C: STARTTLS\n"
		     "E: refused unknown-command\n"
		     "S. 502 5.5.1 STARTTLS is not offered\n"},
	{"AUTH", "C: AUTH PLAIN AAAA\n"
		 "E: refused unknown-command\n"
		 "S. 502 5.5.1 AUTH is not offered\n"},
	{"XCLIENT", "C: XCLIENT ADDR=127.0.0.1\n"
		    "E: refused unknown-command\n"
		    "S. 550 5.7.1 XCLIENT is not for you\n"},
	{"XFORWARD", "C: XFORWARD ADDR=127.0.0.1\n"
		     "E: refused unknown-command\n"
		     "S. 550 5.7.1 XFORWARD is not for you\n"},
	{"an unknown verb", "C: PLEASE\n"
			    "E: refused unknown-command\n"
			    "S. 500 5.5.2 No such command\n"},
	{"an empty line", "C: \n"
			  "E: refused unknown-command\n"
			  "S. 500 5.5.2 No such command\n"},
	{"a bare LF", "C- NOOP<LF>\n"
		      "E: refused syntax\n"
		      "S. 500 5.5.2 Bad characters or line ending\n"},
	{"a lone LF", "C- <LF>\n"
		      "E: refused syntax\n"
		      "S. 500 5.5.2 Bad characters or line ending\n"},
	{"a bare CR", EHLO MAIL "C: RCPT TO:<x@y.test><CR>RCPT TO:<z@y.test>\n"
				"E: refused syntax\n"
				"S. 500 5.5.2 Bad characters or line ending\n"
				"E: more\n"},
	{"a NUL", "C: NOOP <NUL>\n"
		  "E: refused syntax\n"
		  "S. 500 5.5.2 Bad characters or line ending\n"},
	{"a line of 2048 bytes", "C- NOOP \n"
				 "C* 2041 x\n"
				 "C: \n"
				 "E: more\n"
				 "S. 250 2.0.0 Ok\n"},
	{"a line of 2049 bytes", "C- NOOP \n"
				 "C* 2042 x\n"
				 "C: \n"
				 "E: refused line-length\n"
				 "S. 500 5.5.2 Line too long\n"
				 "C: NOOP\n"
				 "E: more\n"
				 "S. 250 2.0.0 Ok\n"},
	{"the rest of a long line is skipped", "C* 9000 x\n"
					       "E: refused line-length\n"
					       "C: \n"
					       "C: NOOP\n"
					       "E: more\n"
					       "S: 500 5.5.2 Line too long\n"
					       "S. 250 2.0.0 Ok\n"},
	{"HTTP", "C- GET / HTTP/1.1<CR><LF>\n"
		 "E: refused foreign\n"
		 "S. \n"
		 "E: close\n"},
	{"HTTP POST after EHLO", EHLO "C: POST /mail HTTP/1.1\n"
				      "E: refused foreign\n"
				      "S. \n"
				      "E: close\n"},
	{"TLS on a plain port", "C- \x16\x03\x01\x02\x01\x01\x01\xfc\x03\x03\n"
				"E: refused foreign\n"
				"S. \n"
				"E: close\n"},
};

static const struct server_dialogue limit_rows[] = {
	{"a bad command too many", "C: A1\n"
				   "C: A2\n"
				   "C: A3\n"
				   "C: A4\n"
				   "C: A5\n"
				   "C: A6\n"
				   "E: refused unknown-command\n"
				   "E: refused unknown-command\n"
				   "E: refused unknown-command\n"
				   "E: refused unknown-command\n"
				   "S: 500 5.5.2 No such command\n"
				   "S: 500 5.5.2 No such command\n"
				   "S: 500 5.5.2 No such command\n"
				   "S. 500 5.5.2 No such command\n"
				   "E: refused too-many-errors\n"
				   "S. 421 4.7.0 Too many errors\n"
				   "E: close\n"},
	{"an idle command too many", "C: NOOP\n"
				     "C: RSET\n"
				     "C: VRFY x\n"
				     "C: HELP\n"
				     "C: NOOP\n"
				     "E: rset\n"
				     "E: more\n"
				     "S*\n"
				     "C: NOOP\n"
				     "E: refused too-many-errors\n"
				     "S. 421 4.7.0 Too many commands without mail\n"
				     "E: close\n"},
	{"a message resets both counts", EHLO "C: BAD\n"
					      "C: BAD\n"
					      "C: NOOP\n"
					      "C: NOOP\n"
					      "E: refused unknown-command\n"
					      "E: refused unknown-command\n"
					      "E: more\n"
					      "S*\n" MAIL RCPT DATA "C: .\n"
					      "E: body-end\n"
					      "A: 250 2.0.0 Taken\n"
					      "S*\n"
					      "C: BAD\n"
					      "C: BAD\n"
					      "C: BAD\n"
					      "C: BAD\n"
					      "C: NOOP\n"
					      "C: NOOP\n"
					      "C: NOOP\n"
					      "C: NOOP\n"
					      "C: NOOP\n"
					      "E: refused unknown-command\n"
					      "E: refused unknown-command\n"
					      "E: refused unknown-command\n"
					      "E: refused unknown-command\n"
					      "E: more\n"},
	{"recipients too many are no errors",
	 EHLO MAIL RCPT RCPT RCPT "C* 6 RCPT TO:<x@y.test><CR><LF>\n"
				  "E: refused recipients\n"
				  "E: refused recipients\n"
				  "E: refused recipients\n"
				  "E: refused recipients\n"
				  "E: refused recipients\n"
				  "E: refused recipients\n"
				  "E: more\n"
				  "S*\n" DATA},
};

static const struct server_dialogue banner_rows[] = {
	{"talking before the banner", "no banner\n"
				      "C: EHLO c.test\n"
				      "E: refused early-talk\n"
				      "S. 554 5.5.1 You spoke before the greeting\n"
				      "E: close\n"},
	{"silence before the banner", "no banner\n"
				      "E: more\n"
				      "S. \n"},
	{"a farewell is the last word", EHLO MAIL "C: RCPT TO:<x@y.test>\n"
						  "C: NOOP\n"
						  "E: rcpt x@y.test\n"
						  "E: more\n"
						  "F: 421 4.3.2 Stopping\n"
						  "S. 421 4.3.2 Stopping\n"
						  "A: 250 2.1.5 Too late\n"
						  "S. \n"
						  "F: 421 4.4.2 Again\n"
						  "S. \n"
						  "E: close\n"},
	{"an answer of 421 closes", EHLO "C: MAIL FROM:<a@b.test>\n"
					 "E: mail a@b.test\n"
					 "A: 421 4.3.2 Stopping\n"
					 "S. 421 4.3.2 Stopping\n"
					 "E: close\n"},
};

#define PLAYS(topic)                                                                   \
	static void test_##topic(void **state)                                         \
	{                                                                              \
		(void)state;                                                           \
		server_dialogue_play(topic##_rows, COUNT(topic##_rows));               \
	}

PLAYS(hello)
PLAYS(sequence)
PLAYS(envelope)
PLAYS(line)
PLAYS(limit)
PLAYS(banner)

static void
test_banner_text(void **state)
{
	struct smtp_server server;

	(void)state;
	smtp_server_init(&server, &server_dialogue_options);
	assert_true(smtp_server_forbids_input(&server));
	assert_int_equal(smtp_server_greet(&server), STATUS_OK);
	assert_true(span_equals(buffer_span(&server.output),
				SPAN("220 mx.test ESMTP evenpost\r\n")));
	assert_false(smtp_server_forbids_input(&server));
	smtp_server_fini(&server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),       cmocka_unit_test(test_sequence),
		cmocka_unit_test(test_envelope),    cmocka_unit_test(test_line),
		cmocka_unit_test(test_limit),       cmocka_unit_test(test_banner),
		cmocka_unit_test(test_banner_text),
	};

	return cmocka_run_group_tests_name("smtp server", tests, NULL, NULL);
}
