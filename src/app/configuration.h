/*
 * configuration: a configuration file and all files that it names, read and reported on
 * together: what check shows, and what run starts with. Owner: none. Thread: control.
 * It reads files. Allocates.
 */
#ifndef EVENPOST_APP_CONFIGURATION_H
#define EVENPOST_APP_CONFIGURATION_H

#include "base/status.h"

struct report;
struct snapshot;

/*
 * All errors and advice are in the report, in the order of the lines. *snapshot is not
 * NULL where the file itself has none, whatever the files that it names have; the
 * caller has the reference. STATUS_INVALID, STATUS_NO_MEMORY: there are errors.
 */
MUST_CHECK enum status
configuration_read(const char *path, struct report *report, struct snapshot **snapshot);

#endif
