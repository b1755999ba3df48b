/*
 * histogram: times in microseconds, counted in log-linear buckets: 64 for each power of
 * two, so that what is read from it is at most 1.6 % above what was recorded (Tene's
 * HdrHistogram). Times over HISTOGRAM_MAX count as that.
 * Owner: the struct it is embedded in. Thread: owner. Never allocates.
 */
#ifndef EVENPOST_TOOLS_HISTOGRAM_H
#define EVENPOST_TOOLS_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BITS 6 /* of precision */
#define HISTOGRAM_OCTAVES 30
#define HISTOGRAM_BUCKETS ((HISTOGRAM_OCTAVES + 1) << HISTOGRAM_BITS)
#define HISTOGRAM_MAX ((UINT64_C(1) << (HISTOGRAM_OCTAVES + HISTOGRAM_BITS)) - 1)

/* Zeroed: empty. */
struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS];
	uint64_t total;
	uint64_t sum;
	uint64_t min;
	uint64_t max;
};

void histogram_record(struct histogram *histogram, uint64_t microseconds);

/*
 * The smallest recorded time (as the buckets know it) which at least this share of all
 * does not exceed; 0 where nothing was recorded. share: 0 to 1.
 */
uint64_t histogram_quantile(const struct histogram *histogram, double share);

#endif
