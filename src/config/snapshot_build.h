/*
 * snapshot_build: makes a snapshot of settings that were found to be without errors.
 * Thread: control. Allocates.
 */
#ifndef EVENPOST_CONFIG_SNAPSHOT_BUILD_H
#define EVENPOST_CONFIG_SNAPSHOT_BUILD_H

#include "config/settings.h"
#include "config/snapshot.h"

/* *built has one reference. */
MUST_CHECK enum status
snapshot_build(const struct section *root, struct snapshot **built);

/* The networks of a setting. */
MUST_CHECK enum status
snapshot_build_networks(struct snapshot *snapshot, const struct setting *setting,
			struct network_set *set);

#endif
