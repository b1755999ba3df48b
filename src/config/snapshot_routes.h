/*
 * snapshot_routes: where the mail of a listener goes: its pools, and the routes between
 * which a client's mail is divided. A listener with a pool has one route, without a
 * condition. Thread: control. Allocates from the snapshot's arena.
 */
#ifndef EVENPOST_CONFIG_SNAPSHOT_ROUTES_H
#define EVENPOST_CONFIG_SNAPSHOT_ROUTES_H

#include "config/settings.h"
#include "config/snapshot.h"

/* The pools of the snapshot are there, in the order of the settings. */
MUST_CHECK enum status
snapshot_build_routes(struct snapshot *snapshot, struct listener_snapshot *listener,
		      const struct section *root, const struct section *section);

#endif
