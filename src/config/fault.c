#include "config/fault.h"

#include "config/suggestion.h"
#include "config/value.h"

#include <stdarg.h>

void
fault_add(struct report *report, const struct section *section, const struct key *key,
	  struct place place, const char *format, ...)
{
	char path[SECTION_PATH_MAX];
	char message[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	report_error(report, place, section_path(section, key ? key->name : NULL, path),
		     "%s", message);
}

static const char *
print_words(const char *words, char text[256])
{
	size_t length = 0;
	struct span word;

	text[0] = 0;
	while (!span_is_empty(word = words_next(&words)) && length < 200)
		length += (size_t)snprintf(text + length, 256 - length, "%s%.*s",
					   length ? words ? ", " : " or " : "",
					   SPAN_ARGS(span_take(word, 40)));
	return text;
}

void
fault_malformed(struct report *report, const struct section *section,
		const struct key *key, const struct yaml_node *node)
{
	const char *expects = value_expects(key->type);
	const char *words = key->words;
	struct suggestion suggestion;
	char near[SUGGESTION_TEXT_MAX];
	char choices[256];
	struct span word;

	suggestion_init(&suggestion, node->text);
	while (!span_is_empty(word = words_next(&words)))
		suggestion_offer(&suggestion, word);
	fault_add(report, section, key, node->place, "\"%.*s\" is not %s%s%s%s",
		  SPAN_ARGS(report_excerpt(node->text)),
		  print_words(key->words, choices), expects && key->words ? " or " : "",
		  expects ? expects : "", suggestion_print(&suggestion, near));
}

void
fault_out_of_range(struct report *report, const struct section *section,
		   const struct key *key, const struct yaml_node *node)
{
	char least[VALUE_NUMBER_TEXT_MAX];
	char most[VALUE_NUMBER_TEXT_MAX];

	value_print(key->type, key->least, least);
	value_print(key->type, key->most, most);
	fault_add(report, section, key, node->place, "%.*s is out of range: %s to %s",
		  SPAN_ARGS(report_excerpt(node->text)), least, most);
}

void
fault_later(struct report *report, const struct section *section, const struct key *key,
	    const struct yaml_node *node)
{
	if (key->later)
		fault_add(report, section, key, node->place, "not in this build yet");
	else
		fault_add(report, section, key, node->place,
			  "\"%.*s\" is not in this build yet",
			  SPAN_ARGS(report_excerpt(node->text)));
}

static const char *
find_other_home(struct span name)
{
	for (uint32_t i = 0; i < keys_count; i++)
		if (span_equals(span_from_string(keys[i].name), name))
			return section_kind_name(keys[i].in);
	return NULL;
}

void
fault_unknown(struct report *report, const struct section *section,
	      const struct yaml_node *name)
{
	struct span text = report_excerpt(name->text);
	struct suggestion suggestion;
	char near[SUGGESTION_TEXT_MAX];
	char path[SECTION_PATH_MAX];
	char shown[64];
	const char *home = find_other_home(name->text);
	uint32_t count;
	const struct key *rows = keys_of(section->kind, &count);

	snprintf(shown, sizeof(shown), "%.*s", SPAN_ARGS(text));
	suggestion_init(&suggestion, name->text);
	for (uint32_t i = 0; i < count; i++)
		suggestion_offer(&suggestion, span_from_string(rows[i].name));
	section_path(section, shown, path);
	if (span_is_empty(suggestion.nearest) && home)
		report_error(report, name->place, path,
			     "the key \"%s\" does not belong here but %s%s", shown,
			     *home ? "in " : "at the top of the file", home);
	else
		report_error(report, name->place, path, "unknown key \"%s\"%s", shown,
			     suggestion_print(&suggestion, near));
}
