/*
 * reply: SMTP replies, read from a server and written to a client (RFC 5321 4.2).
 *
 *     Reply-line = *( Reply-code "-" [ textstring ] CRLF )
 *                  Reply-code [ SP textstring ] CRLF
 *     Reply-code = %x32-35 %x30-35 %x30-39
 *
 * Thread: any. The reader allocates nothing.
 */
#ifndef EVENPOST_SMTP_REPLY_H
#define EVENPOST_SMTP_REPLY_H

#include "base/buffer.h"
#include "base/span.h"

#include <stdint.h>

struct smtp_reply {
	unsigned code;    /* 200 to 559 */
	struct span text; /* its lines with codes, CRLF between them, none at the end */
};

/* A reply of our own from a literal "451 4.3.2 text"; lines are parted by CRLF. */
#define SMTP_REPLY(literal)                                                            \
	((struct smtp_reply){((literal)[0] - '0') * 100u +                             \
				     ((literal)[1] - '0') * 10u +                      \
				     ((literal)[2] - '0'),                             \
			     SPAN(literal)})

#define SMTP_REPLY_LINE_MAX 4096 /* bytes of one line that are accepted, with CRLF */
#define SMTP_REPLY_LINES_MAX 100
#define SMTP_REPLY_BYTES_MAX 65536 /* of a whole reply */

enum smtp_reply_result {
	SMTP_REPLY_COMPLETE,
	SMTP_REPLY_MORE,   /* unfinished: call again with these bytes and more */
	SMTP_REPLY_BROKEN, /* no reply, or over a limit: the connection is useless */
};

/* How much of an unfinished reply has been looked at. Zeroed: at the start of one. */
struct smtp_reply_reader {
	uint32_t scanned; /* bytes of complete lines already checked */
	uint16_t lines;
	uint16_t code;
};

/*
 * Reads one reply from the front of *input. COMPLETE: *input is moved behind it and
 * reply->text borrows from it. A bare CR or LF, NUL, a changed code, a code outside the
 * grammar, or a limit passed is BROKEN. LF alone never ends a line.
 */
enum smtp_reply_result smtp_reply_read(struct smtp_reply_reader *reader,
				       struct span *input, struct smtp_reply *reply);

/* A reply from a text that is known to be one: "250 2.1.0 Ok". */
struct smtp_reply smtp_reply_of(struct span text);

/*
 * Appends it for a client: printable ASCII alone (others become '?'), at most 512 bytes
 * a line with its CRLF, at most SMTP_REPLY_LINES_MAX lines.
 * STATUS_FULL, STATUS_NO_MEMORY.
 */
MUST_CHECK enum status
smtp_reply_print(const struct smtp_reply *reply, struct buffer *output);

/* The enhanced status code of the first line (RFC 2034). */
struct smtp_enhanced {
	uint16_t class; /* 0: there is none */
	uint16_t subject;
	uint16_t detail;
};
struct smtp_enhanced smtp_reply_enhanced(const struct smtp_reply *reply);
bool smtp_reply_has_enhanced(const struct smtp_reply *reply, unsigned class,
			     unsigned subject, unsigned detail);

static inline bool
smtp_reply_is_positive(const struct smtp_reply *reply)
{
	return reply->code < 300;
}

static inline bool
smtp_reply_is_transient(const struct smtp_reply *reply)
{
	return reply->code >= 400 && reply->code < 500;
}

static inline bool
smtp_reply_is_permanent(const struct smtp_reply *reply)
{
	return reply->code >= 500;
}

/*
 * The name under which the server has the message, from the reply to its data, as
 * Postfix, Exim, OpenSMTPD, Sendmail, Exchange, Haraka and Dovecot's LMTP write it; the
 * table in reply.c has their marks. Empty where none is recognised.
 */
struct span smtp_reply_queue_id(const struct smtp_reply *reply);

/* The first line, with code, without CRLF: for logs. */
struct span smtp_reply_first_line(const struct smtp_reply *reply);

/*
 * Of it code and enhanced status code alone: for logs where the text may repeat what
 * nobody may see.
 */
struct span smtp_reply_status(const struct smtp_reply *reply);

/* Cuts the next line, with code, without CRLF, from what is left of a reply's text. */
struct span smtp_reply_cut_line(struct span *rest);

#endif
