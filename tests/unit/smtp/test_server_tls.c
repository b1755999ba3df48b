/* The receiving side: STARTTLS, and what is refused without TLS. */
#include "server_dialogue.h"

#include "smtp/sasl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

#define OFFERED "O: tls offered\n"
#define REQUIRED "O: tls required\n"

/* The command is refused, and the session goes on. */
#define NO_TLS(command)                                                                \
	"C: " command "\n"                                                             \
	"E: refused tls-required\n"                                                    \
	"S. 530 5.7.0 Must issue a STARTTLS command first\n"

static const struct server_dialogue starttls_rows[] = {
	{"EHLO lists it", OFFERED EHLO_LISTS "S: 250-STARTTLS\n"
					     "S*\n"},
	{"EHLO lists it where it is required", REQUIRED EHLO_LISTS "S: 250-STARTTLS\n"
								   "S*\n"},
	{"EHLO does not list it where it is off", EHLO_LISTS AND_OF_SERVERS "S*\n"},
	{"EHLO does not list it again",
	 OFFERED EHLO STARTTLS EHLO_LISTS AND_OF_SERVERS "S*\n"},
	{"a whole session", OFFERED EHLO STARTTLS EHLO MAIL RCPT DATA "C: .\n"
								      "E: body-end\n"},
	{"before EHLO", OFFERED STARTTLS EHLO MAIL},
	{"hello has to be said again",
	 OFFERED EHLO STARTTLS "C: MAIL FROM:<a@b.test>\n"
			       "E: refused sequence\n"
			       "S. 503 5.5.1 Say hello first\n"},
	{"with a parameter",
	 OFFERED EHLO "C: STARTTLS now\n"
		      "E: refused syntax\n"
		      "S. 501 5.5.4 This command takes no argument\n"},
	{"twice", OFFERED EHLO STARTTLS "C: STARTTLS\n"
					"E: refused sequence\n"
					"S. 503 5.5.1 TLS is active already\n"},
	{"twice, after EHLO",
	 OFFERED EHLO STARTTLS EHLO "C: STARTTLS\n"
				    "E: refused sequence\n"
				    "S. 503 5.5.1 TLS is active already\n" MAIL},
	{"where it is off", EHLO "C: STARTTLS\n"
				 "E: refused unknown-command\n"
				 "S. 502 5.5.1 STARTTLS is not offered\n"},
	{"where it is off, in a transaction",
	 EHLO MAIL "C: STARTTLS\n"
		   "E: refused unknown-command\n"
		   "S. 502 5.5.1 STARTTLS is not offered\n"},
	{"after MAIL",
	 OFFERED EHLO MAIL "C: STARTTLS\n"
			   "E: refused sequence\n"
			   "S. 503 5.5.1 Not before the message is over\n" RCPT},
	{"after RCPT",
	 OFFERED EHLO MAIL RCPT "C: STARTTLS\n"
				"E: refused sequence\n"
				"S. 503 5.5.1 Not before the message is over\n" DATA},
	{"between two BDAT",
	 OFFERED EHLO MAIL RCPT "C- BDAT 1<CR><LF>x\n"
				"E: chunk 1\n"
				"E: body x\n"
				"E: chunk-end\n"
				"A: 250 2.0.0 Ok\n"
				"S*\n"
				"C: STARTTLS\n"
				"E: refused sequence\n"
				"S. 503 5.5.1 Not before the message is over\n"},
	{"it waits for earlier answers", OFFERED EHLO "C: MAIL FROM:<a@b.test>\n"
						      "C: STARTTLS\n"
						      "E: mail a@b.test\n"
						      "E: blocked\n"
						      "A: 451 4.3.0 No\n"
						      "E: starttls\n"},
	{"refused by the caller, all is as it was",
	 OFFERED EHLO "C: STARTTLS\n"
		      "E: starttls\n"
		      "A: 454 4.7.0 Not now\n"
		      "S. 454 4.7.0 Not now\n" MAIL},
	{"refused by the caller before EHLO", OFFERED "C: STARTTLS\n"
						      "E: starttls\n"
						      "A: 454 4.7.0 Not now\n"
						      "S. 454 4.7.0 Not now\n"
						      "C: MAIL FROM:<a@b.test>\n"
						      "E: refused sequence\n"
						      "S. 503 5.5.1 Say hello first\n"},
	{"an answer of 421 closes", OFFERED EHLO "C: STARTTLS\n"
						 "E: starttls\n"
						 "A: 421 4.3.2 Stopping\n"
						 "S. 421 4.3.2 Stopping\n"
						 "E: close\n"},
	{"it counts as a command without mail",
	 OFFERED EHLO "C: STARTTLS\n"
		      "E: starttls\n"
		      "A: 454 4.7.0 Not now\n"
		      "C: STARTTLS\n"
		      "E: starttls\n"
		      "A: 454 4.7.0 Not now\n"
		      "C: STARTTLS\n"
		      "E: starttls\n"
		      "A: 454 4.7.0 Not now\n"
		      "C: STARTTLS\n"
		      "E: starttls\n"
		      "A: 454 4.7.0 Not now\n"
		      "S*\n"
		      "C: STARTTLS\n"
		      "E: refused too-many-errors\n"
		      "S. 421 4.7.0 Too many commands without mail\n"},
	{"bad commands are not forgotten by TLS",
	 OFFERED EHLO "C: BAD\n"
		      "C: BAD\n"
		      "C: BAD\n"
		      "E: refused unknown-command\n"
		      "E: refused unknown-command\n"
		      "E: refused unknown-command\n"
		      "S*\n" STARTTLS "C: BAD\n"
		      "C: BAD\n"
		      "E: refused unknown-command\n"
		      "E: refused too-many-errors\n"},
};

