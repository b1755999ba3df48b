#include "admin/usage.h"

#include "base/cleanup.h"
#include "base/number.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

/* proc(5), /proc/pid/stat, counted from the one behind the name in parentheses. */
enum {
	FIELD_USER_TICKS = 14 - 3,
	FIELD_SYSTEM_TICKS = 15 - 3,
	FIELD_THREADS = 20 - 3,
	FIELD_START_TICKS = 22 - 3, /* since the machine was started */
	FIELD_VIRTUAL_BYTES = 23 - 3,
	FIELD_RESIDENT_PAGES = 24 - 3,
	FIELD_COUNT
};

static uint64_t
milliseconds(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

/* Fields that are not numbers, or negative, are 0; we want none of them. */
static bool
fields_read(uint64_t fields[FIELD_COUNT])
{
	char text[1024];
	struct span rest;
	ssize_t length;
	size_t name_end;
	AUTO_CLOSE int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	length = read(fd, text, sizeof(text));
	if (length <= 0)
		return false;
	rest = span_of(text, (size_t)length);
	name_end = span_find_last(rest, ')');
	if (name_end == SPAN_NOWHERE)
		return false;
	rest = span_skip(rest, name_end + 2);
	for (unsigned i = 0; i < FIELD_COUNT; i++)
		if (!number_read(span_cut(&rest, ' '), UINT64_MAX, &fields[i]))
			fields[i] = 0;
	return !span_is_empty(rest);
}

static uint64_t
entries_count(const char *path)
{
	DIR *directory = opendir(path);
	uint64_t count = 0;

	if (!directory)
		return 0;
	while (readdir(directory))
		count++;
	closedir(directory);
	/* "." and "..", and the one it is read through */
	return count > 3 ? count - 3 : 0;
}

/* The directory's size is the number since Linux 6.2; before, it is 0. */
static uint64_t
descriptors_count(void)
{
	struct stat status;

	if (stat("/proc/self/fd", &status) == 0 && status.st_size > 0)
		return (uint64_t)status.st_size;
	return entries_count("/proc/self/fd");
}

bool
usage_read(struct usage *usage)
{
	uint64_t fields[FIELD_COUNT];
	uint64_t ticks = (uint64_t)sysconf(_SC_CLK_TCK);
	uint64_t now = milliseconds(CLOCK_REALTIME);
	uint64_t up = milliseconds(CLOCK_BOOTTIME);
	struct rlimit limit = {0};

	if (!fields_read(fields))
		return false;
	getrlimit(RLIMIT_NOFILE, &limit);
	*usage = (struct usage){
		.cpu_seconds = (double)(fields[FIELD_USER_TICKS] +
					fields[FIELD_SYSTEM_TICKS]) /
			       (double)ticks,
		.threads = fields[FIELD_THREADS],
		.virtual_bytes = fields[FIELD_VIRTUAL_BYTES],
		.resident_bytes =
			fields[FIELD_RESIDENT_PAGES] * (uint64_t)sysconf(_SC_PAGESIZE),
		.open_descriptors = descriptors_count(),
		.max_descriptors = limit.rlim_cur,
		.started =
			(int64_t)(now - up + fields[FIELD_START_TICKS] * 1000 / ticks),
	};
	return true;
}
