/*
 * dump: the configuration in force, every default filled in, as JSON or as YAML that
 * the program reads again.
 * Thread: any. Allocates.
 */
#ifndef EVENPOST_CONFIG_DUMP_H
#define EVENPOST_CONFIG_DUMP_H

#include "config/settings.h"

#include <jansson.h>
#include <stdio.h>

/* The caller's to json_decref(). NULL: out of memory. */
json_t *dump_new(const struct section *root);

/* Objects, arrays, texts and numbers as YAML. */
void dump_print_yaml(const json_t *dump, FILE *out);

#endif
