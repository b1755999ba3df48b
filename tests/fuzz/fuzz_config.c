/* Whatever is read without errors is printed as something that is read without errors;
   what has errors may still name files. */
#include "config/check.h"
#include "config/dump.h"
#include "config/named_files.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7.12 loses some bytes for each text with many escapes that it gives up on.
 */
const char *
__lsan_default_suppressions(void)
{
	return "leak:libfyaml";
}

/* Returns what the text says, as YAML; NULL where it has errors. */
static char *
read_text(struct span text, size_t *length)
{
	struct arena arena = {0};
	struct section *root = NULL;
	struct named_files files;
	struct report report;
	char *dump = NULL;

	report_init(&report, "input");
	if (settings_check(text, &arena, &report, &root) == STATUS_OK) {
		FILE *out = open_memstream(&dump, length);
		json_t *values = dump_new(root);

		dump_print_yaml(values, out);
		json_decref(values);
		fclose(out);
	}
	if (root)
		assert(named_files_collect(root, &arena, &files) == STATUS_OK);
	report_fini(&report);
	arena_reset(&arena);
	return dump;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	char *dump = read_text(span_of((const char *)bytes, length), &length);
	char *again = dump ? read_text(span_of(dump, length), &length) : NULL;

	assert(!dump || (again && !strcmp(dump, again)));
	free(again);
	free(dump);
	return 0;
}
