/*
 * logger: where finished log lines go. Any thread hands a line over into a ring of its
 * own, without a lock and without waiting; one writer thread empties the rings and
 * writes, so that a slow disk, pipe or syslog holds up nobody's mail. When a ring is
 * full its lines are dropped, counted, and the count is written as soon as there is
 * room again. Owner: the process, once. Thread: logger_sink() any; the rest: control.
 */
#ifndef EVENPOST_APP_LOGGER_H
#define EVENPOST_APP_LOGGER_H

#include "config/snapshot.h"

/* Starts the writer and becomes the sink of base/log. STATUS_SYSTEM with errno. */
MUST_CHECK enum status logger_open(enum log_target target, const char *path);
/* Opens the file again, after it was moved away. */
void logger_reopen(void);
/* Writes what is left. No other thread may log any more. */
void logger_close(void);

#endif
