/* What is made from the key table: schema, dump and the documentation in the tree. */
#include "config/check.h"
#include "config/dump.h"
#include "config/reference.h"
#include "config/schema.h"
#include "rows.h"

#include <stdio.h>

static char *
read_file(const char *name)
{
	char path[512];
	char *text = calloc(1, 1 << 20);
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", SOURCE_ROOT, name);
	file = fopen(path, "r");
	if (!file)
		fail_msg("%s can not be read", path);
	assert_non_null(text);
	text[fread(text, 1, (1 << 20) - 1, file)] = 0;
	fclose(file);
	return text;
}

static const struct document {
	const char *name; /* of the file in the tree */
	void (*print)(FILE *out);
} documents[] = {
	{"docs/configuration.md", reference_print_markdown},
	{"man/evenpost.yaml.5.scd", reference_print_manual},
};

static void
test_document(void **state)
{
	const struct document *row = *state;
	char *committed = read_file(row->name);
	char *printed = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&printed, &length);

	assert_non_null(out);
	row->print(out);
	fclose(out);
	if (strcmp(printed, committed) != 0)
		fail_msg("%s is out of date: run scripts/gen-config-docs", row->name);
	free(printed);
	free(committed);
}

/* The dump of a text, as JSON in one line or as YAML; "" where it has errors. */
static char *
dump_text(const char *text, bool as_yaml)
{
	struct arena arena = {0};
	struct report report;
	struct section *root;
	char *printed = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&printed, &length);

	assert_non_null(out);
	report_init(&report, "file");
	if (settings_check(span_from_string(text), &arena, &report, &root) ==
	    STATUS_OK) {
		json_t *dump = dump_new(root);

		if (as_yaml)
			dump_print_yaml(dump, out);
		else
			json_dumpf(dump, out, JSON_COMPACT);
		json_decref(dump);
	}
	fclose(out);
	report_fini(&report);
	arena_reset(&arena);
	return printed;
}

#define BASE "listeners: {in: {bind: 127.0.0.1:25, pool: p}}\n"
#define SERVERS "pools: {p: {servers: {s: 10.0.0.1:25}"

static const struct dump_row {
	const char *name;
	const char *text;
	const char *contains; /* in the dump as JSON */
} dumps[] = {
	{"a default", BASE SERVERS "}}\n", "\"shutdown-timeout\":\"60s\""},
	{"a default that follows from another key",
	 BASE SERVERS ", health: {interval: 7s}}}\n", "\"down-interval\":\"7s\""},
	{"a default of message mode", BASE SERVERS "}}\n", "\"max-connections\":40"},
	{"a default of connection mode",
	 "listeners: {in: {bind: 127.0.0.1:25, mode: connection, pool: p}}\n" SERVERS
	 "}}\n",
	 "\"max-connections\":\"unlimited\""},
	{"a time-out of connection mode",
	 "listeners: {in: {bind: 127.0.0.1:25, mode: connection, pool: p}}\n" SERVERS
	 "}}\n",
	 "\"idle\":\"15m\""},
	{"networks",
	 "listeners: {in: {bind: 127.0.0.1:25, accept-proxy: [10.0.0.1, 10.0.0.0/8],\n"
	 " pool: p}}\n" SERVERS "}}\n",
	 "\"accept-proxy\":[\"10.0.0.1\",\"10.0.0.0/8\"]"},
	{"a switch", BASE SERVERS "}}\n", "\"client-names\":true"},
	{"a number", "workers: 3\n" BASE SERVERS "}}\n", "\"workers\":3"},
	{"a list", "dns: {resolver: [127.0.0.1, \"::1\"]}\n" BASE SERVERS "}}\n",
	 "\"resolver\":[\"127.0.0.1\",\"::1\"]"},
	{"a text to be quoted", "user: \"a \\\"b\\\\: [c\"\n" BASE SERVERS "}}\n",
	 "\"user\":\"a \\\"b\\\\: [c\""},
	{"a text that looks like nothing", "user: \"null\"\n" BASE SERVERS "}}\n",
	 "\"user\":\"null\""},
	{"a route",
	 "listeners: {in: {bind: 127.0.0.1:25, routes: [{pool: p}]}}\n" SERVERS "}}\n",
	 "\"routes\":[{\"pool\":\"p\"}]"},
	{"routes with conditions",
	 "listeners: {in: {bind: 127.0.0.1:25, routes: [{client: [10.0.0.1, ::1/128], "
	 "pool: p}, {helo: \"*.a\", user: b, pool: p}]}}\n" SERVERS "}}\n",
	 "\"routes\":[{\"client\":[\"10.0.0.1\",\"::1/128\"],\"pool\":\"p\"},{\"helo\":"
	 "\"*.a\",\"user\":\"b\",\"pool\":\"p\"}]"},
	{"an error", "workers: 0\n", ""},
};

