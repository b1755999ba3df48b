/*
 * seqlock: a value that threads read while another one writes it, without a lock: a
 * version that is odd during a write, and the value in atomic words beside it. A reader
 * that sees the version move has read nothing and tries again. Of several writers one
 * gets in; the others are told so and leave the value alone.
 * Owner: the struct that both are embedded in. Thread: any. Never allocates.
 */
#ifndef EVENPOST_BASE_SEQLOCK_H
#define EVENPOST_BASE_SEQLOCK_H

#include "base/status.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A zeroed one is ready. */
struct seqlock {
	_Atomic uint32_t version;
};

/* The words that hold a value of so many bytes. */
#define SEQLOCK_WORDS(size) (((size) + 7) / 8)

/* What seqlock_begin() goes on from; odd: somebody is writing. */
static inline uint32_t
seqlock_version(const struct seqlock *lock)
{
	return atomic_load_explicit(&lock->version, memory_order_acquire);
}

/*
 * Begins a write, unless another thread is writing or has written since that version:
 * then false, and nothing is to be stored.
 */
MUST_CHECK bool seqlock_begin(struct seqlock *lock, uint32_t version);
void seqlock_end(struct seqlock *lock);
/* Between the two. */
void seqlock_store(_Atomic uint64_t *words, const void *value, size_t size);

/*
 * One attempt to read. True: *value is what the version stands for. False: it was being
 * written, and *value is of no use.
 */
MUST_CHECK bool
seqlock_try_load(const struct seqlock *lock, const _Atomic uint64_t *words, void *value,
		 size_t size, uint32_t *version);
/* Until one succeeds: a writer is done after a few stores. */
void seqlock_load(const struct seqlock *lock, const _Atomic uint64_t *words,
		  void *value, size_t size);

#endif
