/* Fields counted whole and byte by byte are as many as a search finds. */
#include "smtp/hops.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct span rest = span_of((const char *)bytes, length);
	struct smtp_hops whole = {0};
	struct smtp_hops bytewise = {0};
	uint32_t count = 0;
	bool done = false;

	smtp_hops_take(&whole, rest);
	for (size_t i = 0; i < length; i++)
		smtp_hops_take(&bytewise, span_of(rest.at + i, 1));
	while (!done && !span_is_empty(rest)) {
		bool ended = span_find(rest, '\n') != SPAN_NOWHERE;
		struct span line = span_cut(&rest, '\n');

		done = ended && (span_is_empty(line) || span_equals(line, SPAN("\r")));
		count += span_starts_nocase(line, SPAN("received:"));
	}
	assert(whole.count == count && whole.done == done);
	assert(bytewise.count == count && bytewise.done == done);
	return 0;
}
