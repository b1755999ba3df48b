/*
 * listener_pools: which pools a listener of the settings leads to, by its routes or by
 * its pool, and whom. Thread: any. Never allocates.
 */
#ifndef EVENPOST_CONFIG_LISTENER_POOLS_H
#define EVENPOST_CONFIG_LISTENER_POOLS_H

#include "config/settings.h"

bool listener_leads_to(const struct section *listener, const struct section *pool);
/* Whether a client that has logged in may come there: its login is checked there. */
bool
listener_leads_users_to(const struct section *listener, const struct section *pool);
/* Whether its servers are meant for those: without AUTH they are not set up for it. */
bool
listener_expects_users_in(const struct section *listener, const struct section *pool);
/* Whether a client of the internet may come there, without a login. */
bool
listener_leads_strangers_to(const struct section *listener, const struct section *pool);
/* Whether the pool exists that a listener or a route names; or it names none. */
bool names_known_pool(const struct section *root, const struct section *section);
/* Whether all pools that the listener names exist: any other may be meant by them. */
bool
listener_names_are_known(const struct section *root, const struct section *listener);

/* The pools that it leads to, in the order of the file; behind: NULL for the first. */
const struct section *
listener_next_pool(const struct section *root, const struct section *listener,
		   const struct section *behind);
#define LISTENER_POOLS_EACH(root, listener, pool)                                      \
	for (const struct section *pool = listener_next_pool(root, listener, NULL);    \
	     pool; pool = listener_next_pool(root, listener, pool))

#endif
