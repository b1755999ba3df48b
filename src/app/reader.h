/*
 * reader: another user of this machine, and whether the owners and modes of files let
 * him read one. It is worked out, not tried: nobody becomes that user. What decides by
 * other means (an access control list, a file system of another machine, a security
 * module) is not judged: where such a list is seen, he can.
 * Owner: the caller's storage. Thread: control. Never allocates.
 */
#ifndef EVENPOST_APP_READER_H
#define EVENPOST_APP_READER_H

#include "base/span.h"

#include <sys/stat.h>

#define READER_GROUPS_MAX 64

struct reader {
	uid_t user;
	gid_t groups[READER_GROUPS_MAX]; /* his own among them */
	int group_count;
};

/* False: there is no such user here, he is in more groups than that, or he is root. A
   NUL stands behind the name. */
bool reader_find(struct reader *reader, struct span name);

/* right: S_IROTH or S_IXOTH. */
bool reader_has(const struct reader *reader, const struct stat *file, mode_t right);

/* Every folder on the way counts, also on that to what symbolic links point at. What is
   not there, or cannot be looked at, is none of its business: true. */
bool reader_can_read(const struct reader *reader, const char *path);

#endif
