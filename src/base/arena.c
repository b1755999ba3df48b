#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * Bytes of a chunk's payload: doubled from the smaller to the larger. With its header
 * the smaller one is what malloc() keeps for its thread, without a look at its arena.
 */
#define CHUNK_MIN 960
#define CHUNK_MAX 16384

#define ALIGNMENT _Alignof(max_align_t)

struct arena_chunk {
	struct arena_chunk *next;
	size_t size; /* of bytes */
	size_t used;
	_Alignas(max_align_t) char bytes[];
};

static size_t
chunk_size(const struct arena_chunk *previous, size_t wanted)
{
	size_t size = previous ? previous->size * 2 : CHUNK_MIN;

	if (size > CHUNK_MAX)
		size = CHUNK_MAX;
	return size > wanted ? size : wanted;
}

static bool
chunk_add(struct arena *arena, size_t wanted)
{
	size_t size = chunk_size(arena->chunks, wanted);
	struct arena_chunk *chunk;

	if (size > SIZE_MAX - sizeof(*chunk))
		return false;
	chunk = malloc(sizeof(*chunk) + size);
	if (!chunk)
		return false;
	*chunk = (struct arena_chunk){.next = arena->chunks, .size = size};
	arena->chunks = chunk;
	return true;
}

void *
arena_take(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk;
	void *taken;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	chunk = arena->chunks;
	if (!chunk || chunk->size - chunk->used < size) {
		if (!chunk_add(arena, size))
			return NULL;
		chunk = arena->chunks;
	}
	taken = memset(chunk->bytes + chunk->used, 0, size);
	chunk->used += size;
	arena->total += size;
	return taken;
}

struct span
arena_copy(struct arena *arena, struct span bytes)
{
	char *copy = arena_take(arena, bytes.length);

	if (!copy)
		return span_of(NULL, 0);
	if (bytes.length)
		memcpy(copy, bytes.at, bytes.length);
	return span_of(copy, bytes.length);
}

char *
arena_string(struct arena *arena, struct span bytes)
{
	char *string;

	if (bytes.length == SIZE_MAX)
		return NULL;
	string = arena_take(arena, bytes.length + 1);
	if (string && bytes.length)
		memcpy(string, bytes.at, bytes.length);
	return string;
}

void
arena_reset(struct arena *arena)
{
	while (arena->chunks) {
		struct arena_chunk *chunk = arena->chunks;

		arena->chunks = chunk->next;
		free(chunk);
	}
	arena->total = 0;
}
