#include "app/daemon.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/number.h"
#include "config/check.h"
#include "config/snapshot.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

/* Seconds without a byte. */
#define PATIENCE 10

/* Bytes read at once. */
#define PIECE (64u << 10)

/* ---- where it is ---- */

static enum exit_code
take_path(struct span path, char socket_path[DAEMON_SOCKET_MAX])
{
	if (path.length >= DAEMON_SOCKET_MAX) {
		fprintf(stderr, "evenpost: %.*s: too long for the path of a socket\n",
			SPAN_ARGS(path));
		return EXIT_UNREACHABLE;
	}
	memcpy(socket_path, path.at, path.length);
	socket_path[path.length] = '\0';
	return EXIT_DONE;
}

static enum exit_code
take_setting(const char *file, const struct section *root,
	     char socket_path[DAEMON_SOCKET_MAX])
{
	const struct section *admin = section_child(root, "admin");

	if (!section_says(admin, "socket", "off"))
		return take_path(section_text(admin, "socket"), socket_path);
	fprintf(stderr,
		"evenpost: %s: admin.socket is off: there is no way to ask evenpost\n",
		file);
	return EXIT_UNREACHABLE;
}

static void
print_errors(const struct report *report)
{
	for (uint32_t i = 0; i < report->count; i++)
		if (report->entries[i].kind == REPORT_ERROR)
			report_print_entry(report, &report->entries[i], stderr);
}

static enum exit_code
read_file(const char *file, char socket_path[DAEMON_SOCKET_MAX])
{
	enum exit_code code = EXIT_CONFIGURATION;
	struct arena arena = {0};
	struct section *root;
	struct report report;
	struct span text;

	report_init(&report, file);
	if (settings_load(file, &arena, &report, &text) == STATUS_OK &&
	    settings_check(text, &arena, &report, &root) == STATUS_OK)
		code = take_setting(file, root, socket_path);
	print_errors(&report);
	report_fini(&report);
	arena_reset(&arena);
	return code;
}

static enum exit_code
find_by_file(const char *file, char socket_path[DAEMON_SOCKET_MAX])
{
	const char *path = file ? file : SNAPSHOT_PATH_DEFAULT;
	const struct key *key = key_find(SECTION_ADMIN, SPAN("socket"));

	if (!access(path, R_OK))
		return read_file(path, socket_path);
	if (errno == EACCES) {
		fprintf(stderr,
			"evenpost: %s: %s. Try again as root, or say --socket PATH\n",
			path, strerror(errno));
		return EXIT_PERMISSION;
	}
	if (!file && errno == ENOENT)
		return take_path(span_from_string(key->fallback), socket_path);
	return read_file(path, socket_path);
}

enum exit_code
daemon_find_socket(const char *given, const char *file,
		   char socket_path[DAEMON_SOCKET_MAX])
{
	if (given)
		return take_path(span_from_string(given), socket_path);
	return find_by_file(file, socket_path);
}

/* ---- what it answers ---- */

/* "HTTP/1.1 200 OK" */
static bool
read_status_line(struct span line, unsigned *code)
{
	uint64_t number;

	if (!span_starts(line, SPAN("HTTP/1.")))
		return false;
	span_cut(&line, ' ');
	if (!number_read(span_cut(&line, ' '), 999, &number))
		return false;
	*code = (unsigned)number;
	return true;
}

/* Where no header says how long the body is: to the end of the connection. */
#define TO_THE_END UINT64_MAX

/* False: one that says what we can't follow. */
static bool
read_header(struct span line, uint64_t *length)
{
	struct span name = span_cut(&line, ':');

	if (span_equals_nocase(name, SPAN("Transfer-Encoding")))
		return false;
	return !span_equals_nocase(name, SPAN("Content-Length")) ||
	       number_read(span_trim(line), DAEMON_ANSWER_MAX, length);
}

static struct span
next_line(struct span *rest)
{
	struct span line = span_cut(rest, '\n');

	if (line.length && line.at[line.length - 1] == '\r')
		line.length--;
	return line;
}

static bool
read_head(struct span head, unsigned *code, uint64_t *length)
{
	*length = TO_THE_END;
	if (!read_status_line(next_line(&head), code))
		return false;
	while (head.length)
		if (!read_header(next_line(&head), length))
			return false;
	return true;
}

enum status
daemon_answer_read(struct span bytes, bool ended, struct daemon_answer *answer)
{
	static const struct span gap = SPAN_INITIALIZER("\r\n\r\n");
	enum status missing = ended ? STATUS_LOST : STATUS_AGAIN;
	const char *end = memmem(bytes.at, bytes.length, gap.at, gap.length);
	uint64_t length;
	size_t head;

	if (!end)
		return missing;
	head = (size_t)(end - bytes.at);
	if (!read_head(span_take(bytes, head), &answer->code, &length))
		return STATUS_INVALID;
	answer->body = span_skip(bytes, head + gap.length);
	if (length == TO_THE_END)
		return ended ? STATUS_OK : STATUS_AGAIN;
	if (answer->body.length < length)
		return missing;
	answer->body = span_take(answer->body, length);
	return STATUS_OK;
}

/* ---- a question ---- */

