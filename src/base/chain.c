#include "base/chain.h"

#include <assert.h>
#include <stdlib.h>

struct block {
	struct list link;
	struct chain_spares *home;
	uint64_t start; /* the chain's offset of bytes[0] */
	uint64_t
		room; /* of bytes; less where another block follows a part-filled one */
	char bytes[];
};

#define BLOCK_ROOM (CHAIN_BLOCK_SIZE - sizeof(struct block))

static struct block *
block_of(struct list *link)
{
	return CONTAINER_OF(link, struct block, link);
}

static uint64_t
block_end(const struct block *block)
{
	return block->start + block->room;
}

static void
spares_init(struct chain_spares *spares, uint32_t max)
{
	*spares = (struct chain_spares){.max = max};
	list_init(&spares->blocks);
}

void
chain_pool_init(struct chain_pool *pool, uint32_t spare_max)
{
	*pool = (struct chain_pool){.used = 0};
	spares_init(&pool->blocks, spare_max);
	spares_init(&pool->lumps, spare_max / (CHAIN_LUMP_SIZE / CHAIN_BLOCK_SIZE));
}

static void
spares_fini(struct chain_spares *spares)
{
	LIST_EACH (&spares->blocks, link)
		free(block_of(link));
	spares_init(spares, spares->max);
}

void
chain_pool_fini(struct chain_pool *pool)
{
	assert(pool->used == 0);
	spares_fini(&pool->blocks);
	spares_fini(&pool->lumps);
}

/* room: the same for all of these spares. */
static struct block *
spares_take(struct chain_spares *spares, size_t room)
{
	struct list *link = list_first(&spares->blocks);
	struct block *block;

	if (link) {
		list_remove(link);
		spares->count--;
		block = block_of(link);
	} else {
		block = malloc(sizeof(*block) + room);
	}
	if (block)
		*block = (struct block){.home = spares, .room = room};
	return block;
}

static void
spares_put(struct block *block)
{
	struct chain_spares *spares = block->home;

	if (spares->count >= spares->max) {
		free(block);
		return;
	}
	list_prepend(&spares->blocks, &block->link);
	spares->count++;
}

static struct block *
block_take(struct chain_pool *pool)
{
	struct block *block = spares_take(&pool->blocks, BLOCK_ROOM);

	if (block)
		pool->used++;
	return block;
}

static void
block_put(struct chain_pool *pool, struct block *block)
{
	assert(pool->used > 0);
	pool->used--;
	spares_put(block);
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

static struct block *
lump_block(char *lump)
{
	return CONTAINER_OF(lump, struct block, bytes);
}

char *
chain_lump_take(struct chain_pool *pool)
{
	struct block *block = spares_take(&pool->lumps, CHAIN_LUMP_SIZE);

	return block ? block->bytes : NULL;
}

void
chain_lump_put(struct chain_pool *pool, char *lump)
{
	assert(lump_block(lump)->home == &pool->lumps);
	spares_put(lump_block(lump));
}

void
chain_append_lump(struct chain *chain, char *lump)
{
	struct list *last = list_last(&chain->blocks);
	struct block *block = lump_block(lump);

	assert(block->home == &chain->pool->lumps);
	/* what the last block does not hold yet, it never will */
	if (last)
		block_of(last)->room = chain->end - block_of(last)->start;
	block->start = chain->end;
	list_append(&chain->blocks, &block->link);
	chain->pool->used++;
	chain->end += CHAIN_LUMP_SIZE;
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
