/*
 * status_text: what /api/v1/status and /api/v1/pools say, for people: a table of the
 * listeners, and one of the servers of each pool. What a daemon of another version
 * leaves out is shown as "-" or 0. Thread: any. Never allocates.
 */
#ifndef EVENPOST_APP_STATUS_TEXT_H
#define EVENPOST_APP_STATUS_TEXT_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* pools: the array. now: seconds since 1970. */
void
status_text_print(const json_t *status, const json_t *pools, int64_t now, FILE *out);

#endif
