/* The receiving side: AUTH, and that nothing but its exchange is read while it goes on.
 */
#include "server_dialogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

#define AUTH "O: auth\n" EHLO
#define AUTHENTICATED                                                                  \
	AUTH "C: AUTH PLAIN AHRpbQBwdw==\n"                                            \
	     "E: auth PLAIN AHRpbQBwdw==\n"                                            \
	     "A: 235 2.7.0 Welcome\n"                                                  \
	     "S. 235 2.7.0 Welcome\n"
#define ASKED(mechanism)                                                               \
	AUTH "C: AUTH " mechanism "\n"                                                 \
	     "E: auth " mechanism "\n"

static const struct server_dialogue offer_rows[] = {
	{"EHLO lists the mechanisms",
	 "O: auth\n" EHLO_LISTS AND_OF_SERVERS "S: 250-CHUNKING\n"
	 "S. 250 AUTH PLAIN LOGIN CRAM-MD5\n"},
	{"none in clear where it needs TLS",
	 "O: auth-needs-tls\n"
	 "O: tls offered\n" EHLO_LISTS "S: 250-STARTTLS\n" AND_OF_SERVERS
	 "S. 250 CHUNKING\n"},
	{"none where TLS is required and not there",
	 "O: auth\n"
	 "O: tls required\n" EHLO_LISTS "S: 250-STARTTLS\n" AND_OF_SERVERS
	 "S. 250 CHUNKING\n"},
	{"all of them with TLS",
	 "O: auth-needs-tls\n"
	 "O: tls offered\n" EHLO STARTTLS EHLO "C: AUTH PLAIN AHRpbQBwdw==\n"
	 "E: auth PLAIN AHRpbQBwdw==\n"},
	{"what needs TLS is told so",
	 "O: auth-needs-tls\n"
	 "O: tls offered\n" EHLO "C: AUTH PLAIN AHRpbQBwdw==\n"
	 "E: refused tls-required\n"
	 "S. 538 5.7.11 AUTH needs TLS\n"
	 "C: AUTH LOGIN\n"
	 "E: refused tls-required\n"
	 "S. 538 5.7.11 AUTH needs TLS\n"
	 "C: AUTH CRAM-MD5\n"
	 "E: refused tls-required\n"
	 "S. 538 5.7.11 AUTH needs TLS\n"},
	{"AUTH= of MAIL where AUTH is offered", AUTH "C: MAIL FROM:<a@b.test> AUTH=<>\n"
						     "E: mail a@b.test AUTH=<>\n"},
	{"AUTH= of MAIL where it is not",
	 EHLO "C: MAIL FROM:<a@b.test> AUTH=<>\n"
	      "E: refused parameter\n"
	      "S. 555 5.5.4 Parameter unknown or not offered\n"},
};