static enum status
status_of_errno(void)
{
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
		return STATUS_NOT_FOUND;
	case ECONNREFUSED:
		return STATUS_REFUSED;
	case EACCES:
	case EPERM:
		return STATUS_DENIED;
	case EAGAIN:
		return STATUS_TIMEOUT;
	case ECONNRESET:
	case EPIPE:
		return STATUS_LOST;
	default:
		return STATUS_SYSTEM;
	}
}

static enum status
open_connection(const char *socket_path, int *fd)
{
	const struct timeval patience = {.tv_sec = PATIENCE};
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	static_assert(sizeof(address.sun_path) == DAEMON_SOCKET_MAX, "a path fits");
	memcpy(address.sun_path, socket_path, strlen(socket_path));
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0 ||
	    setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) ||
	    connect(*fd, (const struct sockaddr *)&address, sizeof(address)))
		return status_of_errno();
	return STATUS_OK;
}

/* A request is short: it fits the socket's buffer, or something is wrong. */
static enum status
send_request(int fd, const char *path)
{
	char request[256];
	int length = snprintf(request, sizeof(request),
			      "GET %s HTTP/1.1\r\nHost: evenpost\r\n"
			      "Connection: close\r\n\r\n",
			      path);
	ssize_t sent;

	assert(length > 0 && (size_t)length < sizeof(request));
	sent = send(fd, request, (size_t)length, MSG_NOSIGNAL);
	if (sent < 0)
		return status_of_errno();
	return sent == length ? STATUS_OK : STATUS_TIMEOUT;
}

/* ended: nothing more will come. */
static enum status
receive_piece(int fd, struct buffer *bytes, bool *ended)
{
	char *room;
	ssize_t count;
	enum status status = buffer_reserve(bytes, PIECE, &room);

	if (status != STATUS_OK)
		return status;
	do
		count = recv(fd, room, PIECE, 0);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return status_of_errno();
	buffer_commit(bytes, (size_t)count);
	*ended = count == 0;
	return STATUS_OK;
}

static enum status
receive_answer(int fd, struct buffer *bytes, struct daemon_answer *answer)
{
	bool ended = false;
	enum status status;

	do {
		status = receive_piece(fd, bytes, &ended);
		if (status == STATUS_OK)
			status = daemon_answer_read(buffer_span(bytes), ended, answer);
	} while (status == STATUS_AGAIN);
	return status;
}

static enum status
ask(const char *socket_path, const char *path, struct buffer *bytes,
    struct daemon_answer *answer)
{
	AUTO_CLOSE int fd = -1;
	enum status status = open_connection(socket_path, &fd);

	if (status == STATUS_OK)
		status = send_request(fd, path);
	if (status == STATUS_OK)
		status = receive_answer(fd, bytes, answer);
	return status;
}

/* ---- what is said about it ---- */

static const struct {
	enum exit_code code;
	const char *what; /* and what to look at; NULL: the system says it */
} complaints[STATUS_COUNT] = {
	[STATUS_NOT_FOUND] = {EXIT_UNREACHABLE,
			      "there is no such socket. Does evenpost run, and does "
			      "its configuration name this admin.socket?"},
	[STATUS_REFUSED] = {EXIT_UNREACHABLE,
			    "nobody listens at it. Does evenpost run?"},
	[STATUS_DENIED] = {EXIT_PERMISSION,
			   "permission denied. The socket is open to root and to the "
			   "user that evenpost runs as"},
	[STATUS_TIMEOUT] = {EXIT_UNREACHABLE,
			    "no answer. Is the machine overloaded, or the "
			    "process stopped?"},
	[STATUS_LOST] = {EXIT_UNREACHABLE,
			 "the connection ended before the answer did. Is evenpost "
			 "being stopped?"},
	[STATUS_INVALID] = {EXIT_UNREACHABLE,
			    "that is not how evenpost answers. Who listens there?"},
	[STATUS_FULL] = {EXIT_UNREACHABLE, "the answer is longer than 16 MB"},
	[STATUS_NO_MEMORY] = {EXIT_SYSTEM, "memory is out"},
	[STATUS_SYSTEM] = {EXIT_SYSTEM, NULL},
};

static enum exit_code
complain(const char *socket_path, enum status status)
{
	const char *what = complaints[status].what;

	assert(complaints[status].code);
	fprintf(stderr, "evenpost: %s: %s\n", socket_path,
		what ? what : strerror(errno));
	return complaints[status].code;
}

static enum exit_code
read_body(const char *socket_path, const char *path, const struct daemon_answer *answer,
	  json_t **value)
{
	if (answer->code != 200) {
		fprintf(stderr, "evenpost: %s: GET %s was answered with %u\n",
			socket_path, path, answer->code);
		return EXIT_UNREACHABLE;
	}
	*value = json_loadb(answer->body.at, answer->body.length, 0, NULL);
	return *value ? EXIT_DONE : complain(socket_path, STATUS_INVALID);
}

enum exit_code
daemon_get(const char *socket_path, const char *path, json_t **value)
{
	struct daemon_answer answer;
	enum exit_code code;
	enum status status;
	struct buffer bytes;

	buffer_init(&bytes, DAEMON_ANSWER_MAX);
	status = ask(socket_path, path, &bytes, &answer);
	if (status == STATUS_OK)
		code = read_body(socket_path, path, &answer, value);
	else
		code = complain(socket_path, status);
	buffer_clear(&bytes);
	return code;
}
