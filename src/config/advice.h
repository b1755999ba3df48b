/*
 * advice: set-ups that are legal and a known trap. Each rule is one function and one
 * line of a table; it says what will happen, and what to write instead. Rules about
 * listeners stand in advice_listener.
 * Thread: any. Allocates only what the report does.
 */
#ifndef EVENPOST_CONFIG_ADVICE_H
#define EVENPOST_CONFIG_ADVICE_H

#include "config/settings.h"

void settings_advise(const struct section *root, struct report *report);

#endif
