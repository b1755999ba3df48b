/* Replies whole and byte by byte: the same reply, the same verdict. */
#include "smtp/reply.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* A reply read and printed is a reply, fit for clients, and in the same words. */
static void
check_printed(const struct smtp_reply *reply)
{
	struct smtp_reply_reader reader = {0};
	struct smtp_reply again;
	struct buffer output;
	struct span rest;

	buffer_init(&output, SMTP_REPLY_BYTES_MAX);
	assert(smtp_reply_print(reply, &output) == STATUS_OK);
	rest = buffer_span(&output);
	assert(smtp_reply_read(&reader, &rest, &again) == SMTP_REPLY_COMPLETE);
	assert(again.code == reply->code && span_is_empty(rest));
	assert(smtp_reply_queue_id(reply).length <= reply->text.length);
	assert(smtp_reply_enhanced(reply).class % 10 <= 5);
	buffer_clear(&output);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct span whole = span_of((const char *)bytes, length);
	struct smtp_reply_reader reader = {0}, slow_reader = {0};
	enum smtp_reply_result slow = SMTP_REPLY_MORE, result;
	struct smtp_reply reply, slow_reply = {0};
	struct span rest = whole, grown = whole;

	result = smtp_reply_read(&reader, &rest, &reply);
	for (size_t i = 0; i <= length && slow == SMTP_REPLY_MORE; i++) {
		grown = span_take(whole, i);
		slow = smtp_reply_read(&slow_reader, &grown, &slow_reply);
	}
	assert(result == slow);
	if (result != SMTP_REPLY_COMPLETE)
		return 0;
	assert(reply.code == slow_reply.code && rest.at == grown.at);
	assert(span_equals(reply.text, slow_reply.text));
	check_printed(&reply);
	return 0;
}
