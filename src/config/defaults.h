/*
 * defaults: fills in what follows from other keys or from the machine: the host name,
 * the pool of a single route, the intervals of probes, the cap of a server. Thread:
 * owner of the arena. Allocates in the arena.
 */
#ifndef EVENPOST_CONFIG_DEFAULTS_H
#define EVENPOST_CONFIG_DEFAULTS_H

#include "base/status.h"
#include "config/settings.h"

MUST_CHECK enum status settings_complete(struct section *root, struct arena *arena);

#endif
