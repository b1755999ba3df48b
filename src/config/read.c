#include "config/read.h"

#include "config/fault.h"
#include "config/value.h"
#include "config/yaml.h"

#include <assert.h>

struct reader {
	struct arena *arena;
	struct report *report;
	bool out_of_memory;
};

static struct section *
read_section(struct reader *reader, enum section_kind kind,
	     const struct yaml_node *node, const struct section *origin);

static void *
take(struct reader *reader, size_t count, size_t size)
{
	void *taken = arena_take(reader->arena, count * size);

	if (!taken)
		reader->out_of_memory = true;
	return taken;
}

/* What a key of a later feature may say all the same: what it is without saying so. */
static bool
says_nothing_new(const struct key *key, struct span text)
{
	if (key->type != VALUE_CHOICE && words_have(key->words, text))
		return true;
	return key->fallback && span_equals(text, span_from_string(key->fallback));
}

static bool
is_scalar(struct reader *reader, const struct section *section, const struct key *key,
	  const struct yaml_node *node)
{
	if (node->kind == YAML_TEXT)
		return true;
	if (node->kind == YAML_NOTHING)
		fault_add(reader->report, section, key, node->place,
			  "a value is missing");
	else
		fault_add(reader->report, section, key, node->place,
			  "expected one value, not a %s",
			  node->kind == YAML_LIST ? "list" : "mapping");
	return false;
}

/* One scalar into one value; false when it is not good. */
static bool
read_value(struct reader *reader, const struct section *section, const struct key *key,
	   const struct yaml_node *node, struct setting_value *value)
{
	*value = (struct setting_value){.place = node->place, .text = node->text};
	if (!is_scalar(reader, section, key, node))
		return false;
	switch (value_read(key, node->text, &value->number)) {
	case VALUE_GOOD:
		if (!key->later || says_nothing_new(key, node->text))
			return true;
		__attribute__((fallthrough));
	case VALUE_LATER:
		fault_later(reader->report, section, key, node);
		return false;
	case VALUE_MALFORMED:
		fault_malformed(reader->report, section, key, node);
		return false;
	case VALUE_OUT_OF_RANGE:
		fault_out_of_range(reader->report, section, key, node);
		return false;
	}
	return false;
}

static uint32_t
count_entries(const struct yaml_node *node)
{
	uint32_t count = 0;

	for (const struct yaml_entry *at = node->entries; at; at = at->next)
		count++;
	return count;
}

static void
read_list(struct reader *reader, const struct section *section, struct setting *setting,
	  const struct yaml_node *node)
{
	uint32_t count = count_entries(node);
	struct setting_value *values = take(reader, count, sizeof(*values));

	if (!values)
		return;
	for (const struct yaml_entry *at = node->entries; at; at = at->next)
		if (read_value(reader, section, setting->key, at->value,
			       &values[setting->count]))
			setting->count++;
	setting->values = values;
	if (count == 0 && setting->key->required)
		fault_add(reader->report, section, setting->key, node->place,
			  "an empty list");
}

static void
fill_scalar(struct reader *reader, struct setting *setting)
{
	struct setting_value *value = take(reader, 1, sizeof(*value));
	struct span text;
	enum value_fault wrong;

	if (!value || !setting->key->fallback)
		return;
	text = span_from_string(setting->key->fallback);
	*value = (struct setting_value){.place = setting->place, .text = text};
	wrong = value_read(setting->key, text, &value->number);
	assert(wrong == VALUE_GOOD);
	setting->values = value;
	setting->count = 1;
}

/* In place of a bad value stands the default, so that what checks further has one. */
static void
read_scalar(struct reader *reader, const struct section *section,
	    struct setting *setting, const struct yaml_node *node)
{
	struct setting_value *value = take(reader, 1, sizeof(*value));

	if (!value)
		return;
	if (!read_value(reader, section, setting->key, node, value)) {
		setting->broken = true;
		if (setting->key->type < VALUE_SECTION)
			fill_scalar(reader, setting);
		return;
	}
	setting->values = value;
	setting->count = 1;
}

