#include "base/chain.h"

#include <assert.h>
#include <stdlib.h>

struct block {
	struct list link;
	uint64_t start; /* the chain's offset of bytes[0] */
	char bytes[CHAIN_BLOCK_SIZE - sizeof(struct list) - sizeof(uint64_t)];
};

#define BLOCK_ROOM sizeof(((struct block *)0)->bytes)

_Static_assert(sizeof(struct block) == CHAIN_BLOCK_SIZE, "no padding in a block");

static struct block *
block_of(struct list *link)
{
	return CONTAINER_OF(link, struct block, link);
}

static uint64_t
block_end(const struct block *block)
{
	return block->start + BLOCK_ROOM;
}

void
chain_pool_init(struct chain_pool *pool, uint32_t spare_max)
{
	*pool = (struct chain_pool){.spare_max = spare_max};
	list_init(&pool->spare);
}

void
chain_pool_fini(struct chain_pool *pool)
{
	assert(pool->used == 0);
	LIST_EACH (&pool->spare, link)
		free(block_of(link));
	chain_pool_init(pool, pool->spare_max);
}

static struct block *
block_take(struct chain_pool *pool)
{
	struct list *link = list_first(&pool->spare);
	struct block *block;

	if (link) {
		list_remove(link);
		pool->spare_count--;
		block = block_of(link);
	} else {
		block = malloc(sizeof(*block));
	}
	if (block)
		pool->used++;
	return block;
}

static void
block_put(struct chain_pool *pool, struct block *block)
{
	assert(pool->used > 0);
	pool->used--;
	if (pool->spare_count >= pool->spare_max) {
		free(block);
		return;
	}
	list_prepend(&pool->spare, &block->link);
	pool->spare_count++;
}

static void
blocks_put(struct chain_pool *pool, struct list *blocks)
{
	LIST_EACH (blocks, link) {
		list_remove(link);
		block_put(pool, block_of(link));
	}
}

/* Enough blocks for the bytes, or none. */
static enum status
blocks_take(struct chain_pool *pool, struct list *blocks, size_t bytes)
{
	size_t count = bytes / BLOCK_ROOM + (bytes % BLOCK_ROOM != 0);

	while (count--) {
		struct block *block = block_take(pool);

		if (!block) {
			blocks_put(pool, blocks);
			return STATUS_NO_MEMORY;
		}
		list_append(blocks, &block->link);
	}
	return STATUS_OK;
}

void
chain_init(struct chain *chain, struct chain_pool *pool)
{
	*chain = (struct chain){.pool = pool};
	list_init(&chain->blocks);
}

void
chain_clear(struct chain *chain)
{
	blocks_put(chain->pool, &chain->blocks);
	chain->start = chain->end = 0;
}

/* Bytes that still fit into the last block. */
static size_t
tail_room(const struct chain *chain)
{
	struct list *last = list_last(&chain->blocks);

	return last ? block_end(block_of(last)) - chain->end : 0;
}

static void
fill_tail(struct chain *chain, struct span bytes)
{
	struct block *block = block_of(list_last(&chain->blocks));

	memcpy(block->bytes + (chain->end - block->start), bytes.at, bytes.length);
	chain->end += bytes.length;
}

enum status
chain_append(struct chain *chain, struct span bytes)
{
	struct span head = span_take(bytes, tail_room(chain));
	struct list fresh;

	list_init(&fresh);
	bytes = span_skip(bytes, head.length);
	if (blocks_take(chain->pool, &fresh, bytes.length) != STATUS_OK)
		return STATUS_NO_MEMORY;
	if (!span_is_empty(head))
		fill_tail(chain, head);
	LIST_EACH (&fresh, link) {
		list_remove(link);
		list_append(&chain->blocks, link);
		block_of(link)->start = chain->end;
		head = span_take(bytes, BLOCK_ROOM);
		fill_tail(chain, head);
		bytes = span_skip(bytes, head.length);
	}
	return STATUS_OK;
}

/* The block that holds the offset; walks from the end, near which readers are. */
static struct list *
seek(const struct chain *chain, uint64_t offset)
{
	struct list *link = chain->blocks.previous;

	while (link != &chain->blocks && block_of(link)->start > offset)
		link = link->previous;
	return link;
}

int
chain_gather(const struct chain *chain, uint64_t offset, uint64_t limit,
	     struct iovec *vectors, int max)
{
	uint64_t end = limit < chain->end - offset ? offset + limit : chain->end;
	struct list *link;
	int count = 0;

	assert(chain->start <= offset && offset <= chain->end);
	for (link = seek(chain, offset); offset < end && count < max;
	     link = link->next) {
		struct block *block = block_of(link);
		uint64_t stop = end < block_end(block) ? end : block_end(block);

		vectors[count].iov_base = block->bytes + (offset - block->start);
		vectors[count].iov_len = stop - offset;
		count++;
		offset = stop;
	}
	return count;
}

void
chain_discard(struct chain *chain, uint64_t offset)
{
	assert(chain->start <= offset && offset <= chain->end);
	chain->start = offset;
	LIST_EACH (&chain->blocks, link) {
		struct block *block = block_of(link);

		/* Nothing is kept of an empty chain: idle sessions hold no blocks. */
		if (block_end(block) > offset && offset < chain->end)
			return;
		list_remove(link);
		block_put(chain->pool, block);
	}
}
