/*
 * advice_tls: what is legal in a set-up of TLS but a known trap: keys without effect,
 * ports whose clients expect something else, names that no certificate has.
 * Thread: any. Allocates only what the report does.
 */
#ifndef EVENPOST_CONFIG_ADVICE_TLS_H
#define EVENPOST_CONFIG_ADVICE_TLS_H

#include "config/settings.h"

void tls_advise(const struct section *root, struct report *report);

#endif
