/*
 * settings: a configuration as the rows of the key table say it: every key that applies
 * has a setting, given in the file or by default, with its place. What checks, advises,
 * prints and builds works on this tree.
 * Owner: the arena it was read into. Thread: owner. Never allocates.
 */
#ifndef EVENPOST_CONFIG_SETTINGS_H
#define EVENPOST_CONFIG_SETTINGS_H

#include "config/keys.h"
#include "config/report.h"

struct setting_value {
	struct place place;
	struct span text; /* as written; a mapping's name stands in the section */
	uint64_t number;  /* see value_read() */
};

struct setting {
	const struct key *key;
	struct place place; /* of the key in the file; of the section where it is not
			       there */
	bool given;         /* in the file */
	bool broken;        /* given, but not good: the default stands for it */
	uint32_t count;     /* of values; 0: nothing by default */
	struct setting_value *values;
	struct section *sections; /* VALUE_SECTION and its like, in the file's order */
};

struct section {
	enum section_kind kind;
	struct place place;
	struct span name; /* of a listener, pool or server; else empty */
	uint32_t index;   /* in a list or among those with names */
	const struct section *parent;
	const struct key *key;    /* in the parent; NULL: the root */
	struct setting *settings; /* one for each row of the kind, and an empty last */
	struct section *next;
};

/* Keys are literals of the key table; any other is a programmer's fault. */
struct setting *section_setting(const struct section *section, const char *key);
/* The first value; empty or 0 where there is none. */
struct span section_text(const struct section *section, const char *key);
uint64_t section_number(const struct section *section, const char *key);
/* Whether the first value is this text. */
bool section_says(const struct section *section, const char *key, const char *text);
/* Whether it is another; or could be, since what is given could not be read. */
bool
section_may_differ(const struct section *section, const char *key, const char *text);
bool section_gives(const struct section *section, const char *key);
/* The first section of a key, or NULL. */
struct section *section_child(const struct section *section, const char *key);
/* The section of that name among those of a key, or NULL. */
const struct section *
section_named(const struct section *section, const char *key, struct span name);

/* "pools.hubs.servers.hub1.weight"; key: NULL for the section itself. Returns path. */
#define SECTION_PATH_MAX 320
const char *section_path(const struct section *section, const char *key,
			 char path[SECTION_PATH_MAX]);

/* An error or advice at a key of a section; key NULL: at the section. */
void
section_error(const struct section *section, const char *key, struct report *report,
	      const char *format, ...) __attribute__((format(printf, 4, 5)));
void
section_advice(const struct section *section, const char *key, struct report *report,
	       const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Over the sections of one key. */
#define SECTION_EACH(parent, named, at)                                                \
	for (const struct section *at = section_child(parent, named); at; at = at->next)

#endif
