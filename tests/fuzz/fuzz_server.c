/* The receiving side: input whole and byte by byte, same events and same output. */
#include "server_record.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct span input = span_of((const char *)bytes, length);
	struct buffer whole, bytewise;

	buffer_init(&whole, SERVER_RECORD_MAX);
	buffer_init(&bytewise, SERVER_RECORD_MAX);
	server_record(input, length + 1, &whole);
	server_record(input, 1, &bytewise);
	assert(span_equals(buffer_span(&whole), buffer_span(&bytewise)));
	buffer_clear(&whole);
	buffer_clear(&bytewise);
	return 0;
}
