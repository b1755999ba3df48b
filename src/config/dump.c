#include "config/dump.h"

#include "config/schema.h"

static json_t *make_section(const struct section *section);

static json_t *
make_named(const struct setting *setting)
{
	json_t *object = json_object();

	for (const struct section *at = setting->sections; at; at = at->next)
		json_object_setn_new(object, at->name.at, at->name.length,
				     make_section(at));
	return object;
}

static json_t *
make_sections(const struct setting *setting)
{
	json_t *array = json_array();

	for (const struct section *at = setting->sections; at; at = at->next)
		json_array_append_new(array, make_section(at));
	return array;
}

static json_t *
make_values(const struct setting *setting)
{
	json_t *array;

	if (setting->count == 1)
		return schema_value(setting->key, setting->values[0].text);
	array = json_array();
	for (uint32_t i = 0; i < setting->count; i++)
		json_array_append_new(
			array, schema_value(setting->key, setting->values[i].text));
	return array;
}

static json_t *
make_setting(const struct setting *setting)
{
	if (!setting->sections)
		return make_values(setting);
	switch (setting->key->type) {
	case VALUE_NAMED:
		return make_named(setting);
	case VALUE_SECTIONS:
		return make_sections(setting);
	default:
		return make_section(setting->sections);
	}
}

static json_t *
make_section(const struct section *section)
{
	json_t *object = json_object();

	for (const struct setting *at = section->settings; at->key; at++)
		if (at->count || at->sections)
			json_object_set_new(object, at->key->name, make_setting(at));
	return object;
}

json_t *
dump_new(const struct section *root)
{
	return make_section(root);
}

static bool
is_plain_byte(char byte)
{
	return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
	       (byte >= '0' && byte <= '9') || byte == '.' || byte == '-' ||
	       byte == '_' || byte == '/';
}

/* "250ms", "50%": digits, and then none any more. */
static bool
is_amount(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	size_t rest = strlen(text) - digits;

	return digits && rest && strspn(text + digits, "msdhkgMKG%") == rest;
}

/* Texts that YAML takes for themselves; all others are quoted. */
static bool
is_plain(const char *text)
{
	char first = *text;
	bool starts_well = (first | 0x20) >= 'a' && (first | 0x20) <= 'z';

	if (is_amount(text))
		return true;
	if (!starts_well && first != '/')
		return false;
	for (const char *at = text; *at; at++)
		if (!is_plain_byte(*at))
			return false;
	return !words_have("null|true|false", span_from_string(text));
}

static void
print_text(const char *text, FILE *out)
{
	if (is_plain(text)) {
		fputs(text, out);
		return;
	}
	putc('"', out);
	for (const char *at = text; *at; at++) {
		if (*at == '"' || *at == '\\')
			putc('\\', out);
		putc(*at, out);
	}
	putc('"', out);
}

static void
print_scalar(const json_t *value, FILE *out)
{
	if (json_is_integer(value))
		fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_boolean(value))
		fputs(json_is_true(value) ? "true" : "false", out);
	else
		print_text(json_string_value(value), out);
}

static bool
is_empty(const json_t *value)
{
	return json_is_array(value) ? json_array_size(value) == 0
				    : json_object_size(value) == 0;
}

static void print_value(const json_t *value, unsigned depth, FILE *out);

static void
print_object(const json_t *object, unsigned depth, bool in_list, FILE *out)
{
	/* Iterators of jansson want what they only read to be writable. */
	json_t *walked = (json_t *)object;
	const char *key;
	json_t *value;

	json_object_foreach(walked, key, value)
	{
		fprintf(out, "%*s", in_list ? 0 : (int)depth * 2, "");
		in_list = false;
		print_text(key, out);
		putc(':', out);
		print_value(value, depth + 1, out);
	}
}

static void
print_array(const json_t *array, unsigned depth, FILE *out)
{
	json_t *value;
	size_t index;

	json_array_foreach(array, index, value)
	{
		fprintf(out, "%*s- ", (int)depth * 2, "");
		if (json_is_object(value)) {
			print_object(value, depth + 1, true, out);
			continue;
		}
		print_scalar(value, out);
		putc('\n', out);
	}
}

/* What follows the colon, to the end of the line or of the lines below. */
static void
print_value(const json_t *value, unsigned depth, FILE *out)
{
	bool nests = json_is_object(value) || json_is_array(value);

	if (nests && is_empty(value)) {
		fputs(json_is_array(value) ? " []\n" : " {}\n", out);
	} else if (nests) {
		putc('\n', out);
		if (json_is_array(value))
			print_array(value, depth, out);
		else
			print_object(value, depth, false, out);
	} else {
		putc(' ', out);
		print_scalar(value, out);
		putc('\n', out);
	}
}

void
dump_print_yaml(const json_t *dump, FILE *out)
{
	print_object(dump, 0, false, out);
}
