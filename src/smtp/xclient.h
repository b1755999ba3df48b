/*
 * xclient: XCLIENT and XFORWARD, Postfix' commands that tell a server who the client is
 * (XCLIENT_README, XFORWARD_README):
 *
 *     command   = ( "XCLIENT" / "XFORWARD" ) 1*( SP name "=" xtext ) CRLF
 *
 * A server announces in its EHLO reply which names it takes; it hears of no others.
 * Thread: any. Allocates nothing, apart from what is appended to the output.
 */
#ifndef EVENPOST_SMTP_XCLIENT_H
#define EVENPOST_SMTP_XCLIENT_H

#include "base/buffer.h"
#include "smtp/origin.h"

#include <stdint.h>

/* LOGIN, DESTADDR and DESTPORT are XCLIENT's alone, IDENT and SOURCE XFORWARD's. */
enum smtp_attribute {
	SMTP_ATTRIBUTE_NAME = 1 << 0,
	SMTP_ATTRIBUTE_ADDR = 1 << 1,
	SMTP_ATTRIBUTE_PORT = 1 << 2,
	SMTP_ATTRIBUTE_PROTO = 1 << 3,
	SMTP_ATTRIBUTE_HELO = 1 << 4,
	SMTP_ATTRIBUTE_LOGIN = 1 << 5,
	SMTP_ATTRIBUTE_DESTADDR = 1 << 6,
	SMTP_ATTRIBUTE_DESTPORT = 1 << 7,
	SMTP_ATTRIBUTE_IDENT = 1 << 8,
	SMTP_ATTRIBUTE_SOURCE = 1 << 9,
};

enum smtp_attributes_verb { SMTP_ATTRIBUTES_XCLIENT, SMTP_ATTRIBUTES_XFORWARD };

/* What stands behind the keyword in an EHLO line: the names in it that are known. */
uint16_t smtp_attributes_read(struct span text);

/*
 * Appends one command of at most 512 bytes with as many of *left as fit, and takes
 * those out of *left: to be called until it is 0. ADDR comes last of all, as access is
 * judged by it. What the verb does not have, and LOGIN of a client that has not
 * authenticated, is taken out without a word; where nothing is left then, nothing is
 * appended: STATUS_NOT_FOUND. What is not known or is too long is "[UNAVAILABLE]".
 * STATUS_FULL, STATUS_NO_MEMORY: *left is as it was.
 */
MUST_CHECK enum status
smtp_attributes_print(enum smtp_attributes_verb verb, const struct smtp_origin *origin,
		      uint32_t *left, struct buffer *output);

/* Whether it can be told: it is not empty, and not too long when it is encoded. */
bool smtp_attribute_is_tellable(struct span value);

#endif
