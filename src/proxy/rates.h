/*
 * rates: how often each client, and each user whom clients have logged in as, may do
 * something at one listener. A table for each rate that the listener has, in which all
 * workers count; of IPv6 a /64 is one client, and a user is one in either case.
 *
 * Owner: the listener's tally. Thread: any; what takes a session: its owner. Allocates
 * in rates_init() alone.
 */
#ifndef EVENPOST_PROXY_RATES_H
#define EVENPOST_PROXY_RATES_H

#include "config/snapshot.h"
#include "policy/rate_table.h"

struct session;

struct rates {
	struct rate_table tables[LISTENER_RATE_COUNT];
};

/* rates_fini() is due even after STATUS_NO_MEMORY. */
MUST_CHECK enum status
rates_init(struct rates *rates, const struct listener_snapshot *listener);
void rates_fini(struct rates *rates);

/* Once more for the client; false, uncounted: that is too often. */
bool rates_take(struct rates *rates, enum listener_rate which,
		const struct endpoint *client);
/* Whether it would be true; nothing is counted. */
bool
rates_may(struct rates *rates, enum listener_rate which, const struct endpoint *client);

/*
 * One more message, or recipient, of the session's client, and of the user that it has
 * logged in as. False: that is too often, and the slot is answered. It is not counted
 * then, but for the client's address where two sessions of one user come at once.
 */
bool rates_let_message(struct session *session, uint32_t slot);
bool rates_let_recipient(struct session *session, uint32_t slot, struct span mailbox);

#endif
