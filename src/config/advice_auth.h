/*
 * advice_auth: advice about AUTH: secrets that go in clear, keys without effect.
 * Thread: any. Allocates only what the report does.
 */
#ifndef EVENPOST_CONFIG_ADVICE_AUTH_H
#define EVENPOST_CONFIG_ADVICE_AUTH_H

#include "config/settings.h"

void auth_advise(const struct section *root, struct report *report);

#endif
