/*
 * crosscheck_auth: errors of AUTH that no single key shows: a login where bytes pass,
 * two logins at one server, a name that nobody can have.
 * Thread: any. Allocates only what the report does.
 */
#ifndef EVENPOST_CONFIG_CROSSCHECK_AUTH_H
#define EVENPOST_CONFIG_CROSSCHECK_AUTH_H

#include "config/settings.h"

void auth_crosscheck(const struct section *root, struct report *report);

/* Whether the clients of the listener may log in. */
bool listener_relays_auth(const struct section *listener);
/* Whether servers of the pool are asked whether those logins are true. */
bool
listener_checks_logins_in(const struct section *listener, const struct section *pool);

#endif
