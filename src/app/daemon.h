/*
 * daemon: the evenpost that runs, as commands see it: where its admin.socket is, and
 * what it says there, one question a connection. What goes wrong is said on standard
 * error, and the value is the exit code. Thread: one that may block. Allocates.
 */
#ifndef EVENPOST_APP_DAEMON_H
#define EVENPOST_APP_DAEMON_H

#include "app/commands.h"
#include "base/span.h"
#include "base/status.h"

#include <jansson.h>

#define DAEMON_SOCKET_MAX 108 /* with its NUL: what fits the kernel's address */

/*
 * Its socket: the one that was given; without one the admin.socket that a configuration
 * file names. file: NULL for the default one, and where that does not exist the default
 * admin.socket.
 */
enum exit_code daemon_find_socket(const char *given, const char *file,
				  char socket_path[DAEMON_SOCKET_MAX]);

/* GET of a path of ours. *value is the caller's where the code is EXIT_DONE. */
enum exit_code daemon_get(const char *socket_path, const char *path, json_t **value);

/* An answer of HTTP. The body is borrowed from the bytes that it was read from. */
struct daemon_answer {
	unsigned code;
	struct span body;
};

/* An answer is no longer than this. */
#define DAEMON_ANSWER_MAX (16u << 20)

/*
 * Reads what has come so far. ended: no more will. STATUS_OK: it is whole.
 * STATUS_AGAIN: it is not. STATUS_LOST: it never will be. STATUS_INVALID: no answer
 * such as evenpost gives.
 */
MUST_CHECK enum status
daemon_answer_read(struct span bytes, bool ended, struct daemon_answer *answer);

#endif
