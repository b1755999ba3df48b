#include "config/named_files.h"

static enum status
add(const struct section *section, const struct setting *setting, struct arena *arena,
    const struct named_file **files)
{
	struct named_file *file = arena_take(arena, sizeof(*file));
	char path[SECTION_PATH_MAX];

	if (!file)
		return STATUS_NO_MEMORY;
	section_path(section, setting->key->name, path);
	*file = (struct named_file){arena_string(arena, span_from_string(path)),
				    setting->values[0].place, *files};
	*files = file;
	return file->setting ? STATUS_OK : STATUS_NO_MEMORY;
}

enum status
named_files_collect(const struct section *root, struct arena *arena,
		    const struct named_file **files)
{
	enum status status = STATUS_OK;

	for (const struct setting *at = root->settings; at->key; at++) {
		if (at->key->type == VALUE_PATH && at->given && at->count)
			status = add(root, at, arena, files);
		for (const struct section *below = at->sections;
		     below && status == STATUS_OK; below = below->next)
			status = named_files_collect(below, arena, files);
		if (status != STATUS_OK)
			return status;
	}
	return status;
}

struct place
named_files_place(const struct named_file *files, const char *setting)
{
	for (const struct named_file *at = files; at; at = at->next)
		if (strcmp(at->setting, setting) == 0)
			return at->place;
	return (struct place){0};
}
