/*
 * identity: who the process is. Started as root, it becomes the configured user for
 * good. Of root's rights it keeps none, or CAP_NET_RAW alone: the one that connections
 * from the clients' own addresses need for as long as it runs. Thread: control, before
 * others are started (setuid must hold for all of them, and they inherit capabilities).
 */
#ifndef EVENPOST_APP_IDENTITY_H
#define EVENPOST_APP_IDENTITY_H

#include "base/span.h"
#include "base/status.h"

/*
 * user: empty, or not root: nothing to do; capabilities are then the service manager's
 * to give. STATUS_DENIED, with a log line, on failure.
 */
MUST_CHECK enum status identity_drop(struct span user, bool keep_transparent);

#endif
