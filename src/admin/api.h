/*
 * api: what /api/v1 says, as JSON values. The shapes are a contract. A counter is what
 * was counted since the program started. Thread: control. Allocates.
 */
#ifndef EVENPOST_ADMIN_API_H
#define EVENPOST_ADMIN_API_H

#include "admin/view.h"

#include <jansson.h>

/* NULL when memory is out; else the caller's reference. */
json_t *api_pools(const struct view *view);
json_t *api_status(const struct view *view);

#endif
