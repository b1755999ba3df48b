#include "policy/rate_table.h"

#include <stdlib.h>

#define PROBES 16
#define TIME_BITS 44
#define TIME_MASK (((uint64_t)1 << TIME_BITS) - 1)

enum status
rate_table_init(struct rate_table *table, const struct rate *rate, uint32_t clients,
		const struct siphash_key *key)
{
	uint64_t size = 64;

	*table = (struct rate_table){0};
	if (rate->count == 0)
		return STATUS_OK;
	while (size < (uint64_t)clients * 4)
		size *= 2;
	table->words = calloc(size, sizeof(*table->words));
	table->key = *key;
	table->mask = size - 1;
	table->period = (uint64_t)rate->period * 1000;
	table->step = table->period / rate->count;
	if (table->step == 0)
		table->step = 1;
	return table->words ? STATUS_OK : STATUS_NO_MEMORY;
}

void
rate_table_fini(struct rate_table *table)
{
	free(table->words);
	table->words = NULL;
}

/* Never zero, so that a word that nobody has had yet is nobody's. */
static uint64_t
tag_of(uint64_t hash)
{
	uint64_t tag = hash >> TIME_BITS << TIME_BITS;

	return tag ? tag : TIME_MASK + 1;
}

/* µs that a word owes; the clock of 44 bits comes round in 203 days, and what would be
   owed for longer than a period is of the round before. */
static uint64_t
owed(const struct rate_table *table, uint64_t word, uint64_t now)
{
	uint64_t left = (word - now) & TIME_MASK;

	return word && left <= table->period ? left : 0;
}

/* The client's word, or one that owes nothing, or NULL. *tag: what marks it as his. */
static _Atomic uint64_t *
find(struct rate_table *table, struct span client, uint64_t now, uint64_t *tag)
{
	uint64_t hash = siphash(&table->key, client);
	_Atomic uint64_t *spare = NULL;

	*tag = tag_of(hash);
	for (unsigned probe = 0; probe < PROBES; probe++) {
		_Atomic uint64_t *word = &table->words[(hash + probe) & table->mask];
		uint64_t value = atomic_load_explicit(word, memory_order_relaxed);
		bool owes = owed(table, value, now) > 0;

		if (owes && (value & ~TIME_MASK) == *tag)
			return word;
		if (!owes && !spare)
			spare = word;
	}
	return spare;
}

bool
rate_table_take(struct rate_table *table, struct span client, uint64_t now)
{
	uint64_t tag = 0;
	_Atomic uint64_t *word =
		rate_table_is_off(table) ? NULL : find(table, client, now, &tag);
	uint64_t value;

	if (!word)
		return true;
	value = atomic_load_explicit(word, memory_order_relaxed);
	for (;;) {
		uint64_t due = owed(table, value, now);

		/* another client was faster to take the spare word: this one may */
		if (due > 0 && (value & ~TIME_MASK) != tag)
			return true;
		if (due + table->step > table->period)
			return false;
		uint64_t next = tag | ((now + due + table->step) & TIME_MASK);

		if (atomic_compare_exchange_weak(word, &value, next))
			return true;
	}
}

bool
rate_table_may(struct rate_table *table, struct span client, uint64_t now)
{
	uint64_t tag = 0;
	_Atomic uint64_t *word =
		rate_table_is_off(table) ? NULL : find(table, client, now, &tag);
	uint64_t value;

	if (!word)
		return true;
	value = atomic_load_explicit(word, memory_order_relaxed);
	return (value & ~TIME_MASK) != tag ||
	       owed(table, value, now) + table->step <= table->period;
}
