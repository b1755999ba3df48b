/*
 * crosscheck: errors that no single key shows: references to pools, addresses used
 * twice, the open relay that nobody meant, an admin port without a token. Thread: any.
 * Allocates only what the report does.
 */
#ifndef EVENPOST_CONFIG_CROSSCHECK_H
#define EVENPOST_CONFIG_CROSSCHECK_H

#include "config/settings.h"

void settings_crosscheck(const struct section *root, struct report *report);

/* Whether any address of the listener is neither loopback nor private. */
bool listener_is_public(const struct section *listener);
/* Whether the pool's servers take evenpost for the client. */
bool pool_hides_client(const struct section *pool);

#endif
