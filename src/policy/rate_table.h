/*
 * rate_table: how often each client may do something, counted by all workers without a
 * lock: the generic cell rate algorithm (ITU-T I.371), which keeps of each client the
 * time at which it would be even. A fixed table of words; a client lives in one of the
 * PROBES places that its hash names, as long as it owes time. Where all of them are
 * taken by others that owe, the client is not counted: it may. Two in the same places
 * whose tags are alike, one pair in a million, count as one: the hash has a key, so
 * that nobody can choose to be another's pair. Owner: the listener's tally. Thread:
 * any. Allocates in rate_table_init() alone.
 */
#ifndef EVENPOST_POLICY_RATE_TABLE_H
#define EVENPOST_POLICY_RATE_TABLE_H

#include "base/number.h"
#include "base/siphash.h"
#include "base/status.h"

#include <stdatomic.h>

struct rate_table {
	_Atomic uint64_t *words; /* tag in the upper 20 bits, µs in the lower 44 */
	struct siphash_key key;
	uint64_t mask;
	uint64_t step;   /* µs that one time costs */
	uint64_t period; /* µs that may be owed */
};

/*
 * rate: of count 0: everything may. clients: that can owe time at once. key: random,
 * and told to nobody.
 */
MUST_CHECK enum status
rate_table_init(struct rate_table *table, const struct rate *rate, uint32_t clients,
		const struct siphash_key *key);
void rate_table_fini(struct rate_table *table);

/* Everything may: nobody need be named. */
static inline bool
rate_table_is_off(const struct rate_table *table)
{
	return !table->words;
}

/*
 * Once more for this client; false, uncounted, where it was more often than the rate
 * allows: its count at once, and then evenly. now: µs, monotonic.
 */
bool rate_table_take(struct rate_table *table, struct span client, uint64_t now);
/* Whether it would be true; nothing is counted. */
bool rate_table_may(struct rate_table *table, struct span client, uint64_t now);

#endif
