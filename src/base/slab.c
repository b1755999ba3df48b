#include "base/slab.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* AddressSanitizer cannot see that a recycled object is not in use: it is told. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_POISON
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SLAB_POISON
#endif
#ifdef SLAB_POISON
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

/* Bytes of a chunk, about; but a chunk has at least OBJECTS_MIN objects. */
#define CHUNK_SIZE 32768
#define OBJECTS_MIN 8

#define ALIGNMENT _Alignof(max_align_t)

struct slab_hole {
	struct slab_hole *next;
};

struct slab_chunk {
	struct slab_chunk *next;
	_Alignas(max_align_t) char objects[];
};

void
slab_init(struct slab *slab, size_t size)
{
	assert(size > 0);
	size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	*slab = (struct slab){.size = size};
}

void
slab_fini(struct slab *slab)
{
	while (slab->chunks) {
		struct slab_chunk *chunk = slab->chunks;

		slab->chunks = chunk->next;
		free(chunk);
	}
	slab_init(slab, slab->size);
}

static void
add_hole(struct slab *slab, void *object)
{
	struct slab_hole *hole = object;

	hole->next = slab->holes;
	slab->holes = hole;
	ASAN_POISON_MEMORY_REGION(hole, slab->size);
}

static struct slab_hole *
remove_hole(struct slab *slab)
{
	struct slab_hole *hole = slab->holes;

	ASAN_UNPOISON_MEMORY_REGION(hole, slab->size);
	slab->holes = hole->next;
	return hole;
}

static void
add_chunk(struct slab *slab)
{
	size_t count = CHUNK_SIZE / slab->size;
	struct slab_chunk *chunk;

	if (count < OBJECTS_MIN)
		count = OBJECTS_MIN;
	chunk = malloc(sizeof(*chunk) + count * slab->size);
	if (!chunk)
		return;
	chunk->next = slab->chunks;
	slab->chunks = chunk;
	/* From the back, so that objects are taken in the order of their addresses. */
	while (count--)
		add_hole(slab, chunk->objects + count * slab->size);
}

void *
slab_take(struct slab *slab)
{
	void *object;

	if (!slab->holes)
		add_chunk(slab);
	if (!slab->holes)
		return NULL;
	object = remove_hole(slab);
	slab->used++;
	return memset(object, 0, slab->size);
}

void
slab_put(struct slab *slab, void *object)
{
	if (!object)
		return;
	assert(slab->used > 0);
	slab->used--;
	add_hole(slab, object);
}
