#include "client_record.h"

#include "smtp/client.h"

#include <assert.h>
#include <stdlib.h>

/* A connection's life: hello, and then transactions that differ in their recipients. */
static void
expect_all(struct smtp_client *client)
{
	smtp_client_expect(client, SMTP_STEP_HELLO, 1);
	smtp_client_expect(client, SMTP_STEP_MAIL, 1);
	smtp_client_expect(client, SMTP_STEP_RCPT, 3);
	smtp_client_expect(client, SMTP_STEP_DATA, 1);
	smtp_client_expect(client, SMTP_STEP_END, 2);
	smtp_client_expect(client, SMTP_STEP_QUIT, 1);
}

static enum smtp_client_result
next_reply(struct smtp_client *client, struct span *input, struct buffer *record)
{
	/* A copy of its own, so that reading behind what is shown is caught. */
	char *copy = malloc(input->length + 1);
	enum smtp_client_result result;
	enum status status = STATUS_OK;
	struct smtp_reply reply;
	enum smtp_step step;
	struct span rest;

	assert(copy);
	if (input->length)
		memcpy(copy + 1, input->at, input->length);
	rest = span_of(copy + 1, input->length);
	result = smtp_client_next(client, &rest, &step, &reply);
	*input = span_skip(*input, input->length - rest.length);
	if (result == SMTP_CLIENT_REPLY)
		status = buffer_print(record, "\n%s %u owed=%u %.*s",
				      smtp_step_name(step), reply.code,
				      smtp_client_owed(client), SPAN_ARGS(reply.text));
	else if (result == SMTP_CLIENT_BROKEN)
		status = buffer_append(record, SPAN("\nbroken"));
	assert(status == STATUS_OK);
	free(copy);
	return result;
}

void
client_record(struct span input, size_t piece, struct buffer *record)
{
	struct smtp_client client;
	struct span shown = span_take(input, piece);
	enum smtp_client_result result;
	size_t before;

	smtp_client_init(&client);
	expect_all(&client);
	do {
		before = shown.length;
		result = next_reply(&client, &shown, record);
		input = span_skip(input, before - shown.length);
		before = shown.length;
		shown = span_take(input,
				  before + (result == SMTP_CLIENT_MORE ? piece : 0));
	} while (result == SMTP_CLIENT_REPLY ||
		 (result == SMTP_CLIENT_MORE && shown.length > before));
}
