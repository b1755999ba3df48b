#include "config/settings.h"

#include <assert.h>
#include <stdarg.h>

struct setting *
section_setting(const struct section *section, const char *key)
{
	struct setting *setting = section->settings;

	while (strcmp(setting->key->name, key) != 0) {
		setting++;
		assert(setting->key && setting->key->in == section->kind);
	}
	return setting;
}

struct span
section_text(const struct section *section, const char *key)
{
	const struct setting *setting = section_setting(section, key);

	return setting->count ? setting->values[0].text : span_of("", 0);
}

uint64_t
section_number(const struct section *section, const char *key)
{
	const struct setting *setting = section_setting(section, key);

	return setting->count ? setting->values[0].number : 0;
}

bool
section_says(const struct section *section, const char *key, const char *text)
{
	return span_equals(section_text(section, key), span_from_string(text));
}

bool
section_may_differ(const struct section *section, const char *key, const char *text)
{
	return section_setting(section, key)->broken ||
	       !section_says(section, key, text);
}

bool
section_gives(const struct section *section, const char *key)
{
	return section_setting(section, key)->given;
}

struct section *
section_child(const struct section *section, const char *key)
{
	return section_setting(section, key)->sections;
}

const struct section *
section_named(const struct section *section, const char *key, struct span name)
{
	SECTION_EACH (section, key, at)
		if (span_equals(at->name, name))
			return at;
	return NULL;
}

/* snprintf() that stops where the room ends. */
static size_t __attribute__((format(printf, 3, 4)))
append(char path[SECTION_PATH_MAX], size_t length, const char *format, ...)
{
	size_t room = SECTION_PATH_MAX - length;
	va_list arguments;
	int wanted;

	va_start(arguments, format);
	wanted = vsnprintf(path + length, room, format, arguments);
	va_end(arguments);
	return wanted < 0 || (size_t)wanted >= room ? SECTION_PATH_MAX - 1
						    : length + (size_t)wanted;
}

static size_t
append_section(const struct section *section, char path[SECTION_PATH_MAX])
{
	size_t length;

	if (!section->key)
		return 0;
	length = append_section(section->parent, path);
	length = append(path, length, "%s%s", length ? "." : "", section->key->name);
	if (section->key->type == VALUE_NAMED)
		return append(path, length, ".%.*s",
			      SPAN_ARGS(report_excerpt(section->name)));
	if (section->key->type == VALUE_SECTIONS)
		return append(path, length, "[%u]", section->index);
	return length;
}

const char *
section_path(const struct section *section, const char *key,
	     char path[SECTION_PATH_MAX])
{
	size_t length = append_section(section, path);

	path[length] = 0;
	if (key)
		append(path, length, "%s%s", length ? "." : "", key);
	return path;
}

static struct place
place_of(const struct section *section, const char *key)
{
	const struct setting *setting;

	if (!key)
		return section->place;
	setting = section_setting(section, key);
	return setting->given && setting->count ? setting->values[0].place
						: setting->place;
}

void
section_error(const struct section *section, const char *key, struct report *report,
	      const char *format, ...)
{
	char path[SECTION_PATH_MAX];
	char message[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	report_error(report, place_of(section, key), section_path(section, key, path),
		     "%s", message);
}

void
section_advice(const struct section *section, const char *key, struct report *report,
	       const char *format, ...)
{
	char path[SECTION_PATH_MAX];
	char message[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	report_advice(report, place_of(section, key), section_path(section, key, path),
		      "%s", message);
}