/* CVE-2011-0411: commands that came in clear must not be obeyed behind the handshake.
 */
static const struct server_dialogue injection_rows[] = {
	{"what stands behind STARTTLS is never read",
	 OFFERED EHLO "C- STARTTLS<CR><LF>RSET<CR><LF>MAIL FROM:<evil@b.test><CR><LF>\n"
		      "E: starttls\n"
		      "E: blocked\n"
		      "A: 220 2.0.0 Go\n"
		      "S. 220 2.0.0 Go\n"
		      "E: blocked\n"
		      "E: blocked\n"
		      "T:\n"
		      "E: more\n"
		      "S. \n" EHLO MAIL},
	{"not even what needs no decision",
	 OFFERED EHLO "C- STARTTLS<CR><LF>NOOP<CR><LF>\n"
		      "E: starttls\n"
		      "E: blocked\n"
		      "A: 220 2.0.0 Go\n"
		      "E: blocked\n"
		      "S. 220 2.0.0 Go\n"
		      "T:\n"
		      "E: more\n"
		      "S. \n"},
	{"half a command is no beginning of another",
	 OFFERED EHLO "C- STARTTLS<CR><LF>MAIL FROM:<evil\n"
		      "E: starttls\n"
		      "A: 220 2.0.0 Go\n"
		      "E: blocked\n"
		      "S*\n"
		      "T:\n"
		      "C: EHLO c.test\n"
		      "E: hello EHLO c.test\n"},
	{"nothing behind it is nothing to wait for", OFFERED EHLO "C: STARTTLS\n"
								  "E: starttls\n"
								  "E: more\n"
								  "A: 220 2.0.0 Go\n"
								  "E: more\n"},
	{"what stands behind a refused one came in clear, and is read so",
	 OFFERED EHLO "C- STARTTLS<CR><LF>NOOP<CR><LF>\n"
		      "E: starttls\n"
		      "E: blocked\n"
		      "A: 454 4.7.0 Not now\n"
		      "E: more\n"
		      "S: 454 4.7.0 Not now\n"
		      "S. 250 2.0.0 Ok\n"},
};

