/*
 * advice_routes: routes that are legal and do nothing.
 * Thread: any. Allocates only what the report does.
 */
#ifndef EVENPOST_CONFIG_ADVICE_ROUTES_H
#define EVENPOST_CONFIG_ADVICE_ROUTES_H

#include "config/settings.h"

void routes_advise(const struct section *root, struct report *report);

#endif
