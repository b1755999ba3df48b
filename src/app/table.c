#include "app/table.h"

#include <assert.h>
#include <string.h>

#define GAP "  "

static void
write_cell(const struct table_column *column, const json_t *row, int64_t now,
	   char cell[TABLE_CELL_MAX])
{
	column->write(json_object_get(row, column->key), now, cell);
	assert(memchr(cell, 0, TABLE_CELL_MAX));
}

/* Octets are counted: each is printed as one character. */
static size_t
width_of(const struct table_column *column, const json_t *rows, int64_t now)
{
	char cell[TABLE_CELL_MAX];
	size_t width = strlen(column->title);
	const json_t *row;
	size_t index;

	json_array_foreach(rows, index, row)
	{
		write_cell(column, row, now, cell);
		if (strlen(cell) > width)
			width = strlen(cell);
	}
	return width;
}

static void
print_padding(size_t count, FILE *out)
{
	fprintf(out, "%*s", (int)count, "");
}

/* Nothing stands behind the last text of a line. */
static void
print_cell(const struct table *table, size_t at, size_t width, const char *cell,
	   FILE *out)
{
	bool is_number = table->columns[at].is_number;
	size_t padding = width - strlen(cell);

	fputs(at ? GAP : table->indent, out);
	if (is_number)
		print_padding(padding, out);
	table_print_text(cell, out);
	if (at + 1 == table->column_count)
		fputc('\n', out);
	else if (!is_number)
		print_padding(padding, out);
}

void
table_print(const struct table *table, const json_t *rows, int64_t now, FILE *out)
{
	size_t widths[TABLE_COLUMNS_MAX];
	char cell[TABLE_CELL_MAX];
	const json_t *row;
	size_t index;

	assert(table->column_count <= TABLE_COLUMNS_MAX);
	for (size_t i = 0; i < table->column_count; i++) {
		widths[i] = width_of(&table->columns[i], rows, now);
		print_cell(table, i, widths[i], table->columns[i].title, out);
	}
	json_array_foreach(rows, index, row)
	{
		for (size_t i = 0; i < table->column_count; i++) {
			write_cell(&table->columns[i], row, now, cell);
			print_cell(table, i, widths[i], cell, out);
		}
		if (table->print_below)
			table->print_below(row, out);
	}
}

void
table_print_text(const char *text, FILE *out)
{
	for (const char *at = text ? text : "-"; *at; at++)
		fputc(*at < 0x20 || *at > 0x7e ? '?' : *at, out);
}
