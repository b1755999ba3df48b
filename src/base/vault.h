/*
 * vault: memory for what nobody may find later: locked into memory and kept out of core
 * dumps where the system allows it, and wiped when it is given back. Small pieces share
 * pages, since what may be locked is little (RLIMIT_MEMLOCK) and so are the mappings
 * that a process may have (vm.max_map_count). Where the lock is refused the memory is
 * given all the same, which is said in the log once.
 *
 * Owner: who has taken a piece. Thread: any; a lock is taken, under which the system is
 * called once for many pieces: not for the path of a message. Maps pages.
 */
#ifndef EVENPOST_BASE_VAULT_H
#define EVENPOST_BASE_VAULT_H

#include <stddef.h>

/* At least *size bytes, all zero; *size becomes how many. NULL: out of memory. */
void *vault_take(size_t *size);
/* Wipes it. size: as vault_take() has set it. NULL is ignored. */
void vault_put(void *piece, size_t size);

#endif
