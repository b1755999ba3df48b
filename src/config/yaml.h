/*
 * yaml: a YAML 1.2 document as a tree with places, read with libfyaml, which nothing
 * else in the program knows. Scalars are texts; what they mean is for the key table.
 * Aliases point to the node of their anchor, so a tree can be a graph without cycles;
 * "<<" merges mappings. Limits bound what a hostile file can cost. Owner: the arena it
 * was read into. Thread: any reads; yaml_read(): the owner of the arena. Allocates.
 */
#ifndef EVENPOST_CONFIG_YAML_H
#define EVENPOST_CONFIG_YAML_H

#include "base/arena.h"
#include "base/status.h"
#include "config/report.h"

#define YAML_BYTES_MAX ((size_t)1 << 20)
#define YAML_DEPTH_MAX 16
#define YAML_NODES_MAX 50000 /* counted as often as aliases repeat them */

enum yaml_kind {
	YAML_NOTHING, /* "key:" without a value, ~ or null */
	YAML_TEXT,
	YAML_LIST,
	YAML_MAP,
};

/* Keys can be there twice: whoever reads a mapping says so where it knows the path. */
struct yaml_entry {
	const struct yaml_node *key; /* NULL in a list */
	const struct yaml_node *value;
	struct yaml_entry *next;
};

struct yaml_node {
	enum yaml_kind kind;
	struct place place;
	struct span text; /* YAML_TEXT */
	struct yaml_entry *entries;
	uint32_t size; /* nodes in it, itself included, aliases followed */
};

/*
 * Reads text, which stays borrowed only during the call. An empty document gives a node
 * of kind YAML_NOTHING. STATUS_INVALID: the report says why.
 */
MUST_CHECK enum status yaml_read(struct span text, struct arena *arena,
				 struct report *report, const struct yaml_node **root);

#endif
