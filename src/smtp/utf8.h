/*
 * utf8: whether octets are UTF-8 as RFC 3629 has it: no overlong forms, no surrogates,
 * nothing above U+10FFFF.
 * Thread: any. Never allocates.
 */
#ifndef EVENPOST_SMTP_UTF8_H
#define EVENPOST_SMTP_UTF8_H

#include "base/span.h"

/* Octets of the character at the front, 1 to 4; 0 where there is none. */
size_t utf8_character_length(struct span text);

bool utf8_is_valid(struct span text);

#endif
