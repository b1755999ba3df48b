/* Whether another user could read a file, by owner, groups and mode. */
#include "app/reader.h"

#include "rows.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define US 4001
#define OUR_GROUP 4002
#define SECOND_GROUP 4003
#define SOMEBODY 5001

static const struct reader us = {US, {OUR_GROUP, SECOND_GROUP}, 2};

static const struct row {
	const char *name;
	uid_t owner;
	gid_t group;
	mode_t mode;
	mode_t right;
	bool has;
} rows[] = {
	{"the owner", US, SOMEBODY, 0400, S_IROTH, true},
	{"the owner, whom the mode leaves out", US, OUR_GROUP, 0044, S_IROTH, false},
	{"in the group", SOMEBODY, OUR_GROUP, 0040, S_IROTH, true},
	{"in another of the groups", SOMEBODY, SECOND_GROUP, 0040, S_IROTH, true},
	{"in the group, which the mode leaves out", SOMEBODY, OUR_GROUP, 0604, S_IROTH,
	 false},
	{"one of all", SOMEBODY, SOMEBODY, 0004, S_IROTH, true},
	{"none of them", SOMEBODY, SOMEBODY, 0770, S_IROTH, false},
	{"a folder to go through", SOMEBODY, OUR_GROUP, 0710, S_IXOTH, true},
	{"a folder to look at and no more", SOMEBODY, OUR_GROUP, 0740, S_IXOTH, false},
};

static void
has(void **state)
{
	const struct row *row = *state;
	const struct stat file = {
		.st_uid = row->owner, .st_gid = row->group, .st_mode = row->mode};

	assert_int_equal(reader_has(&us, &file, row->right), row->has);
}

/* ---- on the way ---- */

/* A folder with open/file, open/closed/file and links; all are others' than ours. */
static char folder[] = "/tmp/evenpost-reader-XXXXXX";

static const char *
in_folder(const char *name)
{
	static char paths[4][256];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static void
make_folder(const char *name, mode_t mode)
{
	assert_int_equal(mkdir(in_folder(name), 0700), 0);
	assert_int_equal(chmod(in_folder(name), mode), 0);
}

static void
make_file(const char *name, mode_t mode)
{
	int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int
open_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder) || chmod(folder, 0755))
		return -1;
	make_folder("open", 0755);
	make_file("open/file", 0644);
	make_file("open/secret", 0640);
	make_folder("open/closed", 0750);
	make_file("open/closed/file", 0644);
	return symlink("file", in_folder("open/link")) ||
	       symlink("../open/./link", in_folder("open/second")) ||
	       symlink(in_folder("open/closed/file"), in_folder("open/hidden")) ||
	       symlink("open/closed/..", in_folder("round")) ||
	       symlink("loop", in_folder("loop"));
}

static int
close_folder(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

static const struct way {
	const char *path;
	bool can;
} ways[] = {
	{"open/file", true},
	{"open/secret", false},
	{"open/closed/file", false},
	{"open//./file", true},
	{"open/../open/file", true},
	{"open/closed/../file", false},
	{"open/link", true},
	{"open/second", true},
	{"open/hidden", false},
	{"round/file", false},
	/* nothing to be said of */
	{"open/nowhere", true},
	{"nowhere/file", true},
	{"loop", true},
	{"open/file/file", true},
};

static void
the_whole_way_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (reader_can_read(&us, in_folder(ways[i].path)) != ways[i].can)
			fail_msg("%s", ways[i].path);
}

static void
a_path_may_begin_here(void **state)
{
	(void)state;
	assert_int_equal(chdir(in_folder("open")), 0);
	assert_true(reader_can_read(&us, "./file"));
	assert_false(reader_can_read(&us, "./secret"));
	assert_false(reader_can_read(&us, "closed/file"));
	assert_int_equal(chdir("/"), 0);
}

static void
a_path_may_be_too_long(void **state)
{
	char path[10000];

	(void)state;
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = 0;
	assert_true(reader_can_read(&us, path));
	path[0] = '/';
	path[300] = 0;
	assert_true(reader_can_read(&us, path));
}

static void
users_are_looked_up(void **state)
{
	struct reader reader;

	(void)state;
	assert_true(reader_find(&reader, SPAN("nobody")));
	assert_int_not_equal(reader.user, 0);
	assert_true(reader.group_count >= 1);
	assert_false(reader_find(&reader, SPAN("root")));
	assert_false(reader_find(&reader, SPAN("no-such-user-here")));
	assert_false(reader_find(&reader, SPAN("")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_whole_way_counts),
		cmocka_unit_test(a_path_may_begin_here),
		cmocka_unit_test(a_path_may_be_too_long),
		cmocka_unit_test(users_are_looked_up),
	};

	return ROWS_RUN(rows, has) +
	       cmocka_run_group_tests(tests, open_folder, close_folder);
}
