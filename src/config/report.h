/*
 * report: what is wrong with a configuration file, and what is legal but a trap; each
 * with its place. All of it is collected first and shown in the order of the lines.
 * Owner: the caller. Thread: owner. Allocates.
 */
#ifndef EVENPOST_CONFIG_REPORT_H
#define EVENPOST_CONFIG_REPORT_H

#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>

/* Where in the file, counted from 1; line 0: in no particular place. */
struct place {
	uint32_t line;
	uint32_t column;
};

/* More errors than this help nobody: the rest is counted, not kept. */
#define REPORT_ENTRIES_MAX 1000

enum report_kind { REPORT_ERROR, REPORT_ADVICE };

struct report_entry {
	enum report_kind kind;
	struct place place;
	const char *path; /* pools.hubs.servers.hub1.weight; empty: the file itself */
	const char *message;
	uint32_t order; /* of arrival, among those of one place */
};

struct report {
	const char *file; /* the name to show; borrowed */
	struct arena arena;
	struct report_entry *entries;
	uint32_t count;
	uint32_t errors; /* those that were not kept too */
	uint32_t advice;
};

/* file has to outlive the report. */
void report_init(struct report *report, const char *file);
void report_fini(struct report *report);

/*
 * Control characters in path and message are replaced, so that no file can play tricks
 * with a terminal. What does not fit in memory is counted as an error.
 */
void report_error(struct report *report, struct place place, const char *path,
		  const char *format, ...) __attribute__((format(printf, 4, 5)));
void report_advice(struct report *report, struct place place, const char *path,
		   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* By line and column. */
void report_sort(struct report *report);

/* One line each: FILE:LINE:COLUMN: PATH: what is wrong. */
void report_print_entry(const struct report *report, const struct report_entry *entry,
			FILE *out);

/* The first bytes of a text that a message quotes, cut between two characters. */
struct span report_excerpt(struct span text);

#endif
