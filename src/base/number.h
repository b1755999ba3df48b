/*
 * number: integers, durations, sizes, rates and percentages read from spans, with
 * bounds and without surprises: the whole span must be the number, overflow is a
 * failure, no sign is accepted.
 * Thread: any. Never allocates.
 */
#ifndef EVENPOST_BASE_NUMBER_H
#define EVENPOST_BASE_NUMBER_H

#include "base/span.h"

#include <stdint.h>

/* Decimal digits only, value <= max. */
bool number_read(struct span text, uint64_t max, uint64_t *value);

/* "250ms", "5s", "2m", "1h", "1d", and "0" -> milliseconds. */
bool number_read_duration(struct span text, int64_t *milliseconds);

/* "512", "64k", "10m", "1g" (powers of 1024, either case) -> bytes. */
bool number_read_size(struct span text, uint64_t *bytes);

/* "100/s", "20/m", "500/h": count, at least 1, per period in milliseconds. */
struct rate {
	uint64_t count;
	int64_t period;
};
bool number_read_rate(struct span text, struct rate *rate);

/* "50%" -> 50; 0 to 100. */
bool number_read_percentage(struct span text, unsigned *percentage);

#endif
