/*
 * crosscheck_routes: errors of routes that no single key shows: a pool that is not
 * there, a condition that cannot be looked at, or is none.
 * Thread: any. Allocates only what the report does.
 */
#ifndef EVENPOST_CONFIG_CROSSCHECK_ROUTES_H
#define EVENPOST_CONFIG_CROSSCHECK_ROUTES_H

#include "config/settings.h"

void routes_crosscheck(const struct section *root, struct report *report);

#endif