/* The sections below a key are read with this one as where they come from. */
static struct section
origin_of(const struct section *parent, const struct key *key, struct place place)
{
	return (struct section){.parent = parent, .key = key, .place = place};
}

/* Whether a named section may be called what it is. */
static bool
check_name(struct reader *reader, const struct section *section,
	   const struct setting *setting, const struct section *origin)
{
	struct span name = report_excerpt(origin->name);

	for (const struct section *at = setting->sections; at; at = at->next) {
		if (!span_equals(at->name, origin->name))
			continue;
		fault_add(reader->report, section, setting->key, origin->place,
			  "duplicate name \"%.*s\", first in line %u", SPAN_ARGS(name),
			  at->place.line);
		return false;
	}
	if (!name_is_valid(origin->name))
		fault_add(reader->report, section, setting->key, origin->place,
			  "\"%.*s\" is not %s", SPAN_ARGS(name),
			  value_expects(VALUE_NAME));
	return true;
}

static void
read_named(struct reader *reader, const struct section *section,
	   struct setting *setting, const struct yaml_node *node)
{
	struct section origin = origin_of(section, setting->key, node->place);
	struct section **tail = &setting->sections;

	for (const struct yaml_entry *at = node->entries; at; at = at->next) {
		origin.name = at->key->text;
		origin.place = at->key->place;
		if (!check_name(reader, section, setting, &origin))
			continue;
		if (origin.index == setting->key->most) {
			fault_add(reader->report, section, setting->key, origin.place,
				  "more than %u of them", origin.index);
			return;
		}
		*tail = read_section(reader, setting->key->section, at->value, &origin);
		if (!*tail)
			return;
		tail = &(*tail)->next;
		origin.index++;
	}
	if (origin.index < setting->key->least)
		fault_add(reader->report, section, setting->key, node->place,
			  "nothing in it");
}

static void
read_sections(struct reader *reader, const struct section *section,
	      struct setting *setting, const struct yaml_node *node)
{
	struct section origin = origin_of(section, setting->key, node->place);
	struct section **tail = &setting->sections;

	for (const struct yaml_entry *at = node->entries; at; at = at->next) {
		origin.place = at->value->place;
		*tail = read_section(reader, setting->key->section, at->value, &origin);
		if (!*tail)
			return;
		tail = &(*tail)->next;
		origin.index++;
	}
	if (origin.index == 0)
		fault_add(reader->report, section, setting->key, node->place,
			  "an empty list");
}

/* The kind of node that a type is written as; a single mapping may stand for a list. */
static bool
suits(enum value_type type, enum yaml_kind kind)
{
	if (type == VALUE_SECTIONS)
		return kind == YAML_LIST || kind == YAML_MAP;
	return kind == YAML_MAP || (type == VALUE_SECTION && kind == YAML_NOTHING);
}

static void
fill_section(struct reader *reader, const struct section *section,
	     struct setting *setting)
{
	struct section origin = origin_of(section, setting->key, section->place);

	if (setting->key->fallback)
		setting->sections =
			read_section(reader, setting->key->section, NULL, &origin);
}

static void
read_sections_of(struct reader *reader, const struct section *section,
		 struct setting *setting, const struct yaml_node *node)
{
	struct section origin = origin_of(section, setting->key, node->place);

	if (!suits(setting->key->type, node->kind)) {
		fault_add(reader->report, section, setting->key, node->place,
			  "expected %s", value_expects(setting->key->type));
		fill_section(reader, section, setting);
	} else if (setting->key->type == VALUE_NAMED) {
		read_named(reader, section, setting, node);
	} else if (setting->key->type == VALUE_SECTIONS && node->kind == YAML_LIST) {
		read_sections(reader, section, setting, node);
	} else {
		setting->sections =
			read_section(reader, setting->key->section, node, &origin);
	}
}

static void
read_setting(struct reader *reader, const struct section *section,
	     struct setting *setting, const struct yaml_node *node)
{
	const struct key *key = setting->key;
	bool is_section = key->type >= VALUE_SECTION;
	bool is_word = node->kind == YAML_TEXT && words_have(key->words, node->text);

