/* What has to hold for every row of the key table. */
#include "config/keys.h"
#include "config/value.h"
#include "rows.h"

static void
each_key(void (*check)(const struct key *key))
{
	for (uint32_t i = 0; i < keys_count; i++) {
		if (key_find(keys[i].in, span_from_string(keys[i].name)) != &keys[i])
			fail_msg("%s of %s stands apart from its section, or twice",
				 keys[i].name, section_kind_name(keys[i].in));
		check(&keys[i]);
	}
}

static void
check_default(const struct key *key)
{
	uint64_t number;

	if (!key->fallback || key->type >= VALUE_SECTION)
		return;
	if (value_read(key, span_from_string(key->fallback), &number) != VALUE_GOOD)
		fail_msg("%s: its default %s is not good", key->name, key->fallback);
	if (key->required)
		fail_msg("%s: required, and has a default", key->name);
}

static void
check_words(const struct key *key)
{
	const char *words = key->later_words;
	struct span word;

	while (!span_is_empty(word = words_next(&words)))
		if (!words_have(key->words, word))
			fail_msg("%s: %.*s comes later but is no choice", key->name,
				 SPAN_ARGS(word));
	if (key->type == VALUE_CHOICE && !key->words)
		fail_msg("%s: a choice of nothing", key->name);
}

static void
check_section(const struct key *key)
{
	if (key->type >= VALUE_SECTION && key->section == SECTION_ROOT)
		fail_msg("%s: a section of no kind", key->name);
	if (key->type == VALUE_NAMED && !key->most)
		fail_msg("%s: no limit to how many", key->name);
}

static void
check_help(const struct key *key)
{
	size_t length = key->help ? strlen(key->help) : 0;

	if (length == 0 || key->help[length - 1] != '.')
		fail_msg("%s: its help is no sentence", key->name);
}

static const struct row {
	const char *name;
	void (*check)(const struct key *key);
} rows[] = {
	{"defaults are good values", check_default},
	{"words and later words agree", check_words},
	{"sections are of a kind", check_section},
	{"every key has a help", check_help},
};

static void
test_row(void **state)
{
	const struct row *row = *state;

	each_key(row->check);
}

static const struct name_row {
	const char *name;
	const char *text;
	bool good;
} names[] = {
	{"letters, digits and signs", "Hub_1.a-b", true},
	{"nothing", "", false},
	{"64 letters",
	 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true},
	{"65 letters",
	 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
	{"a slash", "a/b", false},
	{"a blank", "a b", false},
	{"an umlaut", "h\xc3\xbc", false},
};

static void
test_name(void **state)
{
	const struct name_row *row = *state;

	assert_int_equal(name_is_valid(span_from_string(row->text)), row->good);
}

int
main(void)
{
	return ROWS_RUN(rows, test_row) + ROWS_RUN(names, test_name);
}
