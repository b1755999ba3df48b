/* What is read and printed is read again as the same. */
#include "base/endpoint.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	char text[ENDPOINT_TEXT_MAX];
	struct endpoint endpoint;
	struct endpoint again;

	if (!endpoint_read(span_of((const char *)bytes, length), &endpoint))
		return 0;
	assert(endpoint_read(span_of(text, endpoint_print(&endpoint, text)), &again));
	assert(endpoint_equals(&endpoint, &again));
	assert(endpoint_hash_address(&endpoint) == endpoint_hash_address(&again));
	return 0;
}
