#include "net/pipe.h"

#include <assert.h>
#include <fcntl.h>
#include <unistd.h>

void
pipe_pool_init(struct pipe_pool *pool, unsigned spare_max)
{
	*pool = (struct pipe_pool){.spare_max = spare_max};
	slab_init(&pool->pipes, sizeof(struct pipe));
	list_init(&pool->spares);
}

static void
pipe_free(struct pipe_pool *pool, struct pipe *pipe)
{
	close(pipe->read_end);
	close(pipe->write_end);
	slab_put(&pool->pipes, pipe);
}

static struct pipe *
spare_take(struct pipe_pool *pool)
{
	struct list *first = list_first(&pool->spares);

	if (!first)
		return NULL;
	list_remove(first);
	pool->spare_count--;
	return CONTAINER_OF(first, struct pipe, link);
}

void
pipe_pool_fini(struct pipe_pool *pool)
{
	struct pipe *pipe;

	while ((pipe = spare_take(pool)))
		pipe_free(pool, pipe);
	assert(pool->pipes.used == 0);
	slab_fini(&pool->pipes);
}

static size_t
enlarge(int fd)
{
	int size = fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE);

	/* not granted: a pipe of any size will do */
	if (size < 0)
		size = fcntl(fd, F_GETPIPE_SZ);
	assert(size > 0);
	return (size_t)size;
}

static struct pipe *
pipe_new(struct pipe_pool *pool)
{
	struct pipe *pipe = slab_take(&pool->pipes);
	int ends[2];

	if (!pipe)
		return NULL;
	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0) {
		slab_put(&pool->pipes, pipe);
		return NULL;
	}
	pipe->read_end = ends[0];
	pipe->write_end = ends[1];
	pipe->capacity = enlarge(pipe->write_end);
	return pipe;
}

struct pipe *
pipe_take(struct pipe_pool *pool)
{
	struct pipe *pipe = spare_take(pool);

	return pipe ? pipe : pipe_new(pool);
}

void
pipe_put(struct pipe_pool *pool, struct pipe *pipe)
{
	if (!pipe)
		return;
	if (pipe->held > 0 || pool->spare_count == pool->spare_max) {
		pipe_free(pool, pipe);
		return;
	}
	/* in front: the pages that were used last are the warm ones */
	list_prepend(&pool->spares, &pipe->link);
	pool->spare_count++;
}