static const struct server_dialogue command_rows[] = {
	{"PLAIN at once", AUTHENTICATED MAIL},
	{"in lower case", AUTH "C: auth plain AHRpbQBwdw==\n"
			       "E: auth PLAIN AHRpbQBwdw==\n"},
	{"without a response", ASKED("PLAIN")},
	{"with an empty response", ASKED("PLAIN =")},
	{"LOGIN with a name at once", ASKED("LOGIN dGlt")},
	{"blanks around the response", AUTH "C: AUTH PLAIN   AHRpbQBwdw==  \n"
					    "E: auth PLAIN AHRpbQBwdw==\n"},
	{"refused by the caller, and tried again",
	 ASKED("PLAIN AHRpbQBwdw==") "A: 535 5.7.8 No\n"
				     "S. 535 5.7.8 No\n"
				     "C: AUTH PLAIN AHRpbQBwdw==\n"
				     "E: auth PLAIN AHRpbQBwdw==\n"
				     "A: 454 4.7.0 Not now\n"
				     "S. 454 4.7.0 Not now\n" MAIL},
	{"an answer of 421 closes", ASKED("PLAIN AHRpbQBwdw==") "A: 421 4.7.0 Go\n"
								"S. 421 4.7.0 Go\n"
								"E: close\n"},
	{"without a mechanism",
	 AUTH "C: AUTH\n"
	      "E: refused syntax\n"
	      "S. 501 5.5.4 Syntax: AUTH mechanism [response]\n"},
	{"an argument too many",
	 AUTH "C: AUTH PLAIN AHRpbQBwdw== x\n"
	      "E: refused syntax\n"
	      "S. 501 5.5.4 Syntax: AUTH mechanism [response]\n"},
	{"an unknown mechanism",
	 AUTH "C: AUTH X-OWN\n"
	      "E: refused auth\n"
	      "S. 504 5.5.4 Mechanism unknown or not offered\n"},
	{"a mechanism that is not offered",
	 AUTH "C: AUTH XOAUTH2\n"
	      "E: refused auth\n"
	      "S. 504 5.5.4 Mechanism unknown or not offered\n"},
	{"two mechanisms are none",
	 AUTH "C: AUTH PLAIN,LOGIN\n"
	      "E: refused auth\n"
	      "S. 504 5.5.4 Mechanism unknown or not offered\n"},
	{"a response that is no base64", AUTH "C: AUTH PLAIN AHRpbQBwdw\n"
					      "E: refused syntax\n"
					      "S. 501 5.5.2 Malformed base64\n" MAIL},
	{"two equals signs", AUTH "C: AUTH PLAIN ==\n"
				  "E: refused syntax\n"
				  "S. 501 5.5.2 Malformed base64\n"},
	{"where it is off", EHLO "C: AUTH PLAIN AHRpbQBwdw==\n"
				 "E: refused unknown-command\n"
				 "S. 502 5.5.1 AUTH is not offered\n"},
	{"where it is off, in a transaction",
	 EHLO MAIL "C: AUTH PLAIN AHRpbQBwdw==\n"
		   "E: refused unknown-command\n"
		   "S. 502 5.5.1 AUTH is not offered\n"},
	{"before EHLO", "O: auth\n"
			"C: AUTH PLAIN AHRpbQBwdw==\n"
			"E: refused sequence\n"
			"S. 503 5.5.1 Say hello first\n"},
	{"after HELO", "O: auth\n"
		       "C: HELO c.test\n"
		       "E: hello HELO c.test\n"
		       "H-\n"
		       "S*\n"
		       "C: AUTH PLAIN AHRpbQBwdw==\n"
		       "E: refused sequence\n"
		       "S. 503 5.5.1 Send EHLO first\n"},
	{"after MAIL", AUTH MAIL "C: AUTH PLAIN AHRpbQBwdw==\n"
				 "E: refused sequence\n"
				 "S. 503 5.5.1 Not before the message is over\n" RCPT},
	{"after RCPT",
	 AUTH MAIL RCPT "C: AUTH PLAIN AHRpbQBwdw==\n"
			"E: refused sequence\n"
			"S. 503 5.5.1 Not before the message is over\n" DATA},
	{"between two messages", AUTH MAIL RCPT DATA "C: .\n"
						     "E: body-end\n"
						     "A: 250 2.0.0 Ok\n"
						     "S*\n"
						     "C: AUTH PLAIN AHRpbQBwdw==\n"
						     "E: auth PLAIN AHRpbQBwdw==\n"},
	{"twice", AUTHENTICATED "C: AUTH PLAIN AHRpbQBwdw==\n"
				"E: refused sequence\n"
				"S. 503 5.5.1 You are authenticated already\n"},
	{"twice, with EHLO between",
	 AUTHENTICATED EHLO "C: AUTH PLAIN AHRpbQBwdw==\n"
			    "E: refused sequence\n"
			    "S. 503 5.5.1 You are authenticated already\n"},
	{"TLS forgets it",
	 "O: tls offered\n" AUTHENTICATED STARTTLS EHLO "C: AUTH PLAIN AHRpbQBwdw==\n"
	 "E: auth PLAIN AHRpbQBwdw==\n"},
	{"it waits for earlier answers", AUTH "C: MAIL FROM:<a@b.test>\n"
					      "C: AUTH PLAIN AHRpbQBwdw==\n"
					      "E: mail a@b.test\n"
					      "E: blocked\n"
					      "A: 451 4.3.0 No\n"
					      "E: auth PLAIN AHRpbQBwdw==\n"},
	{"a command behind it waits, whatever it is",
	 ASKED("PLAIN AHRpbQBwdw==") "C: NOOP\n"
				     "C: MAIL FROM:<a@b.test>\n"
				     "E: blocked\n"
				     "S. \n"
				     "A: 235 2.7.0 Welcome\n"
				     "E: mail a@b.test\n"
				     "S: 235 2.7.0 Welcome\n"
				     "S. 250 2.0.0 Ok\n"},
	{"refusals are errors", AUTH "C: BAD\n"
				     "C: AUTH X\n"
				     "C: AUTH X\n"
				     "C: AUTH X\n"
				     "E: refused unknown-command\n"
				     "E: refused auth\n"
				     "E: refused auth\n"
				     "E: refused auth\n"
				     "S*\n"
				     "C: AUTH X\n"
				     "E: refused too-many-errors\n"
				     "S. 421 4.7.0 Too many errors\n"
				     "E: close\n"},
};

