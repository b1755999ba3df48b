/*
 * client_table: how many connections each client address has now, counted by all
 * workers without a lock. A fixed table of words; a client lives in one of the PROBES
 * places that its hash names. Where all of them are taken by others the client is not
 * counted (it is let in: the table is made four times as large as the connections it
 * can see). Two first connections of one client in the same instant may take two
 * places; its limit is then reached late by at most that one. Owner: the listener's
 * tally. Thread: any. Allocates in client_table_init() alone.
 */
#ifndef EVENPOST_POLICY_CLIENT_TABLE_H
#define EVENPOST_POLICY_CLIENT_TABLE_H

#include "base/status.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct client_table {
	_Atomic uint64_t *words; /* tag in the upper 40 bits, count in the lower 24 */
	uint64_t mask;
};

/* clients: how many can be there at once. STATUS_NO_MEMORY. */
MUST_CHECK enum status client_table_init(struct client_table *table, uint32_t clients);
void client_table_fini(struct client_table *table);

/* Counts one more for the client with this hash; false, uncounted, when it has max. */
bool client_table_enter(struct client_table *table, uint64_t hash, uint32_t max);
void client_table_leave(struct client_table *table, uint64_t hash);

#endif
