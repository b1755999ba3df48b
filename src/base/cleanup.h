/*
 * cleanup: locals that are released when their block is left.
 * Thread: owner.
 */
#ifndef EVENPOST_BASE_CLEANUP_H
#define EVENPOST_BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

static inline void
cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void
cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define AUTO_FREE __attribute__((cleanup(cleanup_free)))
#define AUTO_CLOSE __attribute__((cleanup(cleanup_close)))

#endif
