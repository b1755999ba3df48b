/*
 * server_dialogue: conversations with smtp_server, a line for each thing that happens:
 *
 *     C: text     the client sends text CRLF
 *     C- text     the client sends text as it stands
 *     C* count x  the client sends that many x
 *     E: event    the next event: "rcpt a@b", "refused sequence", "blocked", "more"
 *     A: reply    the oldest question still open is answered; A2: the second one
 *     H:          the open EHLO is answered: all extensions, SIZE 1000, and AUTH with
 *                 PLAIN, LOGIN and CRAM-MD5
 *     H-:         likewise, HELO
 *     S: line     the next line of output
 *     S. line     likewise, and it is the last so far
 *     S*          whatever output there is
 *     F: reply    the caller says farewell
 *     O: size 10  from here on messages may have 10 bytes
 *     O: reject   from here on bare CR and LF are refused
 *     O: lmtp     this is LMTP
 *     O: tls      offered, or required
 *     O: auth     AUTH may be offered; O: auth-needs-tls: by TLS alone
 *     Q: text     the open AUTH is answered with a challenge
 *     T:          the caller throws its input away and reports a handshake
 *
 * The banner has been sent before, unless the first line is "no banner".
 * <CR>, <LF> and <NUL> stand for these octets. The pieces of a body are one event.
 * Each dialogue is played twice: with its input whole, and byte by byte.
 */
#ifndef TESTS_SMTP_SERVER_DIALOGUE_H
#define TESTS_SMTP_SERVER_DIALOGUE_H

#include "smtp/server.h"

struct server_dialogue {
	const char *name;
	const char *text;
};

/* mx.test, messages of 1000 bytes, 3 recipients, 5 errors, 5 idle commands. */
extern const struct smtp_server_options server_dialogue_options;

/* Fails the test, with the row's name, at the first line that is not as it says. */
void server_dialogue_play(const struct server_dialogue *rows, size_t count);

/* The beginning of most dialogues. */
#define EHLO                                                                           \
	"C: EHLO c.test\n"                                                             \
	"E: hello EHLO c.test\n"                                                       \
	"H:\n"                                                                         \
	"S*\n"
/* One whose answer is looked at. Between the two stands what is ours to offer, and what
   comes last behind them. */
#define EHLO_LISTS                                                                     \
	"C: EHLO c.test\n"                                                             \
	"E: hello EHLO c.test\n"                                                       \
	"H:\n"                                                                         \
	"S: 250-mx.test\n"                                                             \
	"S: 250-PIPELINING\n"                                                          \
	"S: 250-SIZE 1000\n"
#define AND_OF_SERVERS                                                                 \
	"S: 250-ENHANCEDSTATUSCODES\n"                                                 \
	"S: 250-8BITMIME\n"                                                            \
	"S: 250-DSN\n"                                                                 \
	"S: 250-SMTPUTF8\n"
#define STARTTLS                                                                       \
	"C: STARTTLS\n"                                                                \
	"E: starttls\n"                                                                \
	"A: 220 2.0.0 Go\n"                                                            \
	"S. 220 2.0.0 Go\n"                                                            \
	"T:\n"
#define MAIL                                                                           \
	"C: MAIL FROM:<a@b.test>\n"                                                    \
	"E: mail a@b.test\n"                                                           \
	"A: 250 2.1.0 Ok\n"                                                            \
	"S. 250 2.1.0 Ok\n"
#define RCPT                                                                           \
	"C: RCPT TO:<x@y.test>\n"                                                      \
	"E: rcpt x@y.test\n"                                                           \
	"A: 250 2.1.5 Ok\n"                                                            \
	"S. 250 2.1.5 Ok\n"
#define DATA                                                                           \
	"C: DATA\n"                                                                    \
	"E: data\n"                                                                    \
	"A: 354 Go\n"                                                                  \
	"S. 354 Go\n"

#endif
