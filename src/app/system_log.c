#include "app/system_log.h"

#include <syslog.h>

void
system_log_open(void)
{
	openlog("evenpost", LOG_PID, LOG_MAIL);
}

void
system_log_write(int priority, struct span line)
{
	syslog(priority, "%.*s", SPAN_ARGS(line));
}
