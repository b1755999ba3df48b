#include "admin/token.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>

static bool
is_printable(struct span text)
{
	for (size_t i = 0; i < text.length; i++)
		if (text.at[i] <= ' ' || text.at[i] > '~')
			return false;
	return true;
}

static enum status
status_of_open(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return STATUS_NOT_FOUND;
	case EACCES:
	case EPERM:
		return STATUS_DENIED;
	default:
		return STATUS_SYSTEM;
	}
}

static enum status
token_take(struct token *token, struct span bytes)
{
	struct span line = span_cut(&bytes, '\n');

	if (line.length && line.at[line.length - 1] == '\r')
		line.length--;
	line = span_trim(line);
	if (span_is_empty(line) || !is_printable(line))
		return STATUS_INVALID;
	memcpy(token->text, line.at, line.length);
	token->length = line.length;
	return STATUS_OK;
}

enum status
token_read(struct token *token, const char *path)
{
	char bytes[TOKEN_MAX + 1];
	enum status status;
	ssize_t count;
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	token_clear(token);
	if (fd < 0)
		return status_of_open(errno);
	count = read(fd, bytes, sizeof(bytes));
	if (count < 0)
		return STATUS_SYSTEM;
	/* a file that fills the room may go on: half a token is none */
	if ((size_t)count == sizeof(bytes))
		return STATUS_INVALID;
	status = token_take(token, span_of(bytes, (size_t)count));
	explicit_bzero(bytes, sizeof(bytes));
	return status;
}

const char *
token_fault(enum status status)
{
	return status == STATUS_INVALID
		       ? "there is no token of printable ASCII characters in its first "
			 "line"
		       : strerror(errno);
}

bool
token_matches(const struct token *token, struct span given)
{
	volatile size_t difference = token->length ^ given.length;

	if (token->length == 0)
		return true;
	for (size_t i = 0; i < given.length; i++)
		difference |=
			(unsigned char)(given.at[i] ^ token->text[i % token->length]);
	return difference == 0;
}

void
token_clear(struct token *token)
{
	explicit_bzero(token, sizeof(*token));
}
