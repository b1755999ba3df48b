/*
 * crosscheck: errors that no single key shows: references to pools, addresses used
 * twice, the open relay that nobody meant, a mode and a pool that cannot work together,
 * an admin port without a token. Thread: any. Allocates only what the report does.
 */
#ifndef EVENPOST_CONFIG_CROSSCHECK_H
#define EVENPOST_CONFIG_CROSSCHECK_H

#include "config/settings.h"

void settings_crosscheck(const struct section *root, struct report *report);

/* Whether any address of the listener is neither loopback nor private. */
bool listener_is_public(const struct section *listener);
bool listener_passes_connections(const struct section *listener);
/* Unless all who use it pass connections on, a pool gets messages. */
bool pool_takes_messages(const struct section *root, const struct section *pool);
/* Whether the pool's servers take evenpost for the client. */
bool pool_hides_client(const struct section *pool);

#endif