static const struct server_dialogue required_rows[] = {
	{"MAIL", REQUIRED EHLO NO_TLS("MAIL FROM:<a@b.test>")},
	{"MAIL before EHLO", REQUIRED NO_TLS("MAIL FROM:<a@b.test>")},
	{"RCPT", REQUIRED EHLO NO_TLS("RCPT TO:<x@y.test>")},
	{"DATA", REQUIRED EHLO NO_TLS("DATA")},
	{"HELO", REQUIRED NO_TLS("HELO c.test")},
	{"VRFY", REQUIRED NO_TLS("VRFY root")},
	{"HELP", REQUIRED NO_TLS("HELP")},
	{"EXPN", REQUIRED NO_TLS("EXPN all")},
	{"AUTH", REQUIRED "O: auth\n" EHLO NO_TLS("AUTH PLAIN AHRpbQBwdw==")},
	{"AUTH that is not offered", REQUIRED EHLO NO_TLS("AUTH PLAIN AHRpbQBwdw==")},
	{"an unknown verb", REQUIRED NO_TLS("PLEASE")},
	{"NOOP, RSET and QUIT are taken", REQUIRED EHLO "C: NOOP\n"
							"C: RSET\n"
							"C: QUIT\n"
							"E: rset\n"
							"E: quit\n"
							"S: 250 2.0.0 Ok\n"
							"S: 250 2.0.0 Ok\n"
							"S. 221 2.0.0 Bye\n"},
	{"LHLO is taken", REQUIRED "O: lmtp\n"
				   "C: LHLO c.test\n"
				   "E: hello LHLO c.test\n"},
	{"the octets of a BDAT are swallowed",
	 REQUIRED EHLO "C- BDAT 6 LAST<CR><LF>QUIT<CR><LF>NOOP<CR><LF>\n"
		       "E: refused chunk\n"
		       "S. 530 5.7.0 Must issue a STARTTLS command first\n"
		       "E: more\n"
		       "S. 250 2.0.0 Ok\n"},
	{"all is well with TLS", REQUIRED EHLO STARTTLS EHLO MAIL RCPT DATA},
	{"HELO is well with TLS", REQUIRED EHLO STARTTLS "C: HELO c.test\n"
							 "E: hello HELO c.test\n"},
	{"refusals are errors",
	 REQUIRED EHLO NO_TLS("DATA") NO_TLS("DATA") NO_TLS("DATA")
		 NO_TLS("DATA") "C: DATA\n"
				"E: refused too-many-errors\n"
				"S. 421 4.7.0 Too many errors\n"},
};

#define PLAYS(topic)                                                                   \
	static void test_##topic(void **state)                                         \
	{                                                                              \
		(void)state;                                                           \
		server_dialogue_play(topic##_rows, COUNT(topic##_rows));               \
	}

PLAYS(starttls)
PLAYS(injection)
PLAYS(required)

/* Before the banner: the whole session is in TLS. */
static void
test_implicit(void **state)
{
	struct smtp_server_options options = server_dialogue_options;
	const struct smtp_extensions offered = {SMTP_AUTH, 0, SASL_PLAIN};
	struct span input = SPAN("EHLO c.test\r\n");
	struct smtp_server server;
	struct smtp_event event;

	(void)state;
	options.tls = SMTP_TLS_REQUIRED;
	options.auth = options.auth_needs_tls = true;
	smtp_server_init(&server, &options);
	assert_false(smtp_server_awaits_tls(&server));
	smtp_server_encrypted(&server);
	assert_int_equal(smtp_server_greet(&server), STATUS_OK);
	buffer_clear(&server.output);
	smtp_server_next(&server, &input, &event);
	assert_int_equal(event.type, SMTP_EVENT_HELLO);
	assert_int_equal(smtp_server_hello(&server, event.slot, SMTP_EHLO, offered),
			 STATUS_OK);
	assert_true(span_equals(buffer_span(&server.output),
				SPAN("250-mx.test\r\n250 AUTH PLAIN\r\n")));
	smtp_server_fini(&server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_starttls),
		cmocka_unit_test(test_injection),
		cmocka_unit_test(test_required),
		cmocka_unit_test(test_implicit),
	};

	return cmocka_run_group_tests_name("smtp server tls", tests, NULL, NULL);
}
