/*
 * slab: objects of one size, recycled by the worker that owns it. Keeps what was ever
 * in use at once, so that a busy minute does not fragment the heap.
 * Owner: one worker. Thread: owner. Allocates chunks of objects.
 */
#ifndef EVENPOST_BASE_SLAB_H
#define EVENPOST_BASE_SLAB_H

#include <stddef.h>
#include <stdint.h>

struct slab_chunk;
struct slab_hole;

struct slab {
	size_t size; /* bytes of one object, rounded up */
	struct slab_hole *holes;
	struct slab_chunk *chunks;
	uint32_t used; /* objects in use now */
};

/* size: bytes of one object. */
void slab_init(struct slab *slab, size_t size);
/* Frees every chunk, whatever is in use. */
void slab_fini(struct slab *slab);

/* A zeroed object; NULL when memory is out. */
void *slab_take(struct slab *slab);
/* NULL is ignored. */
void slab_put(struct slab *slab, void *object);

#endif
