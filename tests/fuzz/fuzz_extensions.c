/* What is read from a server and printed for clients is read again as the same. */
#include "smtp/extensions.h"

#include <assert.h>

#define NEVER_OFFERED (SMTP_XCLIENT | SMTP_XFORWARD | SMTP_BINARYMIME)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct smtp_reply reply = {250, {(const char *)bytes, length}};
	struct smtp_extensions read = smtp_extensions_read(&reply), again;
	struct buffer output;

	buffer_init(&output, 1024);
	assert(smtp_extensions_print(read, SPAN("mx"), &output) == STATUS_OK);
	reply.text = buffer_span(&output);
	again = smtp_extensions_read(&reply);
	if (!read.auth)
		read.set &= ~(uint32_t)SMTP_AUTH;
	assert(again.set == (read.set & ~NEVER_OFFERED) && again.size == read.size);
	assert(again.auth == read.auth);
	buffer_clear(&output);
	return 0;
}
