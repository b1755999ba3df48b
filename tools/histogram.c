#include "tools/histogram.h"

#include <assert.h>

/*
 * Below 2^BITS each value has a bucket of its own. Above, the value's highest BITS + 1
 * bits choose the bucket: its octave, and where in the octave it is.
 */
static unsigned
bucket_of(uint64_t value)
{
	unsigned octave;

	if (value < UINT64_C(1) << HISTOGRAM_BITS)
		return (unsigned)value;
	octave = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_BITS;
	return ((octave + 1) << HISTOGRAM_BITS) + (unsigned)(value >> octave) -
	       (1u << HISTOGRAM_BITS);
}

/* The largest value that falls into it. */
static uint64_t
bucket_end(unsigned bucket)
{
	unsigned octave = bucket >> HISTOGRAM_BITS;
	uint64_t place = bucket & ((1u << HISTOGRAM_BITS) - 1);

	if (octave == 0)
		return place;
	return ((place + 1 + (UINT64_C(1) << HISTOGRAM_BITS)) << (octave - 1)) - 1;
}

void
histogram_record(struct histogram *histogram, uint64_t microseconds)
{
	uint64_t value = microseconds < HISTOGRAM_MAX ? microseconds : HISTOGRAM_MAX;

	histogram->counts[bucket_of(value)]++;
	if (histogram->total == 0 || value < histogram->min)
		histogram->min = value;
	if (value > histogram->max)
		histogram->max = value;
	histogram->sum += value;
	histogram->total++;
}

uint64_t
histogram_quantile(const struct histogram *histogram, double share)
{
	double wanted = share * (double)histogram->total;
	uint64_t seen = 0;

	assert(share >= 0 && share <= 1);
	for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
		uint64_t end = bucket_end(bucket);

		seen += histogram->counts[bucket];
		if (seen > 0 && (double)seen >= wanted)
			return end < histogram->max ? end : histogram->max;
	}
	return histogram->max;
}
