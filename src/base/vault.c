#include "base/vault.h"

#include "base/list.h"
#include "base/log.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

/* Bytes of a chunk, which begins at a multiple of them: so a piece tells its chunk. */
#define CHUNK_SIZE ((size_t)65536)

/* Bytes of a piece: a login as a rule, and one with a token. Larger ones have pages of
   their own. */
static const size_t sizes[] = {256, 4096};
#define SIZE_COUNT (sizeof(sizes) / sizeof(sizes[0]))
#define PAGE_GRAIN 4096

struct hole {
	struct hole *next;
};

struct chunk {
	struct list link; /* of its size, while it has holes */
	struct hole *holes;
	size_t used;
};

static struct {
	pthread_mutex_t mutex;
	struct list chunks[SIZE_COUNT]; /* with holes */
} vault = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* ---- pages ---- */

static void
protect(void *pages, size_t size)
{
	static atomic_bool said;

	(void)madvise(pages, size, MADV_DONTDUMP);
	if (mlock(pages, size) != 0 && !atomic_exchange(&said, true))
		log_message(LOG_WARNING, "memory",
			    "passwords can not be locked into memory, and may be "
			    "swapped to a disk: raise LimitMEMLOCK= (ulimit -l)");
}

/* NULL: out of memory. */
static void *
pages_map(size_t size)
{
	void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return pages == MAP_FAILED ? NULL : pages;
}

/* Twice as much is mapped, and what stands before and behind the chunk given back. */
static struct chunk *
chunk_map(void)
{
	char *pages = pages_map(2 * CHUNK_SIZE);
	size_t before;

	if (!pages)
		return NULL;
	before = -(uintptr_t)pages % CHUNK_SIZE;
	if (before)
		munmap(pages, before);
	munmap(pages + before + CHUNK_SIZE, CHUNK_SIZE - before);
	protect(pages + before, CHUNK_SIZE);
	return (struct chunk *)(void *)(pages + before);
}

/* ---- chunks ---- */

static struct list *
chunks_of(size_t which)
{
	if (!vault.chunks[which].next)
		list_init(&vault.chunks[which]);
	return &vault.chunks[which];
}

static void
add_hole(struct chunk *chunk, void *piece)
{
	struct hole *hole = piece;

	hole->next = chunk->holes;
	chunk->holes = hole;
}

/* The first place is the chunk's own. */
static struct chunk *
chunk_new(size_t which)
{
	struct chunk *chunk = chunk_map();

	if (!chunk)
		return NULL;
	for (size_t at = CHUNK_SIZE - sizes[which]; at > 0; at -= sizes[which])
		add_hole(chunk, (char *)chunk + at);
	list_append(chunks_of(which), &chunk->link);
	return chunk;
}

static void *
piece_take(size_t which)
{
	struct list *chunks = chunks_of(which);
	struct chunk *chunk = list_is_empty(chunks) ? chunk_new(which)
						    : CONTAINER_OF(list_first(chunks),
								   struct chunk, link);
	struct hole *hole;

	if (!chunk)
		return NULL;
	hole = chunk->holes;
	chunk->holes = hole->next;
	chunk->used++;
	if (!chunk->holes)
		list_remove(&chunk->link);
	hole->next = NULL;
	return hole;
}

/* Empty, and not the only one with holes: that is kept. */
static bool
is_needless(const struct chunk *chunk, size_t which)
{
	const struct list *chunks = chunks_of(which);

	return chunk->used == 0 && list_first(chunks)->next != chunks;
}

static void
piece_put(void *piece, size_t which)
{
	struct chunk *chunk =
		(struct chunk *)(void *)((char *)piece - (uintptr_t)piece % CHUNK_SIZE);

	assert(chunk->used > 0);
	if (!chunk->holes)
		list_prepend(chunks_of(which), &chunk->link);
	add_hole(chunk, piece);
	chunk->used--;
	if (!is_needless(chunk, which))
		return;
	list_remove(&chunk->link);
	munmap(chunk, CHUNK_SIZE);
}

/* ---- pieces ---- */

/* SIZE_COUNT: none of them. */
static size_t
size_find(size_t size)
{
	size_t which = 0;

	while (which < SIZE_COUNT && sizes[which] < size)
		which++;
	return which;
}

static void *
large_take(size_t *size)
{
	void *pages;

	*size = (*size + PAGE_GRAIN - 1) / PAGE_GRAIN * PAGE_GRAIN;
	pages = pages_map(*size);
	if (pages)
		protect(pages, *size);
	return pages;
}

void *
vault_take(size_t *size)
{
	size_t which = size_find(*size);
	void *piece;

	if (which == SIZE_COUNT)
		return large_take(size);
	*size = sizes[which];
	pthread_mutex_lock(&vault.mutex);
	piece = piece_take(which);
	pthread_mutex_unlock(&vault.mutex);
	return piece;
}

void
vault_put(void *piece, size_t size)
{
	size_t which = size_find(size);

	if (!piece)
		return;
	explicit_bzero(piece, size);
	if (which == SIZE_COUNT) {
		munmap(piece, size);
		return;
	}
	pthread_mutex_lock(&vault.mutex);
	piece_put(piece, which);
	pthread_mutex_unlock(&vault.mutex);
}
