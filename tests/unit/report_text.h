/*
 * report_text: a report as check prints it. Allocates; the caller frees it.
 */
#ifndef EVENPOST_TESTS_UNIT_REPORT_TEXT_H
#define EVENPOST_TESTS_UNIT_REPORT_TEXT_H

#include "config/report.h"

#include <assert.h>
#include <stdio.h>

static inline char *
report_text(const struct report *report)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	assert(out);
	for (uint32_t i = 0; i < report->count; i++)
		report_print_entry(report, &report->entries[i], out);
	fclose(out);
	return text;
}

#endif
