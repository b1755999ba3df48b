#include "app/identity.h"

#include "base/log.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* After setuid() all are still permitted and none is in effect: all but one go. */
static int
keep_net_raw(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {0};

	sets[CAP_TO_INDEX(CAP_NET_RAW)] = (struct __user_cap_data_struct){
		.effective = CAP_TO_MASK(CAP_NET_RAW),
		.permitted = CAP_TO_MASK(CAP_NET_RAW),
	};
	return syscall(SYS_capset, &header, sets) < 0 ? -1
						      : prctl(PR_SET_KEEPCAPS, 0UL);
}

static int
become_user(const struct passwd *entry)
{
	if (initgroups(entry->pw_name, entry->pw_gid) || setgid(entry->pw_gid))
		return -1;
	return setuid(entry->pw_uid);
}

static enum status
become(const struct passwd *entry, bool keep_transparent)
{
	if ((keep_transparent && prctl(PR_SET_KEEPCAPS, 1UL)) || become_user(entry) ||
	    (keep_transparent && keep_net_raw())) {
		log_message(LOG_ERROR, "start", "user %s: %s", entry->pw_name,
			    strerror(errno));
		return STATUS_DENIED;
	}
	return STATUS_OK;
}

enum status
identity_drop(struct span user, bool keep_transparent)
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
	return become(entry, keep_transparent);
}
