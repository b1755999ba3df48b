#include "app/commands.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{"run", command_run, "work, in the foreground"},
	{"status", command_status, "listeners, pools and servers as they are now"},
	{"check", command_check, "all errors of a configuration, and advice"},
	{"config", command_config, "schema, dump: what can be said, and what is"},
	{"demo", command_demo, "a balancer, three servers and some mail, to look at"},
	{"version", command_version, "which evenpost this is"},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void
print_usage(FILE *out)
{
	fprintf(out, "Usage: evenpost COMMAND [OPTION]...\n\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].help);
	fprintf(out, "\nevenpost COMMAND --help tells more.\n");
}

int
command_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("evenpost %s\n", EVENPOST_VERSION);
	return EXIT_DONE;
}

int
main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (!strcmp(name, commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	}
	if (!strcmp(name, "--version") || !strcmp(name, "-V"))
		return command_version(argc, argv);
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		print_usage(stdout);
		return EXIT_DONE;
	}
	if (*name)
		fprintf(stderr, "evenpost: %s: no such command\n", name);
	print_usage(stderr);
	return EXIT_USAGE;
}