/* The dump as YAML is read again, and says the same. */
static void
test_dump(void **state)
{
	const struct dump_row *row = *state;
	char *json = dump_text(row->text, false);
	char *yaml = dump_text(row->text, true);
	char *again = dump_text(yaml, false);

	if (!strstr(json, row->contains))
		fail_msg("%s is not in %s", row->contains, json);
	assert_string_equal(again, json);
	free(again);
	free(yaml);
	free(json);
}

/* Follows a path of keys; every step has to be there. */
static const json_t *
find(const json_t *at, const char *const *path)
{
	for (; *path; path++) {
		at = json_object_get(at, *path);
		if (!at)
			fail_msg("%s is missing", *path);
	}
	return at;
}

static const struct schema_row {
	const char *name;
	const char *path[6];
	const char *expected; /* as compact JSON */
} schemas[] = {
	{"the draft", {"$schema"}, "\"https://json-schema.org/draft/2020-12/schema\""},
	{"unknown keys are errors", {"additionalProperties"}, "false"},
	{"what is required", {"required"}, "[\"listeners\",\"pools\"]"},
	{"a choice",
	 {"$defs", "log", "properties", "format", "enum"},
	 "[\"logfmt\",\"json\"]"},
	{"a default",
	 {"$defs", "pools.NAME.reuse", "properties", "max-idle", "default"},
	 "16"},
	{"a range and a word",
	 {"properties", "workers", "anyOf"},
	 "[{\"type\":\"integer\",\"minimum\":1,\"maximum\":256},{\"enum\":[\"auto\"]}"
	 "]"},
	{"a section",
	 {"$defs", "pools.NAME", "properties", "health", "$ref"},
	 "\"#/$defs/pools.NAME.health\""},
	{"sections by name",
	 {"properties", "pools", "additionalProperties"},
	 "{\"$ref\":\"#/$defs/pools.NAME\"}"},
	{"names",
	 {"properties", "pools", "propertyNames", "pattern"},
	 "\"^[A-Za-z0-9_.-]{1,64}$\""},
	{"a duration",
	 {"$defs", "pools.NAME", "properties", "queue", "anyOf"},
	 "[{\"type\":\"string\",\"pattern\":\"^(0|[0-9]+(ms|s|m|h|d))$\"},{\"const\":0}"
	 "]"},
	{"a later feature says so",
	 {"properties", "state-dir", "description"},
	 "\"Directory where counters, history and the message trace survive a restart. "
	 "Not in this build yet.\""},
	{"no bracket in a reference",
	 {"$defs", "tls", "properties", "certificates", "items"},
	 "{\"$ref\":\"#/$defs/tls.certificates\"}"},
};

static void
test_schema(void **state)
{
	const struct schema_row *row = *state;
	json_t *schema = schema_new();
	char *found =
		json_dumps(find(schema, row->path), JSON_COMPACT | JSON_ENCODE_ANY);

	assert_string_equal(found, row->expected);
	free(found);
	json_decref(schema);
}

int
main(void)
{
	return ROWS_RUN(documents, test_document) + ROWS_RUN(dumps, test_dump) +
	       ROWS_RUN(schemas, test_schema);
}
