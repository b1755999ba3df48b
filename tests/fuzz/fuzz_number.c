/* Whatever is read as a number fits its bounds; the readers agree on plain digits. */
#include "base/number.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct span text = span_of((const char *)bytes, length);
	unsigned percentage = 0;
	int64_t duration = 0;
	uint64_t number = 0;
	uint64_t size = 0;
	struct rate rate;

	assert(!number_read_duration(text, &duration) || duration >= 0);
	assert(!number_read_percentage(text, &percentage) || percentage <= 100);
	assert(!number_read_rate(text, &rate) || (rate.count && rate.period));
	if (number_read(text, UINT64_MAX, &number) && length <= 24)
		assert(number_read_size(text, &size) && size == number);
	return 0;
}
