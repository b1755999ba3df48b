/* The sending side: replies whole and byte by byte, same steps and same replies. */
#include "client_record.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct span input = span_of((const char *)bytes, length);
	struct buffer whole, bytewise;

	buffer_init(&whole, CLIENT_RECORD_MAX);
	buffer_init(&bytewise, CLIENT_RECORD_MAX);
	client_record(input, length + 1, &whole);
	client_record(input, 1, &bytewise);
	assert(span_equals(buffer_span(&whole), buffer_span(&bytewise)));
	buffer_clear(&whole);
	buffer_clear(&bytewise);
	return 0;
}
