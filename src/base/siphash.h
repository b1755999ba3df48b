/*
 * siphash: SipHash-2-4 (Aumasson and Bernstein, 2012): a hash with a key. Who does not
 * know the key can neither choose bytes that meet others in a table, nor find out where
 * they are in it. Thread: any. Never allocates.
 */
#ifndef EVENPOST_BASE_SIPHASH_H
#define EVENPOST_BASE_SIPHASH_H

#include "base/span.h"

#include <stdint.h>

struct siphash_key {
	uint64_t words[2];
};

uint64_t siphash(const struct siphash_key *key, struct span bytes);

#endif
