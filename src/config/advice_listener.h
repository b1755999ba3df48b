/*
 * advice_listener: the rules of advice that look at one listener: keys without effect
 * in its mode, time-outs, trust in proxies. Thread: any. Allocates only what the report
 * does.
 */
#ifndef EVENPOST_CONFIG_ADVICE_LISTENER_H
#define EVENPOST_CONFIG_ADVICE_LISTENER_H

#include "config/settings.h"

void listener_advise(const struct section *root, const struct section *listener,
		     struct report *report);

#endif
