/*
 * commands: what evenpost does when it is called by a command's name. argv[0] is that
 * name; the value is the exit code. Options are read with getopt_long().
 */
#ifndef EVENPOST_APP_COMMANDS_H
#define EVENPOST_APP_COMMANDS_H

/* The values are those of sysexits.h where it has one. */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_NEGATIVE = 1, /* a negative answer */
	EXIT_USAGE = 64,
	EXIT_UNREACHABLE = 69, /* the daemon */
	EXIT_SYSTEM = 71,      /* the system refused */
	EXIT_PERMISSION = 77,
	EXIT_CONFIGURATION = 78,
};

int command_check(int argc, char **argv);
int command_config(int argc, char **argv);
int command_demo(int argc, char **argv);
int command_run(int argc, char **argv);
int command_status(int argc, char **argv);
int command_version(int argc, char **argv);

#endif
