/* The receiving side: messages after DATA, octets after BDAT, and what is refused in
 * them. */
#include "server_dialogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

#define TAKEN                                                                          \
	"E: body-end\n"                                                                \
	"A: 250 2.0.0 Taken\n"                                                         \
	"S. 250 2.0.0 Taken\n"

static const struct server_dialogue data_rows[] = {
	{"a message", EHLO MAIL RCPT DATA
	 "C: Subject: x\n"
	 "C: \n"
	 "C: Hello\n"
	 "C: .\n"
	 "E: body Subject: x<CR><LF><CR><LF>Hello<CR><LF>\n" TAKEN "E: more\n"},
	{"an empty message", EHLO MAIL RCPT DATA "C: .\n" TAKEN},
	{"dots stay stuffed", EHLO MAIL RCPT DATA "C: ..a\n"
						  "C: .\n"
						  "E: body ..a<CR><LF>\n" TAKEN},
	{"a second message",
	 EHLO MAIL RCPT DATA "C: a\n"
			     "C: .\n"
			     "E: body a<CR><LF>\n" TAKEN MAIL RCPT DATA "C: b\n"
			     "C: .\n"
			     "E: body b<CR><LF>\n" TAKEN},
	{"the transaction is over when refused, too",
	 EHLO MAIL RCPT DATA "C: .\n"
			     "E: body-end\n"
			     "A: 550 5.7.1 Spam\n"
			     "S. 550 5.7.1 Spam\n"
			     "C: DATA\n"
			     "E: refused sequence\n"
			     "S. 503 5.5.1 Send MAIL first\n"},
	{"a message of the limit", "O: size 10\n" EHLO MAIL RCPT DATA "C: 12345678\n"
				   "C: .\n"
				   "E: body 12345678<CR><LF>\n" TAKEN},
	{"a message over the limit", "O: size 10\n" EHLO MAIL RCPT DATA "C: 123456789\n"
				     "C: .\n"
				     "C: NOOP\n"
				     "E: abandon\n"
				     "E: refused size\n"
				     "S. 552 5.3.4 Message larger than the limit\n"
				     "E: more\n"
				     "S. 250 2.0.0 Ok\n" MAIL},
	{"a NUL", EHLO MAIL RCPT DATA "C: <NUL>\n"
				      "C: .\n"
				      "E: abandon\n"
				      "E: refused nul\n"
				      "S. 550 5.6.0 Message with NUL octets\n" MAIL},
	{"a bare LF is normalized",
	 EHLO MAIL RCPT DATA "C: a<LF>b\n"
			     "C: .\n"
			     "E: body a<CR><LF>b<CR><LF>\n" TAKEN},
	{"a bare LF is rejected", "O: reject\n" EHLO MAIL RCPT DATA "C: <LF>b\n"
				  "C: .\n"
				  "E: abandon\n"
				  "E: refused line-ending\n"
				  "S. 550 5.6.11 Message with a bare CR or LF\n" MAIL},
	{"a false end does not end", "O: reject\n" EHLO MAIL RCPT DATA "C- <LF>.<LF>\n"
				     "C: MAIL FROM:<evil@b.test>\n"
				     "C: .\n"
				     "E: abandon\n"
				     "E: refused line-ending\n"
				     "E: more\n"},
};

static const struct server_dialogue chunk_rows[] = {
	{"one chunk", EHLO MAIL RCPT "C: BDAT 5 LAST\n"
				     "C- a<CR><LF>.b\n"
				     "E: chunk 5 last\n"
				     "E: body a<CR><LF>.b\n" TAKEN MAIL},
	{"two chunks", EHLO MAIL RCPT "C: BDAT 3\n"
				      "C- abc\n"
				      "E: chunk 3\n"
				      "E: body abc\n"
				      "E: chunk-end\n"
				      "A: 250 2.0.0 3 octets\n"
				      "S. 250 2.0.0 3 octets\n"
				      "C: BDAT 2 LAST\n"
				      "C- de\n"
				      "E: chunk 2 last\n"
				      "E: body de\n" TAKEN},
	{"chunks are pipelined", EHLO MAIL RCPT "C: BDAT 3\n"
						"C- abc\n"
						"C: BDAT 0 LAST\n"
						"C: QUIT\n"
						"E: chunk 3\n"
						"E: body abc\n"
						"E: chunk-end\n"
						"E: blocked\n"
						"A: 250 2.0.0 Ok\n"
						"S. 250 2.0.0 Ok\n"
						"E: chunk 0 last\n"
						"E: body-end\n"
						"E: blocked\n"
						"A: 250 2.0.0 Taken\n"
						"E: quit\n"},
	{"octets may be anything", "O: reject\n" EHLO MAIL RCPT "C: BDAT 8 LAST\n"
				   "C- <NUL><LF>.<CR>.<LF>.<CR>\n"
				   "E: chunk 8 last\n"
				   "E: body <NUL><LF>.<CR>.<LF>.<CR>\n" TAKEN},
	{"octets that look like commands",
	 EHLO MAIL RCPT "C: BDAT 6 LAST\n"
			"C: QUIT\n"
			"E: chunk 6 last\n"
			"E: body QUIT<CR><LF>\n" TAKEN},
	{"an empty chunk", EHLO MAIL RCPT "C: BDAT 0\n"
					  "E: chunk 0\n"
					  "E: chunk-end\n"},
};

