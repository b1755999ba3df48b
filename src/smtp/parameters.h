/*
 * parameters: what may follow the path of MAIL and RCPT (RFC 5321 4.1.2, RFC 1870,
 * 6152, 6531, 3461, 4954, 8689).
 *
 *     Mail-parameters  = esmtp-param *( SP esmtp-param )
 *     esmtp-param      = esmtp-keyword [ "=" esmtp-value ]
 *     xtext            = *( xchar / "+" 2HEXDIG )           (RFC 3461 4)
 *
 * Thread: any. Never allocates; the spans borrow from the input.
 */
#ifndef EVENPOST_SMTP_PARAMETERS_H
#define EVENPOST_SMTP_PARAMETERS_H

#include "base/buffer.h"
#include "base/span.h"
#include "smtp/extensions.h"

#include <stdint.h>

enum smtp_body_type { SMTP_BODY_UNSTATED, SMTP_BODY_7BIT, SMTP_BODY_8BITMIME };

struct smtp_parameters {
	struct span text; /* all of them, as received, without blanks at both ends */
	uint32_t needs;   /* enum smtp_extension: what a server must have for it */
	uint64_t size;    /* SIZE=, bytes; 0: not given */
	enum smtp_body_type body;
	struct span envid; /* as xtext; empty: not given */
};

enum smtp_parameters_result {
	SMTP_PARAMETERS_OK,
	SMTP_PARAMETERS_UNKNOWN,   /* 555 5.5.4: unknown, or known and not offered */
	SMTP_PARAMETERS_MALFORMED, /* 501 5.5.4: bad value, bad xtext, given twice */
};

/* offered: what the client was offered in EHLO; nothing after HELO. */
enum smtp_parameters_result
smtp_parameters_read_mail(struct span text, struct smtp_extensions offered,
			  struct smtp_parameters *parameters);
enum smtp_parameters_result
smtp_parameters_read_rcpt(struct span text, struct smtp_extensions offered,
			  struct smtp_parameters *parameters);

/*
 * Appends to a command for a server, each with a blank before it, those that the server
 * can take: SIZE and BODY are left out where it does not know them, the others are in
 * .needs and the server was chosen accordingly. AUTH= is never passed on (RFC 4954 5).
 * text: as received. STATUS_FULL, STATUS_NO_MEMORY.
 */
MUST_CHECK enum status
smtp_parameters_print(struct span text, struct smtp_extensions server,
		      struct buffer *output);

/* RFC 3461 4: whether it is xtext whose decoded octets are all printable. */
bool smtp_xtext_is_valid(struct span text);

#endif
