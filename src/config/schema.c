#include "config/schema.h"

#include "config/value.h"

#include <stdio.h>

#define HELP_MAX 512

json_t *
schema_value(const struct key *key, struct span text)
{
	uint64_t number;
	bool good = value_read(key, text, &number) == VALUE_GOOD;
	bool is_word = words_have(key->words, text);

	if (good && !is_word && key->type == VALUE_NUMBER)
		return json_integer((json_int_t)number);
	if (good && key->type == VALUE_SWITCH)
		return json_boolean(number);
	return json_stringn(text.at, text.length);
}

static json_t *
make_words(const char *words)
{
	json_t *array = json_array();
	struct span word;

	while (!span_is_empty(word = words_next(&words)))
		json_array_append_new(array, json_stringn(word.at, word.length));
	return json_pack("{s:o}", "enum", array);
}

static json_t *
make_integer(const struct key *key)
{
	json_t *schema = json_pack("{s:s, s:I}", "type", "integer", "minimum",
				   (json_int_t)key->least);

	if (key->most)
		json_object_set_new(schema, "maximum",
				    json_integer((json_int_t)key->most));
	return schema;
}

static json_t *
make_string(const struct key *key)
{
	json_t *schema = json_pack("{s:s}", "type", "string");

	if (value_pattern(key->type))
		json_object_set_new(schema, "pattern",
				    json_string(value_pattern(key->type)));
	return schema;
}

/* Brackets may not stand in the fragment of a URI (RFC 3986 3.5). */
static int
definition_length(enum section_kind kind)
{
	return (int)strcspn(section_kind_name(kind), "[");
}

static json_t *
make_reference(enum section_kind kind)
{
	return json_pack("{s:o}", "$ref",
			 json_sprintf("#/$defs/%.*s", definition_length(kind),
				      section_kind_name(kind)));
}

static json_t *
make_named(const struct key *key)
{
	return json_pack("{s:s, s:I, s:I, s:{s:s}, s:o}", "type", "object",
			 "minProperties", (json_int_t)key->least, "maxProperties",
			 (json_int_t)key->most, "propertyNames", "pattern",
			 NAME_PATTERN, "additionalProperties",
			 make_reference(key->section));
}

/* The value itself, without the words that may stand for it. */
static json_t *
make_plain(const struct key *key)
{
	switch (key->type) {
	case VALUE_NUMBER:
		return make_integer(key);
	case VALUE_SWITCH:
		return json_pack("{s:s}", "type", "boolean");
	case VALUE_CHOICE:
		return make_words(key->words);
	case VALUE_SIZE:
		return json_pack("{s:[o, o]}", "anyOf", make_integer(key),
				 make_string(key));
	case VALUE_DURATION:
		return json_pack("{s:[o, {s:i}]}", "anyOf", make_string(key), "const",
				 0);
	case VALUE_SECTION:
		return make_reference(key->section);
	case VALUE_SECTIONS:
		return json_pack("{s:s, s:o}", "type", "array", "items",
				 make_reference(key->section));
	case VALUE_NAMED:
		return make_named(key);
	default:
		return make_string(key);
	}
}

static json_t *
make_value(const struct key *key)
{
	json_t *schema = make_plain(key);
	json_t *copy;

	if (key->words && key->type != VALUE_CHOICE)
		schema = json_pack("{s:[o, o]}", "anyOf", schema,
				   make_words(key->words));
	if (!key->list)
		return schema;
	copy = json_deep_copy(schema);
	return json_pack("{s:[o, {s:s, s:o}]}", "anyOf", schema, "type", "array",
			 "items", copy);
}

static json_t *
make_help(const struct key *key)
{
	char text[HELP_MAX];

	if (key->later)
		snprintf(text, sizeof(text), "%s Not in this build yet.", key->help);
	else if (key->later_words)
		snprintf(text, sizeof(text), "%s Not in this build yet: %s.", key->help,
			 key->later_words);
	else
		snprintf(text, sizeof(text), "%s", key->help);
	return json_string(text);
}

static json_t *
make_key(const struct key *key)
{
	json_t *schema = make_value(key);

	json_object_set_new(schema, "description", make_help(key));
	if (key->fallback && key->type < VALUE_SECTION)
		json_object_set_new(schema, "default",
				    schema_value(key, span_from_string(key->fallback)));
	return schema;
}

static json_t *
make_object(enum section_kind kind)
{
	json_t *properties = json_object();
	json_t *required = json_array();
	uint32_t count;
	const struct key *rows = keys_of(kind, &count);

	for (uint32_t i = 0; i < count; i++) {
		json_object_set_new(properties, rows[i].name, make_key(&rows[i]));
		if (rows[i].required)
			json_array_append_new(required, json_string(rows[i].name));
	}
	return json_pack("{s:s, s:s, s:o, s:o, s:b}", "description",
			 section_kind_help(kind), "type", "object", "properties",
			 properties, "required", required, "additionalProperties", 0);
}

/* Where one value may stand for the mapping, both are right. */
static json_t *
make_section(enum section_kind kind)
{
	const char *name = section_kind_short_form(kind);
	json_t *object = make_object(kind);

	if (!name)
		return object;
	return json_pack("{s:[o, o]}", "anyOf",
			 make_key(key_find(kind, span_from_string(name))), object);
}

json_t *
schema_new(void)
{
	json_t *schema = make_object(SECTION_ROOT);
	json_t *sections = json_object();

	for (enum section_kind kind = SECTION_ROOT + 1; kind < SECTION_KIND_COUNT;
	     kind++)
		json_object_set_new(sections, section_kind_name(kind),
				    make_section(kind));
	json_object_set_new(
		schema, "$schema",
		json_string("https://json-schema.org/draft/2020-12/schema"));
	json_object_set_new(schema, "title", json_string("evenpost.yaml"));
	if (json_object_set_new(schema, "$defs", sections)) {
		json_decref(schema);
		return NULL;
	}
	return schema;
}
