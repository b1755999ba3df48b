/*
 * named_files: where a configuration names files that somebody reads later. What is
 * wrong in them is reported at the place that names them. Owner: the arena. Thread: any
 * reads. Allocates in the arena.
 */
#ifndef EVENPOST_CONFIG_NAMED_FILES_H
#define EVENPOST_CONFIG_NAMED_FILES_H

#include "base/status.h"
#include "config/settings.h"

struct named_file {
	const char *setting; /* "tls.certificates[0].key", as section_path() has it */
	struct place place;
	const struct named_file *next;
};

/* All paths that the configuration gives; *files is NULL where there are none. */
MUST_CHECK enum status
named_files_collect(const struct section *root, struct arena *arena,
		    const struct named_file **files);
/* Line 0 for a setting that names no file. */
struct place named_files_place(const struct named_file *files, const char *setting);

#endif