	if (key->later && node->kind == YAML_LIST && !node->entries)
		return; /* an empty list: off */
	if (key->later && (node->kind != YAML_TEXT || (is_section && !is_word)))
		fault_later(reader->report, section, key, node);
	else if (is_section && !is_word)
		read_sections_of(reader, section, setting, node);
	else if (key->list && node->kind == YAML_LIST)
		read_list(reader, section, setting, node);
	else
		read_scalar(reader, section, setting, node);
}

static void
read_entries(struct reader *reader, struct section *section,
	     const struct yaml_node *map)
{
	for (const struct yaml_entry *at = map->entries; at; at = at->next) {
		const struct key *key = key_find(section->kind, at->key->text);
		struct setting *setting;

		if (!key) {
			fault_unknown(reader->report, section, at->key);
			continue;
		}
		setting = section_setting(section, key->name);
		if (setting->given) {
			fault_add(reader->report, section, key, at->key->place,
				  "duplicate key, first in line %u",
				  setting->place.line);
			continue;
		}
		setting->given = true;
		setting->place = at->key->place;
		read_setting(reader, section, setting, at->value);
	}
}

/* What the file does not say. */
static void
fill(struct reader *reader, struct section *section, struct setting *setting)
{
	setting->place = section->place;
	if (setting->key->required)
		section_error(section, setting->key->name, reader->report,
			      "missing, and required");
	else if (setting->key->type == VALUE_SECTION)
		fill_section(reader, section, setting);
	else
		fill_scalar(reader, setting);
}

/* "hub1: 10.0.0.11:25": a value stands for the mapping with one key. */
static void
read_short_form(struct reader *reader, struct section *section,
		const struct yaml_node *node)
{
	const char *name = section_kind_short_form(section->kind);
	struct setting *setting;

	if (!name || node->kind != YAML_TEXT) {
		fault_add(reader->report, section, NULL, node->place, "expected %s",
			  value_expects(VALUE_SECTION));
		return;
	}
	setting = section_setting(section, name);
	setting->given = true;
	setting->place = node->place;
	read_scalar(reader, section, setting, node);
}

static void
read_content(struct reader *reader, struct section *section,
	     const struct yaml_node *node)
{
	uint32_t errors = reader->report->errors;
	uint32_t count;

	keys_of(section->kind, &count);
	if (node && node->kind == YAML_MAP)
		read_entries(reader, section, node);
	else if (node && node->kind != YAML_NOTHING)
		read_short_form(reader, section, node);
	for (uint32_t i = 0; i < count; i++) {
		struct setting *setting = &section->settings[i];
		bool broken = node && node->kind != YAML_MAP &&
			      node->kind != YAML_NOTHING &&
			      reader->report->errors > errors;

		/* What is no mapping at all has been told: no word of what it lacks. */
		if (!setting->given && !(setting->key->required && broken))
			fill(reader, section, setting);
	}
}

/* node NULL: all by default. NULL: out of memory. */
static struct section *
read_section(struct reader *reader, enum section_kind kind,
	     const struct yaml_node *node, const struct section *origin)
{
	struct section *section = take(reader, 1, sizeof(*section));
	uint32_t count;
	const struct key *rows = keys_of(kind, &count);

	if (!section)
		return NULL;
	*section = *origin;
	section->kind = kind;
	section->settings = take(reader, count + 1, sizeof(*section->settings));
	if (!section->settings)
		return NULL;
	for (uint32_t i = 0; i < count; i++)
		section->settings[i].key = &rows[i];
	read_content(reader, section, node);
	return section;
}

enum status
settings_read(struct span text, struct arena *arena, struct report *report,
	      struct section **root)
{
	struct reader reader = {.arena = arena, .report = report};
	struct section origin = {.place = {1, 1}};
	const struct yaml_node *node;
	enum status status = yaml_read(text, arena, report, &node);

	if (status != STATUS_OK)
		return status;
	*root = read_section(&reader, SECTION_ROOT, node, &origin);
	return reader.out_of_memory || !*root ? STATUS_NO_MEMORY : STATUS_OK;
}
