/*
 * table: JSON objects as rows of plain text in columns that are as wide as they have to
 * be. Goes twice over the rows, once for the widths, and keeps none of them. All text
 * is printed as printable ASCII, so that nobody can play tricks with a terminal.
 * Thread: any. Never allocates.
 */
#ifndef EVENPOST_APP_TABLE_H
#define EVENPOST_APP_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 16
#define TABLE_CELL_MAX 1024 /* with its NUL; what is longer is cut */

struct table_column {
	const char *title;
	const char *key; /* of the object that is a row */
	bool is_number;  /* set to the right */
	/* value: NULL where the key is missing. now: as given to table_print(). */
	void (*write)(const json_t *value, int64_t now, char cell[TABLE_CELL_MAX]);
};

struct table {
	const char *indent;
	const struct table_column *columns;
	size_t column_count;
	/* More lines below a row; NULL: none. */
	void (*print_below)(const json_t *row, FILE *out);
};

/* rows: an array. */
void table_print(const struct table *table, const json_t *rows, int64_t now, FILE *out);

/*
 * A text that others may have a part in: octets outside printable ASCII become "?".
 * NULL: "-".
 */
void table_print_text(const char *text, FILE *out);

#endif
