#include "config/report.h"

#include <stdarg.h>
#include <stdlib.h>

#define MESSAGE_MAX 1024
#define EXCERPT_MAX 60

void
report_init(struct report *report, const char *file)
{
	*report = (struct report){.file = file};
}

void
report_fini(struct report *report)
{
	free(report->entries);
	arena_reset(&report->arena);
	*report = (struct report){0};
}

static bool
is_control(char byte)
{
	return (unsigned char)byte < 0x20 || byte == 0x7f;
}

static const char *
keep_printable(struct arena *arena, const char *text)
{
	char *copy = arena_string(arena, span_from_string(text));

	for (char *at = copy; at && *at; at++)
		if (is_control(*at))
			*at = '?';
	return copy;
}

/* Room for one more; grows by doubling. NULL: there is none. */
static struct report_entry *
take_entry(struct report *report)
{
	struct report_entry *grown;
	uint32_t count = report->count;

	if (count == REPORT_ENTRIES_MAX)
		return NULL;
	/* Full whenever the count is a power of two; 8 to begin with. */
	if (count == 0 || (count >= 8 && (count & (count - 1)) == 0)) {
		grown = reallocarray(report->entries, count ? count * 2UL : 8,
				     sizeof(*grown));
		if (!grown)
			return NULL;
		report->entries = grown;
	}
	report->count++;
	return &report->entries[count];
}

static void
add(struct report *report, enum report_kind kind, struct place place, const char *path,
    const char *message)
{
	const char *kept_path = keep_printable(&report->arena, path);
	const char *kept_message = keep_printable(&report->arena, message);
	struct report_entry *entry;

	if (kind == REPORT_ADVICE)
		report->advice++;
	else
		report->errors++;
	if (!kept_path || !kept_message)
		return;
	entry = take_entry(report);
	if (entry)
		*entry = (struct report_entry){kind, place, kept_path, kept_message,
					       report->count};
}

void
report_error(struct report *report, struct place place, const char *path,
	     const char *format, ...)
{
	char message[MESSAGE_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	add(report, REPORT_ERROR, place, path, message);
}

void
report_advice(struct report *report, struct place place, const char *path,
	      const char *format, ...)
{
	char message[MESSAGE_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	add(report, REPORT_ADVICE, place, path, message);
}

static int
compare_numbers(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int
compare_entries(const void *left, const void *right)
{
	const struct report_entry *a = left;
	const struct report_entry *b = right;
	int lines = compare_numbers(a->place.line, b->place.line);
	int columns = compare_numbers(a->place.column, b->place.column);

	if (lines)
		return lines;
	return columns ? columns : compare_numbers(a->order, b->order);
}

void
report_sort(struct report *report)
{
	if (report->count)
		qsort(report->entries, report->count, sizeof(*report->entries),
		      compare_entries);
}

void
report_print_entry(const struct report *report, const struct report_entry *entry,
		   FILE *out)
{
	fprintf(out, "%s:", report->file);
	if (entry->place.line)
		fprintf(out, "%u:%u:", entry->place.line, entry->place.column);
	if (*entry->path)
		fprintf(out, " %s:", entry->path);
	fprintf(out, "%s %s\n", entry->kind == REPORT_ADVICE ? " advice:" : "",
		entry->message);
}

struct span
report_excerpt(struct span text)
{
	size_t length = EXCERPT_MAX;

	if (text.length <= length)
		return text;
	/* Continuation bytes of UTF-8 stay with their first. */
	while (length && ((unsigned char)text.at[length] & 0xc0) == 0x80)
		length--;
	return span_take(text, length);
}
