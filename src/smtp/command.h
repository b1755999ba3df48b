/*
 * command: one command line, cut into its verb and its argument (RFC 5321 4.1.1).
 * Thread: any. Never allocates; the spans borrow from the line.
 */
#ifndef EVENPOST_SMTP_COMMAND_H
#define EVENPOST_SMTP_COMMAND_H

#include "base/span.h"

#include <stdint.h>

enum smtp_verb {
	SMTP_EHLO,
	SMTP_HELO,
	SMTP_LHLO,
	SMTP_MAIL,
	SMTP_RCPT,
	SMTP_DATA,
	SMTP_BDAT,
	SMTP_RSET,
	SMTP_NOOP,
	SMTP_QUIT,
	SMTP_VRFY,
	SMTP_EXPN,
	SMTP_HELP,
	SMTP_TURN,
	SMTP_ETRN,
	SMTP_STARTTLS_COMMAND,
	SMTP_AUTH_COMMAND,
	SMTP_XCLIENT_COMMAND,
	SMTP_XFORWARD_COMMAND,
	SMTP_UNKNOWN,
	SMTP_VERB_COUNT
};

/* Bytes of a line with its CRLF: RFC 5321's 512, and what the extensions add to it. */
#define SMTP_COMMAND_LINE_MAX 2048
/* Of AUTH and of each line of its exchange (RFC 4954 4). */
#define SMTP_AUTH_LINE_MAX 12288

struct smtp_command {
	enum smtp_verb verb;
	struct span word;     /* the verb as it was written */
	struct span argument; /* what follows it, without blanks at both ends */
};

/*
 * line: without its CRLF. False where it holds an octet below 0x20 or 0x7f: such a line
 * is no command. The verb of MAIL and RCPT ends before FROM: and TO:, which, with
 * blanks around them tolerated, are not part of the argument; where they are missing
 * the argument is empty and .at NULL.
 */
bool smtp_command_read(struct span line, struct smtp_command *command);

/* "MAIL", "RCPT" …; "-" for SMTP_UNKNOWN. */
struct span smtp_verb_name(enum smtp_verb verb);

/*
 * Whether the first bytes of a client show that it does not speak SMTP: an HTTP request
 * line, or a TLS hello on a plain port.
 */
bool smtp_command_is_foreign(struct span bytes);

/* The argument of BDAT: "1000", "1000 LAST". At most 19 digits. */
bool smtp_command_read_chunk(struct span argument, uint64_t *size, bool *last);

/*
 * The argument of AUTH: mechanism [ SP initial-response ]. initial: .at NULL where
 * there is none; "=" stands for an empty one (RFC 4954 4). Whether it is base64 is not
 * looked at.
 */
bool smtp_command_read_auth(struct span argument, struct span *mechanism,
			    struct span *initial);

/* Whether a name may stand in EHLO: a domain, an address literal, or what clients send
 * instead (underscores, single labels); no blanks, at most 255 bytes, printable ASCII
 * or, from SMTPUTF8 clients, UTF-8. */
bool smtp_command_hello_is_valid(struct span name);

#endif