static const struct server_dialogue exchange_rows[] = {
	{"PLAIN when asked", ASKED("PLAIN") "Q: \n"
					    "S. 334 \n"
					    "C: AHRpbQBwdw==\n"
					    "E: response AHRpbQBwdw==\n"
					    "A: 235 2.7.0 Welcome\n"
					    "S. 235 2.7.0 Welcome\n" MAIL},
	{"LOGIN", ASKED("LOGIN") "Q: VXNlcm5hbWU6\n"
				 "S. 334 VXNlcm5hbWU6\n"
				 "C: dGlt\n"
				 "E: response dGlt\n"
				 "Q: UGFzc3dvcmQ6\n"
				 "S. 334 UGFzc3dvcmQ6\n"
				 "C: cHc=\n"
				 "E: response cHc=\n"
				 "A: 535 5.7.8 No\n"
				 "S. 535 5.7.8 No\n" MAIL},
	{"an empty response", ASKED("CRAM-MD5") "Q: PDEuMkBteC50ZXN0Pg==\n"
						"S*\n"
						"C: \n"
						"E: response \n"},
	{"the client gives up at once",
	 ASKED("PLAIN") "Q: \n"
			"S*\n"
			"C: *\n"
			"E: refused auth\n"
			"S. 501 5.7.0 Authentication aborted\n" MAIL},
	{"the client gives up later",
	 ASKED("LOGIN") "Q: VXNlcm5hbWU6\n"
			"C: dGlt\n"
			"E: response dGlt\n"
			"Q: UGFzc3dvcmQ6\n"
			"S*\n"
			"C: *\n"
			"E: refused auth\n"
			"S. 501 5.7.0 Authentication aborted\n"
			"C: AUTH PLAIN AHRpbQBwdw==\n"
			"E: auth PLAIN AHRpbQBwdw==\n"},
	{"a star and more is no giving up",
	 ASKED("PLAIN") "Q: \n"
			"S*\n"
			"C: **\n"
			"E: refused syntax\n"
			"S. 501 5.5.2 Malformed base64\n"},
	{"a star before the challenge waits for it",
	 ASKED("PLAIN") "C: *\n"
			"E: blocked\n"
			"Q: \n"
			"E: refused auth\n"},
	{"a command is no response", ASKED("PLAIN") "C: MAIL FROM:<a@b.test>\n"
						    "E: blocked\n"
						    "Q: \n"
						    "E: refused syntax\n"
						    "S: 334 \n"
						    "S. 501 5.5.2 Malformed base64\n"
						    "E: more\n"},
	{"a command that could be base64 is a response",
	 ASKED("PLAIN") "Q: \n"
			"C: NOOP\n"
			"E: response NOOP\n"},
	{"HTTP is no response", ASKED("PLAIN") "Q: \n"
					       "S*\n"
					       "C: GET / HTTP/1.1\n"
					       "E: refused syntax\n"
					       "S. 501 5.5.2 Malformed base64\n"},
	{"a response that ends in LF",
	 ASKED("PLAIN") "Q: \n"
			"S*\n"
			"C- AHRpbQBwdw==<LF>\n"
			"E: refused syntax\n"
			"S. 501 5.5.2 Malformed base64\n"},
	{"a star that ends in LF", ASKED("PLAIN") "Q: \n"
						  "S*\n"
						  "C- *<LF>\n"
						  "E: refused syntax\n"},
	{"a lone LF", ASKED("PLAIN") "Q: \n"
				     "C- <LF>\n"
				     "E: refused syntax\n"},
	{"a NUL in a response", ASKED("PLAIN") "Q: \n"
					       "C: AHRpbQBwdw=<NUL>\n"
					       "E: refused syntax\n"},
	{"a farewell ends it", ASKED("PLAIN") "Q: \n"
					      "S*\n"
					      "F: 421 4.4.2 Too slow\n"
					      "S. 421 4.4.2 Too slow\n"
					      "C: AHRpbQBwdw==\n"
					      "E: close\n"},
	{"a farewell before the answer", ASKED("PLAIN") "F: 421 4.3.2 Stopping\n"
							"Q: \n"
							"S. 421 4.3.2 Stopping\n"
							"E: close\n"},
};

