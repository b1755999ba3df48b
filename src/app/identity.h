/*
 * identity: who the process is. Started as root, it becomes the configured user for
 * good. Thread: control, before others are started (setuid must hold for all of them).
 */
#ifndef EVENPOST_APP_IDENTITY_H
#define EVENPOST_APP_IDENTITY_H

#include "base/span.h"
#include "base/status.h"

/* user: empty, or not root: nothing to do. STATUS_DENIED, with a log line, on failure.
 */
MUST_CHECK enum status identity_drop(struct span user);

#endif
