/*
 * body: message content on its way. The reader takes what a client sends after DATA and
 * gives it back in pieces in canonical wire form: lines end in CRLF, leading dots are
 * stuffed, the end of data is cut off. Only CRLF "." CRLF ends it (RFC 5321 4.1.1.4),
 * or "." CRLF right at the start. Whatever the input, the pieces put together never
 * hold CRLF "." CRLF, do not begin with "." CRLF, hold no bare CR or LF, and end in
 * CRLF or are empty; sent with "." CRLF behind them, no server can find another end in
 * them. The stuffer makes the same form from the octets of BDAT (RFC 3030).
 *
 * Thread: any. Never allocates.
 */
#ifndef EVENPOST_SMTP_BODY_H
#define EVENPOST_SMTP_BODY_H

#include "base/span.h"

#include <stdint.h>

/* What stands behind the canonical form: the end of data. */
#define SMTP_BODY_END SPAN(".\r\n")

/* Seen so far, or'ed. */
enum smtp_body_fault {
	SMTP_BODY_BARE = 1, /* a CR or LF on its own; it has become CRLF */
	SMTP_BODY_NUL = 2,
};

/* State between two octets, see the table in body.c. Zeroed: at the start of a body. */
struct smtp_body_reader {
	uint8_t state;
	uint8_t faults;  /* enum smtp_body_fault */
	uint64_t length; /* octets given out so far */
};

enum smtp_body_result {
	SMTP_BODY_PIECE, /* *piece holds bytes: from the input, or static; call again */
	SMTP_BODY_MORE,  /* *input is used up; the state may hold an octet or two */
	SMTP_BODY_ENDED, /* the end of data was read; *input begins behind it */
};

enum smtp_body_result
smtp_body_read(struct smtp_body_reader *reader, struct span *input, struct span *piece);

/*
 * Octets to wire form. Give it input until it is used up; with last set it also
 * finishes the last line. SMTP_BODY_ENDED comes only with last, when all is given out.
 */
struct smtp_body_stuffer {
	uint8_t state;
	uint8_t faults;
};
enum smtp_body_result
smtp_body_stuff(struct smtp_body_stuffer *stuffer, struct span *input, bool last,
		struct span *piece);

#endif
