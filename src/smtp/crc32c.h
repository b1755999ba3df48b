/*
 * crc32c: the checksum of iSCSI and SCTP (Castagnoli's polynomial; RFC 3720 12.1 and
 * appendix B.4), over bytes that may come in pieces.
 * Thread: any. Never allocates.
 */
#ifndef EVENPOST_SMTP_CRC32C_H
#define EVENPOST_SMTP_CRC32C_H

#include "base/span.h"

#include <stdint.h>

/* Of all that came before, whose checksum is given, and these bytes. 0: none came. */
uint32_t crc32c_extend(uint32_t sum, struct span bytes);

#endif
