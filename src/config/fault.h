/*
 * fault: how the reader words what is wrong with a key or a value: where it stands,
 * what was expected there, and what was probably meant. Thread: owner of the report.
 * Allocates only what the report does.
 */
#ifndef EVENPOST_CONFIG_FAULT_H
#define EVENPOST_CONFIG_FAULT_H

#include "config/settings.h"
#include "config/yaml.h"

/* At its own place, under the path of the key; key NULL: of the section. */
void fault_add(struct report *report, const struct section *section,
	       const struct key *key, struct place place, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* The node is not what the key's type looks like. */
void fault_malformed(struct report *report, const struct section *section,
		     const struct key *key, const struct yaml_node *node);
void fault_out_of_range(struct report *report, const struct section *section,
			const struct key *key, const struct yaml_node *node);
/* The key, or this value of it, belongs to a feature that is not in this build. */
void fault_later(struct report *report, const struct section *section,
		 const struct key *key, const struct yaml_node *node);
/* A key that no row of the section has. */
void fault_unknown(struct report *report, const struct section *section,
		   const struct yaml_node *name);

#endif
