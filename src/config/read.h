/*
 * read: walks a YAML tree along the rows of the key table and makes settings of it. All
 * errors are found in one go, each with its place, its path and, where a word is near,
 * what was probably meant.
 * Thread: owner of the arena. Allocates in the arena.
 */
#ifndef EVENPOST_CONFIG_READ_H
#define EVENPOST_CONFIG_READ_H

#include "base/status.h"
#include "config/settings.h"

/*
 * STATUS_OK: *root is complete, whatever the report says; ask it for errors before the
 * values are used. STATUS_INVALID: not even YAML. The text is borrowed during the call.
 */
MUST_CHECK enum status settings_read(struct span text, struct arena *arena,
				     struct report *report, struct section **root);

#endif
