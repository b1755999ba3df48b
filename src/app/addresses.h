/*
 * addresses: keeps the addresses of servers that are configured by host name: asks DNS,
 * asks again when the answer's time is over, and tells the server; what clients need of
 * the machine to reach it there is asked for then. A server keeps the
 * address it has while that is still among the answers, and when DNS does not answer.
 * Owner: the control thread. Thread: owner. Allocates.
 */
#ifndef EVENPOST_APP_ADDRESSES_H
#define EVENPOST_APP_ADDRESSES_H

#include "config/snapshot.h"
#include "net/loop.h"

struct addresses;
struct resolver;

/* The resolver and the snapshot must outlive it. Without host names nothing is asked.
 */
MUST_CHECK enum status
addresses_open(struct addresses **addresses, struct loop *loop,
	       struct resolver *resolver, struct snapshot *snapshot);
void addresses_close(struct addresses *addresses);

#endif
