/* Bodies whole and byte by byte: the same octets, the same end, always canonical. */
#include "../unit/smtp/body_record.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct span input = span_of((const char *)bytes, length);
	struct body_record whole = body_record_read(input, length);
	struct body_record bytewise = body_record_read(input, 1);

	assert(body_record_equals(&whole, &bytewise));
	assert(body_record_is_canonical(&whole));
	assert(whole.ended == (body_end_of(input) != SPAN_NOWHERE));
	assert(!whole.ended || whole.used == body_end_of(input));
	if (whole.ended && !(whole.faults & SMTP_BODY_BARE))
		assert(span_equals(whole.output, span_take(input, whole.used - 3)));
	body_record_fini(&whole);
	body_record_fini(&bytewise);
	return 0;
}
