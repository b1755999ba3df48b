#include "smtp/client.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const step_names[] = {
	[SMTP_STEP_GREETING] = "greeting", [SMTP_STEP_HELLO] = "hello",
	[SMTP_STEP_STARTTLS] = "starttls", [SMTP_STEP_IDENTITY] = "identity",
	[SMTP_STEP_AUTH] = "auth",         [SMTP_STEP_MAIL] = "mail",
	[SMTP_STEP_RCPT] = "rcpt",         [SMTP_STEP_DATA] = "data",
	[SMTP_STEP_CHUNK] = "chunk",       [SMTP_STEP_END] = "end",
	[SMTP_STEP_RSET] = "rset",         [SMTP_STEP_NOOP] = "noop",
	[SMTP_STEP_QUIT] = "quit",
};

static_assert(sizeof(step_names) / sizeof(step_names[0]) == SMTP_STEP_COUNT,
	      "a name for each step");

const char *
smtp_step_name(enum smtp_step step)
{
	assert(step < SMTP_STEP_COUNT);
	return step_names[step];
}

void
smtp_client_init(struct smtp_client *client)
{
	*client = (struct smtp_client){0};
	smtp_client_expect(client, SMTP_STEP_GREETING, 1);
}

static unsigned
run_index(const struct smtp_client *client, unsigned run)
{
	return (client->first + run) % SMTP_CLIENT_RUNS;
}

void
smtp_client_expect(struct smtp_client *client, enum smtp_step step, uint32_t count)
{
	unsigned last;

	assert(step < SMTP_STEP_COUNT);
	if (count == 0)
		return;
	assert(!smtp_client_owed_to(client, SMTP_STEP_STARTTLS));
	last = run_index(client, client->runs - 1u);
	if (client->runs == 0 || client->owed[last].step != step) {
		assert(client->runs < SMTP_CLIENT_RUNS);
		last = run_index(client, client->runs++);
		client->owed[last].step = (uint8_t)step;
		client->owed[last].count = 0;
	}
	client->owed[last].count += count;
	client->owed_total += count;
}

/* Appends the formatted line, without its CRLF but with room for it; all or nothing. */
static enum status
print_line(struct buffer *output, const char *format, va_list arguments)
{
	va_list again;
	enum status status;
	char *room;
	int length;

	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	assert(length >= 0);
	status = buffer_reserve(output, (size_t)length + 2, &room);
	if (status != STATUS_OK)
		return status;
	vsnprintf(room, (size_t)length + 1, format, arguments);
	/* Nobody's text may make two commands of one, whatever checked it before. */
	if (memchr(room, '\r', (size_t)length) || memchr(room, '\n', (size_t)length)) {
		buffer_commit(output, 0);
		return STATUS_INVALID;
	}
	memcpy(room + length, "\r\n", 2);
	buffer_commit(output, (size_t)length + 2);
	return STATUS_OK;
}

enum status
smtp_client_send(struct smtp_client *client, enum smtp_step step, struct buffer *output,
		 const char *format, ...)
{
	va_list arguments;
	enum status status;

	va_start(arguments, format);
	status = print_line(output, format, arguments);
	va_end(arguments);
	if (status == STATUS_OK)
		smtp_client_expect(client, step, 1);
	return status;
}

/* The step that the reply just read answers. */
static enum smtp_step
take_step(struct smtp_client *client)
{
	enum smtp_step step = client->owed[client->first].step;

	client->owed_total--;
	if (--client->owed[client->first].count == 0) {
		client->first = (uint8_t)run_index(client, 1);
		client->runs--;
	}
	return step;
}

enum smtp_client_result
smtp_client_next(struct smtp_client *client, struct span *input, enum smtp_step *step,
		 struct smtp_reply *reply)
{
	if (!client->broken && span_is_empty(*input))
		return SMTP_CLIENT_MORE;
	if (client->broken || client->owed_total == 0) {
		client->broken = true;
		return SMTP_CLIENT_BROKEN;
	}
	switch (smtp_reply_read(&client->reader, input, reply)) {
	case SMTP_REPLY_MORE:
		return SMTP_CLIENT_MORE;
	case SMTP_REPLY_COMPLETE:
		client->reader = (struct smtp_reply_reader){0};
		*step = take_step(client);
		return SMTP_CLIENT_REPLY;
	case SMTP_REPLY_BROKEN:
		break;
	}
	client->broken = true;
	return SMTP_CLIENT_BROKEN;
}

uint32_t
smtp_client_owed_to(const struct smtp_client *client, enum smtp_step step)
{
	uint32_t count = 0;

	for (unsigned run = 0; run < client->runs; run++)
		if (client->owed[run_index(client, run)].step == step)
			count += client->owed[run_index(client, run)].count;
	return count;
}
