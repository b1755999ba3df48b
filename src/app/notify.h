/*
 * notify: tells the service manager how we are (sd_notify(3)'s protocol).
 * Thread: control.
 */
#ifndef EVENPOST_APP_NOTIFY_H
#define EVENPOST_APP_NOTIFY_H

/* "READY=1", "STOPPING=1". Does nothing without NOTIFY_SOCKET. */
void notify_state(const char *state);

#endif
