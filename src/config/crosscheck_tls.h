/*
 * crosscheck_tls: errors of TLS that no single key shows: a listener without a
 * certificate, certificates of clients without an authority, STARTTLS where bytes pass.
 * Thread: any. Allocates only what the report does.
 */
#ifndef EVENPOST_CONFIG_CROSSCHECK_TLS_H
#define EVENPOST_CONFIG_CROSSCHECK_TLS_H

#include "config/settings.h"

void tls_crosscheck(const struct section *root, struct report *report);

/* Whether some listener has TLS; or could have, as its setting, or all of them, could
   not be read. */
bool clients_may_have_tls(const struct section *root);

/* Whether the certificates of the pool's servers are verified. */
bool pool_section_verifies_tls(const struct section *pool);

#endif
