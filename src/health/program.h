/*
 * program: an external program on the loop: started, its output read, its end awaited,
 * or brought about. It gets a process group of its own, no signal blocked, standard
 * input from /dev/null, and our environment; standard output and error are read
 * together.
 *
 * Owner: the struct it is embedded in. Thread: owner, the control thread. Allocates
 * while it runs, and for the text until program_clear().
 */
#ifndef EVENPOST_HEALTH_PROGRAM_H
#define EVENPOST_HEALTH_PROGRAM_H

#include "base/buffer.h"
#include "net/loop.h"

#include <sys/types.h>

/* Bytes of output that are kept; more are read and dropped. */
#define PROGRAM_TEXT_MAX 2048

struct program;
typedef void program_ended(struct program *program);

struct program {
	struct loop *loop;
	program_ended *ended;
	pid_t pid; /* 0: none runs */
	int exit_fd;
	int output_fd;
	struct loop_source exit;
	struct loop_source output;
	struct buffer text;
	int status; /* its exit status; -1: it was killed */
};

void program_init(struct program *program);

/*
 * arguments: as for execve(), the first is the absolute path. ended is called once,
 * later. STATUS_NOT_FOUND, STATUS_DENIED, STATUS_NO_MEMORY, STATUS_SYSTEM: it was not
 * started.
 */
MUST_CHECK enum status program_start(struct program *program, struct loop *loop,
				     char *const arguments[], program_ended *ended);

/* Kills its process group; ended is called when it is gone. */
void program_kill(struct program *program);

/* Kills it, waits until it is gone, and does not call ended. Nothing to one not
 * running. */
void program_stop(struct program *program);

/* Frees the text. */
void program_clear(struct program *program);

#endif
