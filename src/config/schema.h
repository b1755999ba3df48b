/*
 * schema: the rows of the key table as a JSON Schema (draft 2020-12), for editors that
 * complete and check while one types.
 * Thread: any. Allocates.
 */
#ifndef EVENPOST_CONFIG_SCHEMA_H
#define EVENPOST_CONFIG_SCHEMA_H

#include "config/keys.h"

#include <jansson.h>

/* The caller's to json_decref(). NULL: out of memory. */
json_t *schema_new(void);

/* A value as JSON would write it: 5, true, "5s". NULL: out of memory. */
json_t *schema_value(const struct key *key, struct span text);

#endif
