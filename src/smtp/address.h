/*
 * address: the paths of MAIL and RCPT (RFC 5321 4.1.2, RFC 6531 3.3):
 *
 *     Reverse-path   = Path / "<>"
 *     Forward-path   = Path; RCPT takes "<Postmaster>" too
 *     Path           = "<" [ A-d-l ":" ] Mailbox ">"
 *     A-d-l          = At-domain *( "," At-domain )
 *     Mailbox        = Local-part "@" ( Domain / address-literal )
 *     Local-part     = Dot-string / Quoted-string
 *
 * Octets are forwarded as they came, a source route apart, which is dropped. Nothing is
 * decoded or folded here; domains compare through smtp_domain_equals().
 * Thread: any. The spans borrow from the input. Nothing is allocated, but for the
 * moment in which libidn2 maps a U-label.
 */
#ifndef EVENPOST_SMTP_ADDRESS_H
#define EVENPOST_SMTP_ADDRESS_H

#include "base/span.h"

#define SMTP_PATH_MAX 1000 /* bytes between < and >; RFC 5321 says 256, route apart */
#define SMTP_LOCAL_PART_MAX 256 /* RFC 5321 says 64; longer ones exist */
#define SMTP_DOMAIN_MAX 255

struct smtp_path {
	struct span mailbox; /* without < > and the source route; empty for <> */
	struct span local;   /* with its quotes */
	struct span domain;  /* behind the last unquoted @; literals with [ ]; may be
				empty for <> and <Postmaster> */
	bool utf8;           /* holds octets above 0x7f */
	bool quoted;         /* the local part is a Quoted-string */
	bool literal;        /* the domain is an address literal */
	bool routed;         /* a source route was dropped */
};

enum smtp_path_kind { SMTP_REVERSE_PATH, SMTP_FORWARD_PATH };

/*
 * Reads a path from the front of *input and moves it behind the ">". An address without
 * < > is tolerated where no blank is in it, as MTAs do. False: malformed, and
 * *input has not moved.
 */
bool
smtp_path_read(struct span *input, enum smtp_path_kind kind, struct smtp_path *path);

/* Case, one trailing dot, U-labels and A-labels (RFC 3492) make no difference. */
bool smtp_domain_equals(struct span a, struct span b);

/*
 * The domain as it is compared: lower case, A-labels, no trailing dot. Returns its
 * length in text, 0 where it does not fit or is no domain.
 */
size_t smtp_domain_normalize(struct span domain, char text[SMTP_DOMAIN_MAX + 1]);

#endif
