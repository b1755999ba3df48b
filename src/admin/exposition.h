/*
 * exposition: writes the text format of Prometheus (0.0.4), one family of metrics after
 * another. Owner: its caller. Thread: owner. Allocates in the buffer.
 */
#ifndef EVENPOST_ADMIN_EXPOSITION_H
#define EVENPOST_ADMIN_EXPOSITION_H

#include "base/buffer.h"

struct exposition {
	struct buffer *text;
	enum status status; /* of the first write that failed; later ones do nothing */
	const char *family;
};

struct label {
	const char *name;
	struct span value; /* escaped here */
};

/* Times that were counted, not cumulated. */
struct histogram {
	const uint32_t *bounds; /* milliseconds, of all buckets but the last */
	unsigned bucket_count;
	const uint64_t *buckets;
	uint64_t sum_us;
};

void exposition_init(struct exposition *exposition, struct buffer *text);

/* type: "counter", "gauge", "histogram". help: one line. name: must stay. */
void exposition_begin(struct exposition *exposition, const char *name, const char *type,
		      const char *help);

/* Samples of the family that was begun last. */
void exposition_count(struct exposition *exposition, const struct label *labels,
		      unsigned label_count, uint64_t value);
void exposition_real(struct exposition *exposition, const struct label *labels,
		     unsigned label_count, double value);
void exposition_histogram(struct exposition *exposition, const struct label *labels,
			  unsigned label_count, const struct histogram *histogram);

#endif
