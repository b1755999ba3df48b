/* Whatever a client says, a server hears short lines of clean values, ADDR at the end.
 */
#include "smtp/xclient.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static bool
is_clean(struct span value)
{
	for (size_t i = 0; i < value.length; i++) {
		if (value.at[i] <= ' ' || value.at[i] > '~' || value.at[i] == '=')
			return false;
	}
	return !span_is_empty(value) && value.length <= 255;
}

static uint32_t
check_command(struct span command, bool last, uint32_t asked)
{
	struct span line = span_take(command, command.length - 2);
	uint32_t said = 0;

	assert(command.length <= 512);
	assert(span_equals(span_skip(command, line.length), SPAN("\r\n")));
	span_cut(&line, ' ');
	while (!span_is_empty(line)) {
		struct span value = span_cut(&line, ' ');
		uint32_t attribute = smtp_attributes_read(span_cut(&value, '='));

		assert(attribute & asked && !(attribute & said) && is_clean(value));
		assert(attribute != SMTP_ATTRIBUTE_ADDR ||
		       (last && span_is_empty(line)));
		said |= attribute;
	}
	assert(said);
	return said;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct span rest = span_of((const char *)bytes, length);
	enum smtp_attributes_verb verb = length % 2;
	uint32_t left = smtp_attributes_read(span_cut(&rest, '\n')), said = 0;
	struct smtp_origin origin = {.authenticated = length % 3 != 0};
	struct buffer output;

	endpoint_read(span_cut(&rest, '\n'), &origin.client);
	origin.name = span_cut(&rest, '\n');
	origin.name_state = origin.name.length % 3;
	origin.helo = span_cut(&rest, '\n');
	origin.login = origin.id = rest;
	buffer_init(&output, 512);
	while (left) {
		uint32_t asked = left;

		if (smtp_attributes_print(verb, &origin, &left, &output) == STATUS_OK)
			said |= check_command(buffer_span(&output), left == 0, asked);
		assert(left < asked && !(left & said));
		buffer_clear(&output);
	}
	return 0;
}
