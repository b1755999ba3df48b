/*
 * arena: bump allocation, freed all at once. Suits texts that live as long as one mail
 * transaction or one configuration. A zeroed struct is a valid empty arena and holds
 * no memory.
 * Owner: the struct it is embedded in. Thread: owner. Allocates.
 */
#ifndef EVENPOST_BASE_ARENA_H
#define EVENPOST_BASE_ARENA_H

#include "base/span.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* the one in use first */
	size_t total;               /* bytes handed out */
};

/* Aligned for any type, zeroed. NULL when memory is out. */
void *arena_take(struct arena *arena, size_t size);

/* A copy that lives as long as the arena. .at is NULL when memory is out. */
struct span arena_copy(struct arena *arena, struct span bytes);

/* The same with a NUL behind it, for libc's door. NULL when memory is out. */
char *arena_string(struct arena *arena, struct span bytes);

/* Frees everything; the arena is empty and usable again. */
void arena_reset(struct arena *arena);

#endif
