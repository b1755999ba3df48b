/*
 * check: all that can be said about a configuration before it is used: it is read,
 * completed, cross-checked and commented on, and the report is in the order of the
 * lines. Thread: owner of the arena. Allocates in the arena.
 */
#ifndef EVENPOST_CONFIG_CHECK_H
#define EVENPOST_CONFIG_CHECK_H

#include "base/status.h"
#include "config/settings.h"

/* A whole file into the arena; STATUS_INVALID, with a report, where it can't be read.
 */
MUST_CHECK enum status settings_load(const char *path, struct arena *arena,
				     struct report *report, struct span *text);

/* STATUS_OK: without errors. STATUS_INVALID: the report has some. */
MUST_CHECK enum status settings_check(struct span text, struct arena *arena,
				      struct report *report, struct section **root);

#endif
