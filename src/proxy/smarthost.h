/*
 * smarthost: who evenpost itself is at the servers of a pool that wants a login, and
 * the password that proves it, from a file. Ready to be said in each mechanism that we
 * speak, in memory that is locked, and wiped with the last reference. Frozen. Owner:
 * reference-counted. Thread: any; loading reads a file: the control thread's work.
 * Allocates when loaded.
 */
#ifndef EVENPOST_PROXY_SMARTHOST_H
#define EVENPOST_PROXY_SMARTHOST_H

#include "base/status.h"
#include "smtp/sasl.h"

struct smarthost;

/* A path, and what is wrong with it. */
#define SMARTHOST_FAULT_MAX 512

/*
 * The password is the first line of its file without its end. username: one that
 * sasl_name_is_valid(). STATUS_INVALID, STATUS_NO_MEMORY, STATUS_SYSTEM: fault says
 * why, and has nothing of what is in the file.
 */
MUST_CHECK enum status
smarthost_load(struct smarthost **smarthost, struct span username, const char *path,
	       char fault[SMARTHOST_FAULT_MAX]);
struct smarthost *smarthost_ref(struct smarthost *smarthost);
/* NULL is ignored. */
void smarthost_unref(struct smarthost *smarthost);

/* They say the same to servers. NULL: nobody, who is like nobody else. */
bool smarthost_equals(const struct smarthost *one, const struct smarthost *other);

/*
 * For a server that offers these mechanisms: PLAIN, else LOGIN; NULL: it has neither.
 * They last as long as it does.
 */
const struct sasl_credentials *
smarthost_credentials(const struct smarthost *smarthost, uint32_t offered);

#endif
