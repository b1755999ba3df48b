#include "app/identity.h"

#include "base/log.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

static enum status
become(const struct passwd *entry)
{
	if (initgroups(entry->pw_name, entry->pw_gid) || setgid(entry->pw_gid) ||
	    setuid(entry->pw_uid)) {
		log_message(LOG_ERROR, "start", "user %s: %s", entry->pw_name,
			    strerror(errno));
		return STATUS_DENIED;
	}
	return STATUS_OK;
}

enum status
identity_drop(struct span user)
{
	const struct passwd *entry;

	if (span_is_empty(user) || geteuid() != 0)
		return STATUS_OK;
	entry = getpwnam(user.at); /* a configured text ends in NUL */
	if (!entry) {
		log_message(LOG_ERROR, "start", "user %.*s: no such user",
			    SPAN_ARGS(user));
		return STATUS_DENIED;
	}
	return become(entry);
}
