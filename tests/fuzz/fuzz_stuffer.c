/* Octets stuffed whole and byte by byte; unstuffed, they are the original's lines. */
#include "../unit/smtp/body_record.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct span input = span_of((const char *)bytes, length);
	struct body_record whole = body_record_stuff(input, length + 1);
	struct body_record bytewise = body_record_stuff(input, 1);
	char *normal = malloc(2 * length + 2);
	size_t size = body_normalize(input, normal);

	assert(body_record_equals(&whole, &bytewise) &&
	       body_record_is_canonical(&whole));
	if (size && normal[size - 1] != '\n') {
		memcpy(normal + size, "\r\n", 2);
		size += 2;
	}
	assert(body_unstuff(whole.storage, whole.output.length) == size);
	assert(!memcmp(whole.storage, normal, size));
	body_record_fini(&whole);
	body_record_fini(&bytewise);
	free(normal);
	return 0;
}
