/*
 * pipe: a kernel pipe that carries bytes from one socket to another without a copy in
 * between (stream_splice_in(), stream_splice_out()), and a pool of spare ones. A pipe
 * that is given back empty is kept, one that still holds bytes is closed: no connection
 * may read what was another's.
 * Owner: one worker. Thread: owner. Allocates in pipe_take().
 */
#ifndef EVENPOST_NET_PIPE_H
#define EVENPOST_NET_PIPE_H

#include "base/list.h"
#include "base/slab.h"

#include <stddef.h>

/* Asked of the kernel, in bytes; it takes memory only for what a pipe holds. */
#define PIPE_SIZE 262144

struct pipe {
	struct list link; /* among the spare ones */
	int read_end;
	int write_end;
	size_t held;     /* bytes in it now */
	size_t capacity; /* bytes; small pieces fill it sooner */
};

struct pipe_pool {
	struct slab pipes;
	struct list spares;
	unsigned spare_count;
	unsigned spare_max;
};

/* spare_max: kept when nobody needs them, with two descriptors each. */
void pipe_pool_init(struct pipe_pool *pool, unsigned spare_max);
/* Every pipe has been put back. */
void pipe_pool_fini(struct pipe_pool *pool);

/*
 * An empty pipe; NULL when there is no descriptor or no memory for one. Its capacity is
 * less than PIPE_SIZE where the user has more than fs.pipe-user-pages-soft in use.
 */
struct pipe *pipe_take(struct pipe_pool *pool);
/* NULL is ignored. */
void pipe_put(struct pipe_pool *pool, struct pipe *pipe);

#endif
