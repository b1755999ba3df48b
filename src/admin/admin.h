/*
 * admin: the program as seen over HTTP: the dashboard, the probes of an orchestrator,
 * metrics, and the JSON of /api/v1. It only looks.
 *
 * Owner: the app. Thread: control, on whose loop it lives; nothing in it waits.
 * Allocates while it answers.
 */
#ifndef EVENPOST_ADMIN_ADMIN_H
#define EVENPOST_ADMIN_ADMIN_H

#include "base/status.h"

struct admin;
struct endpoint;
struct loop;
struct monitor;
struct proxy;
struct tls_refusals;
struct tls_set;

/*
 * Listens at admin.http of the proxy's snapshot, behind the token of admin.token-file,
 * and at admin.socket, which is open to our own user alone. That the default socket
 * can't be made is a warning. loop, proxy and monitor must outlive it.
 * STATUS_DENIED, STATUS_SYSTEM, STATUS_INVALID (the token file), STATUS_NO_MEMORY: what
 * went wrong is in the log.
 */
MUST_CHECK enum status
admin_open(struct admin **admin, struct loop *loop, const struct proxy *proxy,
	   const struct monitor *monitor);
/* NULL: nothing. */
void admin_close(struct admin *admin);

/* From now on the program is not ready: it stops. NULL: nothing. */
void admin_set_stopping(struct admin *admin);

/* What clients are shown from now on; a reference is taken. NULL: nothing. */
void admin_take_tls(struct admin *admin, struct tls_set *set);

/* Which files are refused; they must outlive it. NULL: nothing. */
void admin_show_refusals(struct admin *admin, const struct tls_refusals *refusals);

/* Where it listens, with the real port. */
const struct endpoint *admin_address(const struct admin *admin);

#endif
