#include "health/program.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

void
program_init(struct program *program)
{
	*program = (struct program){
		.exit_fd = -1, .output_fd = -1, .exit.fd = -1, .output.fd = -1};
	buffer_init(&program->text, PROGRAM_TEXT_MAX);
}

void
program_clear(struct program *program)
{
	buffer_clear(&program->text);
}

static void
close_source(struct loop_source *source, int *fd)
{
	loop_remove(source);
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
keep_text(struct program *program, struct span text)
{
	size_t room = PROGRAM_TEXT_MAX - buffer_length(&program->text);

	/* Without memory the text is lost, not the verdict. */
	if (buffer_append(&program->text, span_take(text, room)) != STATUS_OK)
		buffer_clear(&program->text);
}

/* Reads what is there. False at the end of the output. */
static bool
read_output(struct program *program)
{
	char room[1024];
	ssize_t got;

	while ((got = read(program->output_fd, room, sizeof(room))) > 0)
		keep_text(program, span_of(room, (size_t)got));
	return got < 0 && errno == EAGAIN;
}

static void
output_ready(struct loop_source *source)
{
	struct program *program = CONTAINER_OF(source, struct program, output);

	if (!read_output(program))
		close_source(&program->output, &program->output_fd);
}

/*
 * When it has ended: its children go with it, while it is not reaped yet and the number
 * of the group is still its own.
 */
static void
program_reap(struct program *program, int options)
{
	siginfo_t end = {0};

	if (waitid(P_PIDFD, (id_t)program->exit_fd, &end, WEXITED | WNOWAIT | options) <
		    0 ||
	    end.si_pid == 0)
		return;
	program_kill(program);
	waitid(P_PIDFD, (id_t)program->exit_fd, &end, WEXITED);
	program->status = end.si_code == CLD_EXITED ? end.si_status : -1;
	if (program->output_fd >= 0)
		read_output(program);
	close_source(&program->output, &program->output_fd);
	close_source(&program->exit, &program->exit_fd);
	program->pid = 0;
}

static void
exit_ready(struct loop_source *source)
{
	struct program *program = CONTAINER_OF(source, struct program, exit);

	program_reap(program, WNOHANG);
	if (program->pid == 0)
		program->ended(program);
}

static int
prepare_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &all);
	posix_spawnattr_setpgroup(attributes, 0);
	return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP |
							    POSIX_SPAWN_SETSIGMASK |
							    POSIX_SPAWN_SETSIGDEF);
}

/* Returns an errno value. */
static int
spawn(char *const arguments[], int output, pid_t *pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int error = posix_spawn_file_actions_init(&files);

	if (error)
		return error;
	error = posix_spawnattr_init(&attributes);
	if (error) {
		posix_spawn_file_actions_destroy(&files);
		return error;
	}
	error = prepare_attributes(&attributes);
	if (!error)
		error = posix_spawn_file_actions_addopen(&files, STDIN_FILENO,
							 "/dev/null", O_RDONLY, 0);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&files, output, STDERR_FILENO);
	if (!error)
		error = posix_spawn(pid, arguments[0], &files, &attributes, arguments,
				    environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return error;
}

static enum status
spawn_failure(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return STATUS_NOT_FOUND;
	case EACCES:
	case EPERM:
		return STATUS_DENIED;
	case ENOMEM:
		return STATUS_NO_MEMORY;
	default:
		errno = error;
		return STATUS_SYSTEM;
	}
}

/* Both ends of the process are on the loop, or nothing is left of it. */
static enum status
watch(struct program *program)
{
	enum status status;

	program->exit_fd = pidfd_open(program->pid, 0);
	if (program->exit_fd < 0) {
		kill(-program->pid, SIGKILL);
		waitpid(program->pid, NULL, 0);
		program->pid = 0;
		close_source(&program->output, &program->output_fd);
		return STATUS_SYSTEM;
	}
	status = loop_add_level(program->loop, &program->exit, program->exit_fd,
				exit_ready);
	if (status == STATUS_OK)
		status = loop_add_level(program->loop, &program->output,
					program->output_fd, output_ready);
	if (status != STATUS_OK)
		program_stop(program);
	return status;
}

enum status
program_start(struct program *program, struct loop *loop, char *const arguments[],
	      program_ended *ended)
{
	int ends[2], error;

	assert(program->pid == 0);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return STATUS_SYSTEM;
	/* Our end alone: the flag belongs to an end, and the program expects a wait. */
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	error = spawn(arguments, ends[1], &program->pid);
	close(ends[1]);
	if (error) {
		close(ends[0]);
		program->pid = 0;
		return spawn_failure(error);
	}
	program->output_fd = ends[0];
	program->loop = loop;
	program->ended = ended;
	buffer_clear(&program->text);
	return watch(program);
}

void
program_kill(struct program *program)
{
	if (program->pid > 0)
		kill(-program->pid, SIGKILL);
}

void
program_stop(struct program *program)
{
	program_kill(program);
	while (program->pid > 0)
		program_reap(program, 0);
}
