/*
 * reference: the rows of the key table as documentation: docs/configuration.md and the
 * manual page evenpost.yaml(5). A test compares the files in the tree with what this
 * prints; scripts/gen-config-docs writes them anew.
 * Thread: any. Never allocates.
 */
#ifndef EVENPOST_CONFIG_REFERENCE_H
#define EVENPOST_CONFIG_REFERENCE_H

#include <stdio.h>

void reference_print_markdown(FILE *out);
/* The source of a manual page, in scdoc's language. */
void reference_print_manual(FILE *out);

#endif
