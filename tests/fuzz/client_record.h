/* client_record: what smtp_client makes of a server's bytes, written down. */
#ifndef TESTS_FUZZ_CLIENT_RECORD_H
#define TESTS_FUZZ_CLIENT_RECORD_H

#include "base/buffer.h"

#define CLIENT_RECORD_MAX (1u << 22)

/* piece: bytes of input that are shown more at a time. */
void client_record(struct span input, size_t piece, struct buffer *record);

#endif
