/*
 * base64: RFC 4648 4, strictly: whole groups of four, padding at the end alone, and no
 * bits that the padding leaves over. What can be decoded has one spelling.
 * Thread: any. Never allocates.
 */
#ifndef EVENPOST_SMTP_BASE64_H
#define EVENPOST_SMTP_BASE64_H

#include "base/span.h"

/* Bytes of the text for so many octets, and the most octets that a text stands for. */
#define BASE64_ENCODED(length) (((length) + 2) / 3 * 4)
#define BASE64_DECODED_MAX(length) ((length) / 4 * 3)

/* Nothing at all is base64 as well. */
bool base64_is_valid(struct span text);

/* room: for BASE64_DECODED_MAX() octets. False where it is not base64. */
bool base64_decode(struct span text, char *room, size_t *length);

/* room: for BASE64_ENCODED() bytes; no NUL is written. */
void base64_encode(struct span octets, char *room);

#endif
