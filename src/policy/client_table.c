#include "policy/client_table.h"

#include <stdlib.h>

#define PROBES 16
#define COUNT_BITS 24
#define COUNT_MASK (((uint64_t)1 << COUNT_BITS) - 1)

enum status
client_table_init(struct client_table *table, uint32_t clients)
{
	uint64_t size = 64;

	while (size < (uint64_t)clients * 4)
		size *= 2;
	table->words = calloc(size, sizeof(*table->words));
	table->mask = size - 1;
	return table->words ? STATUS_OK : STATUS_NO_MEMORY;
}

void
client_table_fini(struct client_table *table)
{
	free(table->words);
	table->words = NULL;
}

/* Never zero, so that a free word is never taken for a client's. */
static uint64_t
tag_of(uint64_t hash)
{
	uint64_t tag = hash >> COUNT_BITS << COUNT_BITS;

	return tag ? tag : COUNT_MASK + 1;
}

static _Atomic uint64_t *
word_at(struct client_table *table, uint64_t hash, unsigned probe)
{
	return &table->words[(hash * 0x9e3779b97f4a7c15u + probe) & table->mask];
}

/* The client's word, or NULL. */
static _Atomic uint64_t *
find(struct client_table *table, uint64_t hash)
{
	for (unsigned probe = 0; probe < PROBES; probe++) {
		_Atomic uint64_t *word = word_at(table, hash, probe);
		uint64_t value = atomic_load_explicit(word, memory_order_relaxed);

		if ((value & ~COUNT_MASK) == tag_of(hash) && (value & COUNT_MASK))
			return word;
	}
	return NULL;
}

/* Counts up a word that is the client's already. *full: it has max. */
static bool
count_up(_Atomic uint64_t *word, uint64_t tag, uint32_t max, bool *full)
{
	uint64_t value = atomic_load_explicit(word, memory_order_relaxed);

	do {
		if ((value & ~COUNT_MASK) != tag || !(value & COUNT_MASK))
			return false;
		*full = (value & COUNT_MASK) >= max;
		if (*full)
			return true;
	} while (!atomic_compare_exchange_weak(word, &value, value + 1));
	return true;
}

static bool
take_free_word(struct client_table *table, uint64_t hash)
{
	for (unsigned probe = 0; probe < PROBES; probe++) {
		uint64_t nobody = 0;

		if (atomic_compare_exchange_strong(word_at(table, hash, probe), &nobody,
						   tag_of(hash) | 1))
			return true;
	}
	return false;
}

bool
client_table_enter(struct client_table *table, uint64_t hash, uint32_t max)
{
	_Atomic uint64_t *word = find(table, hash);
	bool full = false;

	if (word && count_up(word, tag_of(hash), max, &full))
		return !full;
	if (max == 0)
		return false;
	take_free_word(table, hash);
	return true;
}

/* False: the word is somebody else's by now. */
static bool
count_down(_Atomic uint64_t *word, uint64_t tag)
{
	uint64_t value = atomic_load_explicit(word, memory_order_relaxed);
	uint64_t left;

	do {
		if ((value & ~COUNT_MASK) != tag || !(value & COUNT_MASK))
			return false;
		left = (value & COUNT_MASK) == 1 ? 0 : value - 1;
	} while (!atomic_compare_exchange_weak(word, &value, left));
	return true;
}

void
client_table_leave(struct client_table *table, uint64_t hash)
{
	_Atomic uint64_t *word = find(table, hash);

	/* one that counts for two words may have lost the first to another's leaving */
	while (word && !count_down(word, tag_of(hash)))
		word = find(table, hash);
}
