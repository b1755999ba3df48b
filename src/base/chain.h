/*
 * chain: a byte queue in blocks, addressed by absolute offsets. Bytes are appended at
 * chain_end(); readers keep offsets of their own, so that the same bytes can be read
 * again, until chain_discard() lets go of what lies before an offset. Blocks come from
 * a pool that belongs to one worker and keeps a bounded number of spare ones.
 * Owner: the struct it is embedded in. Thread: owner. Allocates on append.
 */
#ifndef EVENPOST_BASE_CHAIN_H
#define EVENPOST_BASE_CHAIN_H

#include "base/list.h"
#include "base/span.h"
#include "base/status.h"

#include <stdint.h>
#include <sys/uio.h>

/* Payload and header of a block together: bytes. */
#define CHAIN_BLOCK_SIZE 16384

struct chain_pool {
	struct list spare;
	uint32_t spare_count;
	uint32_t spare_max; /* blocks kept for reuse; more are freed */
	uint32_t used;      /* blocks in chains now */
};

struct chain {
	struct chain_pool *pool;
	struct list blocks;
	uint64_t start; /* offset of the first byte still held */
	uint64_t end;   /* offset behind the last byte appended */
};

void chain_pool_init(struct chain_pool *pool, uint32_t spare_max);
/* Every chain of the pool must be cleared before. */
void chain_pool_fini(struct chain_pool *pool);

void chain_init(struct chain *chain, struct chain_pool *pool);
/* Gives every block back; start and end become 0. */
void chain_clear(struct chain *chain);

static inline uint64_t
chain_start(const struct chain *chain)
{
	return chain->start;
}

static inline uint64_t
chain_end(const struct chain *chain)
{
	return chain->end;
}

/* All or nothing. STATUS_NO_MEMORY. */
MUST_CHECK enum status chain_append(struct chain *chain, struct span bytes);

/*
 * Points up to max vectors at the bytes from offset on, at most limit bytes of them.
 * Returns how many vectors were filled. chain_start() <= offset <= chain_end().
 */
int chain_gather(const struct chain *chain, uint64_t offset, uint64_t limit,
		 struct iovec *vectors, int max);

/* Lets go of whole blocks before the offset. chain_start() moves up to it. */
void chain_discard(struct chain *chain, uint64_t offset);

#endif
