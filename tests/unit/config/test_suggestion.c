#include "config/suggestion.h"
#include "rows.h"

#include <stdio.h>

static const struct row {
	const char *name;
	const char *wanted;
	const char *candidates[4];
	const char *nearest; /* empty: none */
} rows[] = {
	{"a letter changed", "weicht", {"address", "weight"}, "weight"},
	{"two letters swapped", "wieght", {"weight"}, "weight"},
	{"a letter left out", "wight", {"weight"}, "weight"},
	{"a letter too many", "weights", {"weight"}, "weight"},
	{"an underscore", "max_idle", {"max-idle", "idle"}, "max-idle"},
	{"another case", "Hostname", {"hostname"}, "hostname"},
	{"the nearer of two",
	 "max-recipient",
	 {"max-recipients", "recipient"},
	 "max-recipients"},
	{"the first of equals", "fat", {"fit", "fan"}, "fit"},
	{"a short word is not every short word", "to", {"ca", "tls"}, ""},
	{"one letter off in two", "tp", {"to"}, "to"},
	{"nothing near", "xyzzy", {"hostname", "workers"}, ""},
	{"nothing at all", "", {"to"}, ""},
	{"longer than any word",
	 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	 {"a"},
	 ""},
};

static void
test_row(void **state)
{
	const struct row *row = *state;
	struct suggestion suggestion;
	char text[SUGGESTION_TEXT_MAX];
	char expected[SUGGESTION_TEXT_MAX] = "";

	suggestion_init(&suggestion, span_from_string(row->wanted));
	for (size_t i = 0; i < 4 && row->candidates[i]; i++)
		suggestion_offer(&suggestion, span_from_string(row->candidates[i]));
	if (*row->nearest)
		snprintf(expected, sizeof(expected), "; did you mean \"%s\"?",
			 row->nearest);
	assert_string_equal(suggestion_print(&suggestion, text), expected);
}

int
main(void)
{
	return ROWS_RUN(rows, test_row);
}