#define LONG "E: refused line-length\n"

/* RFC 4954 4: 12288 bytes with CRLF. */
static const struct server_dialogue length_rows[] = {
	{"a response of 12288 bytes", ASKED("PLAIN") "Q: \n"
						     "S*\n"
						     "C* 12286 A\n"
						     "C: \n"
						     "E: refused syntax\n"
						     "S. 501 5.5.2 Malformed base64\n"},
	{"a response of 12289 bytes",
	 ASKED("PLAIN") "Q: \n"
			"S*\n"
			"C* 12287 A\n"
			"C: \n" LONG "S. 500 5.5.6 Authentication line too long\n"
			"E: more\n" MAIL},
	{"a response without end",
	 ASKED("PLAIN") "Q: \n"
			"S*\n"
			"C* 40000 A\n" LONG
			"S. 500 5.5.6 Authentication line too long\n"
			"E: more\n"
			"C: \n"
			"C: AUTH PLAIN\n"
			"E: auth PLAIN\n"},
	{"an initial response over 12288 bytes",
	 AUTH "C- AUTH PLAIN \n"
	      "C* 12276 A\n"
	      "C: \n" LONG "S. 500 5.5.6 Authentication line too long\n" MAIL},
	{"an initial response within it", AUTH "C- AUTH PLAIN \n"
					       "C* 12275 A\n"
					       "C: \n"
					       "E: refused syntax\n"
					       "S. 501 5.5.2 Malformed base64\n"},
	{"where AUTH is off it has the limit of others",
	 EHLO "C- AUTH PLAIN \n"
	      "C* 2036 A\n"
	      "C: \n" LONG "S. 500 5.5.2 Line too long\n"},
	{"other commands keep theirs",
	 AUTH "C- NOOP \n"
	      "C* 2042 x\n"
	      "C: \n" LONG "S. 500 5.5.2 Line too long\n"},
};

#define PLAYS(topic)                                                                   \
	static void test_##topic(void **state)                                         \
	{                                                                              \
		(void)state;                                                           \
		server_dialogue_play(topic##_rows, COUNT(topic##_rows));               \
	}

PLAYS(offer)
PLAYS(command)
PLAYS(exchange)
PLAYS(length)

/* A server that has just heard AUTH; its slot. */
static uint32_t
ask(struct smtp_server *server, const struct smtp_server_options *options)
{
	const struct smtp_extensions offered = {SMTP_AUTH, 0, UINT32_MAX};
	struct span input = SPAN("EHLO c.test\r\nAUTH NTLM\r\n");
	struct smtp_event event;

	smtp_server_init(server, options);
	assert_int_equal(smtp_server_greet(server), STATUS_OK);
	smtp_server_next(server, &input, &event);
	assert_int_equal(smtp_server_hello(server, event.slot, SMTP_EHLO, offered),
			 STATUS_OK);
	smtp_server_next(server, &input, &event);
	assert_int_equal(event.type, SMTP_EVENT_AUTH);
	buffer_clear(&server->output);
	return event.slot;
}

/* Of a mechanism that is passed on, the challenge is a server's. */
static void
test_challenges(void **state)
{
	struct smtp_server_options options = server_dialogue_options;
	struct smtp_server server;
	uint32_t slot;

	(void)state;
	options.auth = true;
	slot = ask(&server, &options);
	assert_int_equal(smtp_server_auth_challenge(&server, slot, SPAN("a\tb")),
			 STATUS_INVALID);
	assert_int_equal(smtp_server_auth_challenge(&server, slot, SPAN("\xc3\xa9")),
			 STATUS_INVALID);
	assert_true(buffer_is_empty(&server.output));
	assert_true(smtp_server_owes(&server));
	assert_int_equal(
		smtp_server_auth_challenge(&server, slot, SPAN("NTLM supported")),
		STATUS_OK);
	assert_true(span_equals(buffer_span(&server.output),
				SPAN("334 NTLM supported\r\n")));
	assert_false(smtp_server_owes(&server));
	smtp_server_fini(&server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offer),      cmocka_unit_test(test_command),
		cmocka_unit_test(test_exchange),   cmocka_unit_test(test_length),
		cmocka_unit_test(test_challenges),
	};

	return cmocka_run_group_tests_name("smtp server auth", tests, NULL, NULL);
}
