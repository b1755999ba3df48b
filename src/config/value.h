/*
 * value: one value of the configuration file by its type: what it has to look like, how
 * it is read, how a number of that type is written. Thread: any. Never allocates.
 */
#ifndef EVENPOST_CONFIG_VALUE_H
#define EVENPOST_CONFIG_VALUE_H

#include "base/endpoint.h"
#include "config/keys.h"

enum value_fault {
	VALUE_GOOD,
	VALUE_MALFORMED,
	VALUE_OUT_OF_RANGE,
	VALUE_LATER, /* right, but its feature is not in this build */
};

/*
 * number: what a numeric type says, in the unit that keys.h names; true as 1; the place
 * of a choice among its words, from 0; a word that stands for a number is 0.
 */
enum value_fault value_read(const struct key *key, struct span text, uint64_t *number);

/* "a duration such as 250ms, 5s, 2m, 1h, 1d", for messages and the manual. */
const char *value_expects(enum value_type type);
/* One word for a table: "duration". */
const char *value_type_name(enum value_type type);
/* A regular expression (ECMA 262, as JSON Schema wants it), or NULL. */
const char *value_pattern(enum value_type type);

/* As one would write it: 90000 as a duration is "90s". Returns the length. */
#define VALUE_NUMBER_TEXT_MAX 32
size_t
value_print(enum value_type type, uint64_t number, char text[VALUE_NUMBER_TEXT_MAX]);

/*
 * HOST:PORT of a server. *endpoint has length 0 where the host is a name. Port 0 is
 * refused.
 */
bool value_read_server(struct span text, struct endpoint *endpoint);
/* An address of a resolver, with port 53 where it names none. */
bool value_read_resolver(struct span text, struct endpoint *endpoint);

#endif
