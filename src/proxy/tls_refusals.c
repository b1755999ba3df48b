#include "proxy/tls_refusals.h"

#include <stdlib.h>

enum status
tls_refusals_init(struct tls_refusals *refusals, const struct named_files *files)
{
	/* one more: of nothing, calloc() may give NULL */
	*refusals = (struct tls_refusals){
		files, calloc(files->count + 1ul, sizeof(*refusals->of))};
	return refusals->of ? STATUS_OK : STATUS_NO_MEMORY;
}

void
tls_refusals_fini(struct tls_refusals *refusals)
{
	free(refusals->of);
	*refusals = (struct tls_refusals){0};
}

bool
tls_refusal_is_none(const struct tls_refusal *refusal)
{
	return !*refusal->file && !*refusal->key;
}

bool
tls_refusal_equals(const struct tls_refusal *a, const struct tls_refusal *b)
{
	return strcmp(a->file, b->file) == 0 && strcmp(a->key, b->key) == 0;
}

/* Faults begin with the name of the file, for those who show nothing else. */
static const char *
skip_path(const char *why, const char *path)
{
	size_t length = strlen(path);

	if (strncmp(why, path, length) == 0 && strncmp(why + length, ": ", 2) == 0)
		return why + length + 2;
	return why;
}

bool
tls_refusals_next(const struct tls_refusals *refusals, uint32_t *at,
		  struct refused_file *refused)
{
	while (*at < 2 * refusals->files->count) {
		uint32_t file = *at / 2;
		bool is_key = *at % 2;
		const struct named_file *named = &refusals->files->at[file];
		const struct file_name *name = is_key ? &named->key : &named->file;
		const char *why =
			is_key ? refusals->of[file].key : refusals->of[file].file;

		++*at;
		if (!*why)
			continue;
		*refused =
			(struct refused_file){file, name, skip_path(why, name->path)};
		return true;
	}
	return false;
}

uint32_t
tls_refusals_count(const struct tls_refusals *refusals)
{
	struct refused_file refused;
	uint32_t count = 0;
	uint32_t at = 0;

	while (tls_refusals_next(refusals, &at, &refused))
		count++;
	return count;
}
