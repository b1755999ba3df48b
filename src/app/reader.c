#include "app/reader.h"

#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

/* As the kernel has it: more are a loop. */
#define LINKS_MAX 40

/* The way to a file: what has been walked, without links in it, and what is ahead. */
struct walk {
	const struct reader *reader;
	char at[PATH_MAX];
	char ahead[PATH_MAX];
	unsigned links;
	bool is_denied;
};

bool
reader_find(struct reader *reader, struct span name)
{
	const struct passwd *entry = span_is_empty(name) ? NULL : getpwnam(name.at);

	if (!entry || entry->pw_uid == 0)
		return false;
	reader->user = entry->pw_uid;
	reader->group_count = READER_GROUPS_MAX;
	return getgrouplist(entry->pw_name, entry->pw_gid, reader->groups,
			    &reader->group_count) >= 0;
}

static bool
is_in_group(const struct reader *reader, gid_t group)
{
	for (int i = 0; i < reader->group_count; i++)
		if (reader->groups[i] == group)
			return true;
	return false;
}

/* The owner's bits count for the owner alone, the group's for who is in it. */
bool
reader_has(const struct reader *reader, const struct stat *file, mode_t right)
{
	if (file->st_uid == reader->user)
		return file->st_mode & right << 6;
	if (is_in_group(reader, file->st_gid))
		return file->st_mode & right << 3;
	return file->st_mode & right;
}

/* ---- the way ---- */

static bool
has_list(const char *path)
{
	return getxattr(path, "system.posix_acl_access", NULL, 0) > 0;
}

/* False: go no further, there is nothing to be said. */
static bool
enter(struct walk *walk, const char *path, mode_t right)
{
	struct stat found;

	if (stat(path, &found) || (right == S_IXOTH && !S_ISDIR(found.st_mode)))
		return false;
	walk->is_denied = !reader_has(walk->reader, &found, right) && !has_list(path);
	return !walk->is_denied;
}

/* Takes the first name off what is ahead; its length, 0: there is none. */
static size_t
take_name(struct walk *walk, char name[NAME_MAX + 1])
{
	char *begin = walk->ahead + strspn(walk->ahead, "/");
	size_t length = strcspn(begin, "/");

	if (length > NAME_MAX)
		length = 0;
	memcpy(name, begin, length);
	name[length] = 0;
	memmove(walk->ahead, begin + length, strlen(begin + length) + 1);
	return length;
}

static void
go_up(struct walk *walk)
{
	char *slash = strrchr(walk->at, '/');

	if (slash)
		*slash = 0;
}

/* Puts where a link points in front of what is ahead. */
static bool
follow(struct walk *walk, const char *link)
{
	char target[PATH_MAX];
	char ahead[PATH_MAX];
	ssize_t length = readlink(link, target, sizeof(target) - 1);
	int written;

	if (length < 0 || ++walk->links > LINKS_MAX)
		return false;
	target[length] = 0;
	written = snprintf(ahead, sizeof(ahead), "%s/%s", target, walk->ahead);
	if (written < 0 || (size_t)written >= sizeof(ahead))
		return false;
	memcpy(walk->ahead, ahead, (size_t)written + 1);
	if (*target == '/')
		walk->at[0] = 0;
	return true;
}

static bool
step(struct walk *walk, const char *name)
{
	char next[PATH_MAX];
	struct stat found;
	int written = snprintf(next, sizeof(next), "%s/%s", walk->at, name);

	if (written < 0 || (size_t)written >= sizeof(next) || lstat(next, &found))
		return false;
	if (S_ISLNK(found.st_mode))
		return follow(walk, next);
	memcpy(walk->at, next, (size_t)written + 1);
	return true;
}

/* False: the way ends before its end, or he may not go it. */
static bool
go(struct walk *walk)
{
	char name[NAME_MAX + 1];

	while (take_name(walk, name)) {
		if (!enter(walk, *walk->at ? walk->at : "/", S_IXOTH))
			return false;
		if (strcmp(name, "..") == 0)
			go_up(walk);
		else if (strcmp(name, ".") != 0 && !step(walk, name))
			return false;
	}
	return true;
}

static bool
begin(struct walk *walk, const char *path)
{
	size_t length = strlen(path);

	if (length >= sizeof(walk->ahead))
		return false;
	memcpy(walk->ahead, path, length + 1);
	return *path == '/' || getcwd(walk->at, sizeof(walk->at));
}

bool
reader_can_read(const struct reader *reader, const char *path)
{
	struct walk walk = {.reader = reader};

	if (begin(&walk, path) && go(&walk))
		enter(&walk, walk.at, S_IROTH);
	return !walk.is_denied;
}
