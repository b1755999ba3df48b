/* A command's parts lie in its line, in order, without blanks around them. */
#include "smtp/command.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct span line = span_of((const char *)bytes, length);
	struct smtp_command command;
	uint64_t size;
	bool last;

	smtp_command_is_foreign(line);
	smtp_command_hello_is_valid(line);
	smtp_command_read_chunk(line, &size, &last);
	if (!smtp_command_read(line, &command))
		return 0;
	assert(command.verb <= SMTP_UNKNOWN && span_starts(line, command.word));
	assert(span_equals(command.argument, span_trim(command.argument)));
	if (command.argument.length)
		assert(command.argument.at > command.word.at + command.word.length &&
		       command.argument.at + command.argument.length <=
			       line.at + length);
	return 0;
}
