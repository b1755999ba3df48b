/*
 * system_log: syslog(3) behind two functions, since its macros have the names of our
 * log levels.
 * Thread: the log writer alone; syslog(3) may block.
 */
#ifndef EVENPOST_APP_SYSTEM_LOG_H
#define EVENPOST_APP_SYSTEM_LOG_H

#include "base/span.h"

void system_log_open(void);
/* priority: RFC 5424's severity, 3 error to 7 debug. */
void system_log_write(int priority, struct span line);

#endif
