#include "proxy/smarthost.h"

#include "base/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

/* One octet more than a password and CRLF tells that there are too many. */
#define LINE_MAX_SIZE (SASL_PASSWORD_MAX + 3)

struct smarthost {
	atomic_uint references;
	struct sasl_credentials plain;
	struct sasl_credentials by_login;
};

static enum status
refuse(char fault[SMARTHOST_FAULT_MAX], enum status status, const char *path,
       const char *what)
{
	snprintf(fault, SMARTHOST_FAULT_MAX, "%s: %s", path, what);
	return status;
}

/* A pipe would keep the control thread waiting. */
static enum status
open_file(const char *path, int *fd, char fault[SMARTHOST_FAULT_MAX])
{
	struct stat found;

	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (*fd < 0 || fstat(*fd, &found))
		return refuse(fault, STATUS_SYSTEM, path, strerror(errno));
	if (!S_ISREG(found.st_mode))
		return refuse(fault, STATUS_INVALID, path, "not a file");
	return STATUS_OK;
}

/* As much as can matter. */
static bool
read_head(int fd, struct secret *head, char *room)
{
	ssize_t count = 1;

	while (count > 0 && head->length < LINE_MAX_SIZE) {
		count = read(fd, room + head->length, LINE_MAX_SIZE - head->length);
		if (count < 0)
			return false;
		head->length += (uint32_t)count;
	}
	return true;
}

static struct span
first_line(struct span head)
{
	struct span line = span_cut(&head, '\n');

	if (line.length && line.at[line.length - 1] == '\r')
		line.length--;
	return line;
}

static enum status
make_credentials(struct smarthost *smarthost, struct span name, struct span password)
{
	enum status status =
		sasl_credentials_make(&smarthost->plain, SASL_PLAIN, name, password);

	return status == STATUS_OK ? sasl_credentials_make(&smarthost->by_login,
							   SASL_LOGIN, name, password)
				   : status;
}

static enum status
take_password(struct smarthost *smarthost, struct span username, const char *path,
	      struct span password, char fault[SMARTHOST_FAULT_MAX])
{
	enum status status;

	if (span_is_empty(password))
		return refuse(fault, STATUS_INVALID, path,
			      "there is no password in its first line");
	if (password.length > SASL_PASSWORD_MAX)
		return refuse(fault, STATUS_INVALID, path,
			      "its first line is longer than a password may be");
	status = make_credentials(smarthost, username, password);
	if (status == STATUS_INVALID)
		return refuse(fault, status, path, "no password has a NUL in it");
	if (status != STATUS_OK)
		return refuse(fault, status, path, "out of memory");
	return STATUS_OK;
}

static enum status
load(struct smarthost *smarthost, struct span username, const char *path,
     struct secret *head, char fault[SMARTHOST_FAULT_MAX])
{
	AUTO_CLOSE int fd = -1;
	enum status status = open_file(path, &fd, fault);
	char *room;

	if (status != STATUS_OK)
		return status;
	if (secret_reserve(head, LINE_MAX_SIZE, &room) != STATUS_OK)
		return refuse(fault, STATUS_NO_MEMORY, path, "out of memory");
	if (!read_head(fd, head, room))
		return refuse(fault, STATUS_SYSTEM, path, strerror(errno));
	return take_password(smarthost, username, path, first_line(secret_span(head)),
			     fault);
}

enum status
smarthost_load(struct smarthost **smarthost, struct span username, const char *path,
	       char fault[SMARTHOST_FAULT_MAX])
{
	struct smarthost *made = calloc(1, sizeof(*made));
	struct secret head = {0};
	enum status status;

	if (!made)
		return refuse(fault, STATUS_NO_MEMORY, path, "out of memory");
	atomic_init(&made->references, 1);
	status = load(made, username, path, &head, fault);
	secret_clear(&head);
	if (status == STATUS_OK)
		*smarthost = made;
	else
		smarthost_unref(made);
	return status;
}

struct smarthost *
smarthost_ref(struct smarthost *smarthost)
{
	atomic_fetch_add_explicit(&smarthost->references, 1, memory_order_relaxed);
	return smarthost;
}

void
smarthost_unref(struct smarthost *smarthost)
{
	unsigned references;

	if (!smarthost)
		return;
	references = atomic_fetch_sub_explicit(&smarthost->references, 1,
					       memory_order_acq_rel);
	assert(references > 0);
	if (references > 1)
		return;
	sasl_credentials_clear(&smarthost->plain);
	sasl_credentials_clear(&smarthost->by_login);
	free(smarthost);
}

bool
smarthost_equals(const struct smarthost *one, const struct smarthost *other)
{
	if (!one || !other)
		return one == other;
	/* name and password are in it, and the other mechanism says the same two */
	return span_equals(secret_span(&one->plain.text),
			   secret_span(&other->plain.text));
}

const struct sasl_credentials *
smarthost_credentials(const struct smarthost *smarthost, uint32_t offered)
{
	if (offered & SASL_PLAIN)
		return &smarthost->plain;
	return offered & SASL_LOGIN ? &smarthost->by_login : NULL;
}
