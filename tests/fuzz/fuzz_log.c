/* No value can begin a line, a field or a value of its own, nor end a quoted one. */
#include "base/log.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void
check_line(struct span line, enum log_level level)
{
	bool quoted = false;

	assert(level == LOG_INFO && span_find(line, '\n') == line.length - 1);
	for (size_t i = 0; i < line.length - 1; i++) {
		assert(line.at[i] >= 0x20 && line.at[i] <= 0x7e);
		if (line.at[i] == '\\')
			assert(quoted && i++ < line.length);
		else if (line.at[i] == '"')
			quoted = !quoted;
	}
	assert(!quoted);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct log_line line;

	log_set_sink(check_line);
	log_set_format(length % 2 ? LOG_JSON : LOG_LOGFMT);
	log_begin(&line, LOG_INFO, "fuzz");
	log_span(&line, "why", span_of((const char *)bytes, length));
	log_end(&line);
	return 0;
}
