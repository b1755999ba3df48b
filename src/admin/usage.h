/*
 * usage: what this process takes of the machine, as /proc says.
 * Thread: any. Allocates only where the kernel is older than 6.2.
 */
#ifndef EVENPOST_ADMIN_USAGE_H
#define EVENPOST_ADMIN_USAGE_H

#include <stdbool.h>
#include <stdint.h>

struct usage {
	double cpu_seconds; /* of all threads, user and system */
	uint64_t threads;
	uint64_t virtual_bytes;
	uint64_t resident_bytes;
	uint64_t open_descriptors;
	uint64_t max_descriptors;
	int64_t started; /* milliseconds since 1970; to a hundredth of a second */
};

/* False when /proc does not say. */
bool usage_read(struct usage *usage);

#endif
