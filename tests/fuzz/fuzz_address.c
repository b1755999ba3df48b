/* A mailbox alone is read as it was in its path; what is normal stays as it is. */
#include "smtp/address.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct span input = span_of((const char *)bytes, length), rest;
	char text[SMTP_PATH_MAX + 3], normal[SMTP_DOMAIN_MAX + 1],
		same[SMTP_DOMAIN_MAX + 1];
	struct smtp_path path, again;
	size_t size;

	if (!smtp_path_read(&input, SMTP_FORWARD_PATH, &path))
		return 0;
	snprintf(text, sizeof(text), "<%.*s>", SPAN_ARGS(path.mailbox));
	rest = span_from_string(text);
	assert(smtp_path_read(&rest, SMTP_FORWARD_PATH, &again) && !again.routed);
	assert(span_equals(again.local, path.local));
	assert(span_equals(again.domain, path.domain) && span_is_empty(rest));
	size = smtp_domain_normalize(path.domain, normal);
	assert(!size || smtp_domain_normalize(span_of(normal, size), same) == size);
	assert(!size || (smtp_domain_equals(path.domain, span_of(normal, size)) &&
			 !memcmp(normal, same, size)));
	return 0;
}
