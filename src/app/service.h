/*
 * service: the whole program at work: the listening sockets, a thread for each worker,
 * and the control thread (the one that calls service_run) with signals, probes, DNS and
 * the admin interface on a loop of its own. Owner: the command that runs it. Thread:
 * control.
 */
#ifndef EVENPOST_APP_SERVICE_H
#define EVENPOST_APP_SERVICE_H

#include "config/snapshot.h"

/*
 * Runs until SIGTERM or SIGINT; takes over the reference to the snapshot. Returns an
 * exit code of operations.md: 0; 71, 77 where the system refused; 78 where certificates
 * are at fault; what went wrong is in the log. on_ready, which may be NULL, is called
 * once all listeners accept.
 */
int service_run(struct snapshot *snapshot, void (*on_ready)(void *with), void *with);

#endif
