/* What is accepted and printed for a server is accepted again, and printed the same. */
#include "smtp/parameters.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct span text = span_of((const char *)bytes, length);
	struct smtp_extensions all = {UINT32_MAX & ~SMTP_AUTH, 0};
	struct smtp_parameters parameters, again;
	struct buffer once, twice;

	if (smtp_parameters_read_mail(text, all, &parameters) != SMTP_PARAMETERS_OK)
		return 0;
	buffer_init(&once, 1u << 20);
	buffer_init(&twice, 1u << 20);
	assert(smtp_parameters_print(text, all, &once) == STATUS_OK);
	text = buffer_span(&once);
	assert(smtp_parameters_read_mail(text, all, &again) == SMTP_PARAMETERS_OK);
	assert(again.size == parameters.size && again.needs == parameters.needs);
	assert(smtp_parameters_print(text, all, &twice) == STATUS_OK);
	assert(span_equals(text, buffer_span(&twice)));
	buffer_clear(&once);
	buffer_clear(&twice);
	return 0;
}
