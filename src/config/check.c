#include "config/check.h"

#include "base/cleanup.h"
#include "config/advice.h"
#include "config/crosscheck.h"
#include "config/defaults.h"
#include "config/read.h"
#include "config/yaml.h"

#include <errno.h>
#include <fcntl.h>

static enum status
refuse_file(struct report *report, const char *why)
{
	report_error(report, (struct place){0}, "", "%s", why);
	return STATUS_INVALID;
}

enum status
settings_load(const char *path, struct arena *arena, struct report *report,
	      struct span *text)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char *bytes;
	size_t length = 0;
	ssize_t got;

	if (fd < 0)
		return refuse_file(report, strerror(errno));
	bytes = arena_take(arena, YAML_BYTES_MAX + 1);
	if (!bytes)
		return STATUS_NO_MEMORY;
	while (length <= YAML_BYTES_MAX &&
	       (got = read(fd, bytes + length, YAML_BYTES_MAX + 1 - length)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return refuse_file(report, strerror(errno));
		length += (size_t)got;
	}
	*text = span_of(bytes, length);
	return STATUS_OK;
}

enum status
settings_check(struct span text, struct arena *arena, struct report *report,
	       struct section **root)
{
	enum status status = settings_read(text, arena, report, root);

	if (status == STATUS_OK)
		status = settings_complete(*root, arena);
	if (status == STATUS_OK) {
		settings_crosscheck(*root, report);
		settings_advise(*root, report);
	}
	report_sort(report);
	return status == STATUS_OK && report->errors ? STATUS_INVALID : status;
}
