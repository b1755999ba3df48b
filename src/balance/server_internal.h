/*
 * server_internal: what server.c needs of server_health.c.
 * Thread: any. Never allocates.
 */
#ifndef EVENPOST_BALANCE_SERVER_INTERNAL_H
#define EVENPOST_BALANCE_SERVER_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

/* The health of a new server: up where it is not probed, unknown where it is. */
uint64_t health_word_new(bool probed, uint32_t weight);

#endif
