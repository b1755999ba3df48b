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
/* Payload of a lump: bytes. */
#define CHAIN_LUMP_SIZE 65536

struct chain_spares {
	struct list blocks;
	uint32_t count;
	uint32_t max; /* kept for reuse; more are freed */
};

struct chain_pool {
	struct chain_spares blocks;
	struct chain_spares lumps;
	uint32_t used; /* blocks and lumps in chains now */
};

struct chain {
	struct chain_pool *pool;
	struct list blocks;
	uint64_t start; /* offset of the first byte still held */
	uint64_t end;   /* offset behind the last byte appended */
};

/* spare_max: blocks kept for reuse, and as much again in lumps. */
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
 * A lump is CHAIN_LUMP_SIZE bytes to read into, which, when they are full, a chain of
 * the same pool can take over without a copy. The caller's, until it is appended or put
 * back. NULL when memory is out.
 */
char *chain_lump_take(struct chain_pool *pool);
void chain_lump_put(struct chain_pool *pool, char *lump);
void chain_append_lump(struct chain *chain, char *lump);

/*
 * Points up to max vectors at the bytes from offset on, at most limit bytes of them.
 * Returns how many vectors were filled. chain_start() <= offset <= chain_end().
 */
int chain_gather(const struct chain *chain, uint64_t offset, uint64_t limit,
		 struct iovec *vectors, int max);

/* Lets go of whole blocks before the offset. chain_start() moves up to it. */
void chain_discard(struct chain *chain, uint64_t offset);

#endif
