#include "base/seqlock.h"

#include <assert.h>
#include <string.h>

/*
 * Words are released and acquired one by one, so that no fence is needed: who has seen
 * a new word sees the odd version, too.
 */

#define WORD sizeof(uint64_t)

static size_t
word_bytes(size_t size, size_t at)
{
	return size - at < WORD ? size - at : WORD;
}

bool
seqlock_begin(struct seqlock *lock, uint32_t version)
{
	return !(version & 1) && atomic_compare_exchange_strong_explicit(
					 &lock->version, &version, version + 1,
					 memory_order_acquire, memory_order_relaxed);
}

void
seqlock_end(struct seqlock *lock)
{
	uint32_t version = atomic_load_explicit(&lock->version, memory_order_relaxed);

	assert(version & 1);
	atomic_store_explicit(&lock->version, version + 1, memory_order_release);
}

void
seqlock_store(_Atomic uint64_t *words, const void *value, size_t size)
{
	for (size_t at = 0; at < size; at += WORD) {
		uint64_t word = 0;

		memcpy(&word, (const char *)value + at, word_bytes(size, at));
		atomic_store_explicit(&words[at / WORD], word, memory_order_release);
	}
}

bool
seqlock_try_load(const struct seqlock *lock, const _Atomic uint64_t *words, void *value,
		 size_t size, uint32_t *version)
{
	*version = seqlock_version(lock);
	for (size_t at = 0; at < size; at += WORD) {
		uint64_t word =
			atomic_load_explicit(&words[at / WORD], memory_order_acquire);

		memcpy((char *)value + at, &word, word_bytes(size, at));
	}
	return !(*version & 1) &&
	       *version == atomic_load_explicit(&lock->version, memory_order_relaxed);
}

void
seqlock_load(const struct seqlock *lock, const _Atomic uint64_t *words, void *value,
	     size_t size)
{
	uint32_t version;

	while (!seqlock_try_load(lock, words, value, size, &version))
		;
}
