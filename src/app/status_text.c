#include "app/status_text.h"

#include "app/table.h"

#include <string.h>
#include <time.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const char *
text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* Seconds since 1970 of "2026-11-23T18:00:00.123Z"; now, where it is none. */
static int64_t
read_time(const char *text, int64_t now)
{
	struct tm parts = {0};

	if (!text || !strptime(text, "%Y-%m-%dT%H:%M:%S", &parts))
		return now;
	return timegm(&parts);
}

/* "3 h": the largest unit that there is one of. */
static const char *
print_span_of_time(int64_t seconds, char text[32])
{
	static const struct {
		const char *name;
		int64_t length;
	} units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
	size_t unit = 0;

	if (seconds < 0)
		seconds = 0;
	while (unit + 1 < COUNT_OF(units) && seconds < units[unit].length)
		unit++;
	snprintf(text, 32, "%lld %s", (long long)(seconds / units[unit].length),
		 units[unit].name);
	return text;
}

/* ---- cells ---- */

static void
write_text(const json_t *value, int64_t now, char cell[TABLE_CELL_MAX])
{
	const char *text = json_string_value(value);

	(void)now;
	snprintf(cell, TABLE_CELL_MAX, "%s", text ? text : "-");
}

static void
write_texts(const json_t *value, int64_t now, char cell[TABLE_CELL_MAX])
{
	size_t length = 0;
	const json_t *one;
	size_t index;

	(void)now;
	cell[0] = '\0';
	json_array_foreach(value, index, one)
	{
		const char *text = json_string_value(one);

		snprintf(cell + length, TABLE_CELL_MAX - length, "%s%s",
			 index ? ", " : "", text ? text : "-");
		length = strlen(cell);
	}
}

static void
write_count(const json_t *value, int64_t now, char cell[TABLE_CELL_MAX])
{
	(void)now;
	snprintf(cell, TABLE_CELL_MAX, "%lld", (long long)json_integer_value(value));
}

/* Small shares with a digit more: of many servers each has little. */
static void
write_share(const json_t *value, int64_t now, char cell[TABLE_CELL_MAX])
{
	double share = json_number_value(value);

	(void)now;
	snprintf(cell, TABLE_CELL_MAX, "%.*f %%", share > 0 && share < 0.1 ? 2 : 1,
		 share * 100);
}

/* Of the counts in an object. */
static void
write_sum(const json_t *value, int64_t now, char cell[TABLE_CELL_MAX])
{
	json_t *object = (json_t *)value; /* the loop's way through is not const */
	long long sum = 0;
	const char *key;
	json_t *count;

	(void)now;
	json_object_foreach(object, key, count) sum += json_integer_value(count);
	snprintf(cell, TABLE_CELL_MAX, "%lld", sum);
}

static bool
has_failed(const json_t *probe)
{
	const char *result = text_of(probe, "result");

	return result && strcmp(result, "ok") != 0;
}

/* What went wrong stands below the row. */
static void
write_probe(const json_t *value, int64_t now, char cell[TABLE_CELL_MAX])
{
	char age[32];

	if (!json_is_object(value)) {
		snprintf(cell, TABLE_CELL_MAX, "none yet");
		return;
	}
	snprintf(cell, TABLE_CELL_MAX, "%s, %.1f ms, %s ago",
		 has_failed(value) ? "failed" : "ok",
		 json_number_value(json_object_get(value, "took_ms")),
		 print_span_of_time(now - read_time(text_of(value, "at"), now), age));
}

/* ---- tables ---- */

static const struct table_column listener_columns[] = {
	{"LISTENER", "name", false, write_text},
	{"MODE", "mode", false, write_text},
	{"ADDRESS", "bind", false, write_texts},
	{"POOL", "pool", false, write_text},
	{"SESSIONS NOW", "active", true, write_count},
	{"TOTAL", "sessions", true, write_count},
};

static const struct table listeners = {.indent = "",
				       .columns = listener_columns,
				       .column_count = COUNT_OF(listener_columns)};

static const struct table_column server_columns[] = {
	{"SERVER", "name", false, write_text},
	{"ADDRESS", "address", false, write_text},
	{"STATE", "state", false, write_text},
	{"WEIGHT", "weight", true, write_count},
	{"WANTED", "share_wanted", true, write_share},
	{"REAL", "share", true, write_share},
	{"ACTIVE", "active", true, write_count},
	{"MESSAGES", "messages", true, write_count},
	{"FAILURES", "failures", true, write_sum},
	{"LAST PROBE", "last_probe", false, write_probe},
};

static void
print_remark(const char *what, const char *text, FILE *out)
{
	fprintf(out, "    ! %s: ", what);
	table_print_text(text, out);
	fputc('\n', out);
}

static void
print_remarks(const json_t *server, FILE *out)
{
	const json_t *probe = json_object_get(server, "last_probe");
	const char *fault = text_of(server, "fault");
	const char *certificate =
		text_of(json_object_get(probe, "certificate"), "remark");

	if (fault)
		print_remark("fault", fault, out);
	if (has_failed(probe))
		print_remark("last probe", text_of(probe, "result"), out);
	if (certificate)
		print_remark("certificate", certificate, out);
}

static const struct table servers = {.indent = "  ",
				     .columns = server_columns,
				     .column_count = COUNT_OF(server_columns),
				     .print_below = print_remarks};

/* ---- the whole ---- */

/* What was read of them before is in force, until somebody mends them. */
static void
print_refused_files(const json_t *status, FILE *out)
{
	const json_t *files = json_object_get(status, "refused_files");
	const json_t *file;
	size_t index;

	json_array_foreach(files, index, file)
	{
		fputs("! refused file: ", out);
		table_print_text(text_of(file, "path"), out);
		fputs(": ", out);
		table_print_text(text_of(file, "file"), out);
		fputs(": ", out);
		table_print_text(text_of(file, "why"), out);
		fputc('\n', out);
	}
	if (json_array_size(files))
		fputc('\n', out);
}

static void
print_program(const json_t *status, int64_t now, FILE *out)
{
	int64_t started = read_time(text_of(status, "started"), now);
	char age[32];

	fputs("evenpost ", out);
	table_print_text(text_of(status, "version"), out);
	fputs(" at ", out);
	table_print_text(text_of(status, "hostname"), out);
	fprintf(out, ", process %lld, up %s\n\n",
		(long long)json_integer_value(json_object_get(status, "pid")),
		print_span_of_time(now - started, age));
}

static size_t
count_up(const json_t *rows)
{
	const json_t *server;
	size_t count = 0;
	size_t index;

	json_array_foreach(rows, index, server)
	{
		const char *state = text_of(server, "state");

		count += state && !strcmp(state, "up");
	}
	return count;
}

static void
print_pool(const json_t *pool, int64_t now, FILE *out)
{
	const json_t *rows = json_object_get(pool, "servers");

	fputs("\npool ", out);
	table_print_text(text_of(pool, "name"), out);
	fputs(": ", out);
	table_print_text(text_of(pool, "balance"), out);
	fprintf(out, ", %zu of %zu up\n", count_up(rows), json_array_size(rows));
	table_print(&servers, rows, now, out);
}

void
status_text_print(const json_t *status, const json_t *pools, int64_t now, FILE *out)
{
	const json_t *pool;
	size_t index;

	print_program(status, now, out);
	print_refused_files(status, out);
	table_print(&listeners, json_object_get(status, "listeners"), now, out);
	json_array_foreach(pools, index, pool) print_pool(pool, now, out);
}