static const struct server_dialogue chunk_fault_rows[] = {
	{"no size", EHLO MAIL RCPT "C: BDAT\n"
				   "C: NOOP\n"
				   "E: refused syntax\n"
				   "S. 501 5.5.4 Syntax: BDAT octets [LAST]\n"
				   "E: close\n"},
	{"a size beyond all", EHLO MAIL RCPT "C: BDAT 99999999999999999999\n"
					     "E: refused syntax\n"
					     "S*\n"
					     "E: close\n"},
	{"a huge size", EHLO MAIL RCPT "C: BDAT 9223372036854775808\n"
				       "E: abandon\n"
				       "E: more\n"
				       "S. \n"},
	{"a negative size", EHLO MAIL RCPT "C: BDAT -1\n"
					   "E: refused syntax\n"
					   "S*\n"
					   "E: close\n"},
	{"a chunk over the limit",
	 EHLO MAIL RCPT "C: BDAT 1001 LAST\n"
			"C* 1001 x\n"
			"E: abandon\n"
			"E: refused size\n"
			"S. 552 5.3.4 Message larger than the limit\n" MAIL},
	{"chunks over the limit",
	 EHLO MAIL RCPT "C: BDAT 2\n"
			"C- ab\n"
			"E: chunk 2\n"
			"E: body ab\n"
			"E: chunk-end\n"
			"A: 250 2.0.0 Ok\n"
			"S*\n"
			"C: BDAT 999\n"
			"C* 999 x\n"
			"C: BDAT 5 LAST\n"
			"C- abcde\n"
			"C: MAIL FROM:<a@b.test>\n"
			"E: abandon\n"
			"E: refused size\n"
			"S. 552 5.3.4 Message larger than the limit\n"
			"E: refused chunk\n"
			"S. 503 5.5.1 A BDAT failed, send RSET\n"
			"E: refused sequence\n"
			"S. 503 5.5.1 A BDAT failed, send RSET\n"
			"C: RSET\n"
			"E: rset\n"
			"S*\n" MAIL},
	{"a chunk that the caller refuses",
	 EHLO MAIL RCPT "C: BDAT 2\n"
			"C- ab\n"
			"C: BDAT 2 LAST\n"
			"C- cd\n"
			"E: chunk 2\n"
			"E: body ab\n"
			"E: chunk-end\n"
			"A: 451 4.3.0 No\n"
			"S. 451 4.3.0 No\n"
			"E: refused chunk\n"
			"S. 503 5.5.1 A BDAT failed, send RSET\n"
			"C: DATA\n"
			"E: refused sequence\n"
			"S*\n" EHLO MAIL},
	{"a last chunk that is refused ends the transaction",
	 EHLO MAIL RCPT "C: BDAT 2 LAST\n"
			"C- ab\n"
			"E: chunk 2 last\n"
			"E: body ab\n"
			"E: body-end\n"
			"A: 451 4.3.0 No\n"
			"S*\n" MAIL},
	{"before EHLO", "C: BDAT 6 LAST\n"
			"C: QUIT\n"
			"E: refused chunk\n"
			"S. 503 5.5.1 Say hello first\n"
			"E: more\n"},
	{"without MAIL", EHLO "C: BDAT 6 LAST\n"
			      "C: QUIT\n"
			      "E: refused chunk\n"
			      "S. 503 5.5.1 Send MAIL first\n" MAIL},
	{"without RCPT", EHLO MAIL "C: BDAT 6 LAST\n"
				   "C: QUIT\n"
				   "E: refused chunk\n"
				   "S. 503 5.5.1 Send RCPT first\n"
				   "E: more\n"},
	{"without an accepted RCPT", EHLO MAIL "C: RCPT TO:<x@y.test>\n"
					       "C: BDAT 2\n"
					       "C- abBDAT 2 LAST<CR><LF>cd\n"
					       "E: rcpt x@y.test\n"
					       "E: blocked\n"
					       "A: 550 5.1.1 Who\n"
					       "S. 550 5.1.1 Who\n"
					       "E: refused chunk\n"
					       "S. 554 5.5.1 No valid recipients\n"
					       "E: refused chunk\n"
					       "S. 503 5.5.1 A BDAT failed, send RSET\n"
					       "E: more\n"},
	{"half a message must not become one",
	 EHLO MAIL "C: BDAT 2\n"
		   "C- ab\n"
		   "C: RCPT TO:<x@y.test>\n"
		   "E: refused chunk\n"
		   "E: refused sequence\n"
		   "S: 503 5.5.1 Send RCPT first\n"
		   "S. 503 5.5.1 A BDAT failed, send RSET\n"},
	{"DATA after BDAT", EHLO MAIL RCPT "C: BDAT 0\n"
					   "E: chunk 0\n"
					   "E: chunk-end\n"
					   "A: 250 2.0.0 Ok\n"
					   "S*\n"
					   "C: DATA\n"
					   "E: refused sequence\n"
					   "S. 503 5.5.1 A message is coming by BDAT\n"
					   "C: RCPT TO:<x@y.test>\n"
					   "E: refused sequence\n"
					   "S. 503 5.5.1 A message is coming by BDAT\n"
					   "C: BDAT 0 LAST\n"
					   "E: chunk 0 last\n" TAKEN},
	{"without CHUNKING", "C: HELO c.test\n"
			     "E: hello HELO c.test\n"
			     "H-\n"
			     "S*\n" MAIL RCPT "C: BDAT 6 LAST\n"
			     "C: QUIT\n"
			     "E: refused chunk\n"
			     "S. 503 5.5.1 CHUNKING was not offered\n"},
};

#define PLAYS(topic)                                                                   \
	static void test_##topic(void **state)                                         \
	{                                                                              \
		(void)state;                                                           \
		server_dialogue_play(topic##_rows, COUNT(topic##_rows));               \
	}

PLAYS(data)
PLAYS(chunk)
PLAYS(chunk_fault)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_chunk),
		cmocka_unit_test(test_chunk_fault),
	};

	return cmocka_run_group_tests_name("smtp server: body", tests, NULL, NULL);
}
