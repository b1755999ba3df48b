/*
 * fleet: a pool of servers for tests, that are up from the start, and a journal of the
 * lines that were logged. Owner: the test. Thread: owner.
 */
#ifndef EVENPOST_TESTS_FLEET_H
#define EVENPOST_TESTS_FLEET_H

#include "balance/group.h"
#include "balance/pool.h"

#define FLEET_NOW 1000000

struct fleet {
	struct pool *pool;
	struct server **servers; /* the pool's */
	uint32_t count;
};

/* What differs from one server to the next. Zeroes: weight 0, preference 0. */
struct fleet_server {
	uint32_t weight;
	uint32_t preference;
	uint32_t max_connections;
};

/* Not probed, no slow start, nothing ejects. */
extern const struct server_rules fleet_rules;

/* Servers "s0", "s1" … */
void
fleet_open(struct fleet *fleet, const char *strategy, const struct server_rules *rules,
	   const struct fleet_server *servers, uint32_t count);
/* The same with nothing but weights. */
void fleet_open_weights(struct fleet *fleet, const char *strategy,
			const uint32_t *weights, uint32_t count);
void fleet_close(struct fleet *fleet);

/* One pick at FLEET_NOW; fails the test unless it gives a server. Returns its index. */
uint32_t fleet_pick(struct fleet *fleet, uint64_t key, uint64_t chance);
/* The same, and puts it back at once. */
uint32_t fleet_visit(struct fleet *fleet, uint64_t key, uint64_t chance);

/* Lines logged since the last call are in text; returns how many. */
unsigned fleet_journal(char *text, size_t size);

#endif
