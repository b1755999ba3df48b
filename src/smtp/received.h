/*
 * received: the line that says where a message came from and who took it (RFC 5321
 * 4.4), laid out as Postfix does:
 *
 *     Received: from HELO (NAME [ADDRESS])
 *             (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)
 *             by HOSTNAME with ESMTPS id ID
 *             for <RECIPIENT>; Wed, 25 Nov 2026 02:00:00 +0000
 *
 * Nothing in it is as the client sent it unless it is harmless: no octet that ends a
 * line, a comment or a clause gets through.
 * Thread: any. Never allocates.
 */
#ifndef EVENPOST_SMTP_RECEIVED_H
#define EVENPOST_SMTP_RECEIVED_H

#include "smtp/origin.h"

#include <stdint.h>

#define SMTP_RECEIVED_MAX 1000 /* bytes, with the last CRLF */

/*
 * hostname: ours, 1 to 255 bytes. recipient: a mailbox without < >; empty: no "for". It
 * is left out as well where it is no printable ASCII, over 256 bytes long, or does not
 * fit; so is the comment about TLS, and an id over 64 bytes. seconds: since 1970, UTC,
 * before the year 10000. Returns the length.
 */
size_t smtp_received_print(const struct smtp_origin *origin, struct span hostname,
			   struct span recipient, int64_t seconds,
			   char room[SMTP_RECEIVED_MAX]);

#endif
