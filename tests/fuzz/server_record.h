/*
 * server_record: what smtp_server makes of an input, written down, so that two ways of
 * feeding it can be compared. Questions are answered by their slot's number and by
 * events alone, so that the answers do not depend on how the input was cut either.
 * What follows STARTTLS counts as sent through TLS: how much of it came early enough to
 * be thrown away would be a matter of how it was cut.
 */
#ifndef TESTS_FUZZ_SERVER_RECORD_H
#define TESTS_FUZZ_SERVER_RECORD_H

#include "base/buffer.h"

#define SERVER_RECORD_MAX (1u << 20)

/* piece: bytes of input that are shown more at a time, whenever the server asks. */
void server_record(struct span input, size_t piece, struct buffer *record);

#endif
