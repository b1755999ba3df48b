#include "base/status.h"

#include <assert.h>

static const char *const names[STATUS_COUNT] = {
	[STATUS_OK] = "ok",
	[STATUS_AGAIN] = "again",
	[STATUS_END] = "end",
	[STATUS_FULL] = "full",
	[STATUS_NO_MEMORY] = "no memory",
	[STATUS_INVALID] = "invalid",
	[STATUS_NOT_FOUND] = "not found",
	[STATUS_TIMEOUT] = "timeout",
	[STATUS_REFUSED] = "refused",
	[STATUS_LOST] = "lost",
	[STATUS_DENIED] = "denied",
	[STATUS_SYSTEM] = "system",
};

const char *
status_name(enum status status)
{
	assert(status < STATUS_COUNT);
	return names[status];
}
