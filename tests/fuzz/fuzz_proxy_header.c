/* Decided once and for all, whatever follows; what is printed of it is read the same.
 */
#include "smtp/proxy_header.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void
check_reads_back(const char *room, size_t length, const struct proxy_header *header)
{
	struct proxy_header again;

	assert(length <= PROXY_HEADER_PRINT_MAX);
	assert(proxy_header_read(span_of(room, length), &again) ==
	       PROXY_HEADER_COMPLETE);
	assert(again.length == length && again.local == header->local);
	assert(endpoint_equals(&again.source, &header->source));
	assert(endpoint_equals(&again.destination, &header->destination));
}

static void
check_printing(const struct proxy_header *header, struct span rest)
{
	struct smtp_origin origin = {
		.client = header->source,
		.destination = header->destination,
		.id = span_take(rest, 200),
		.tls = {.used = rest.length % 2, .common_name = rest, .version = rest},
	};
	char room[PROXY_HEADER_PRINT_MAX];

	check_reads_back(room, proxy_header_print_v2(&origin, header->local, room),
			 header);
	if (!header->local)
		check_reads_back(room,
				 proxy_header_print_v1(&origin.client,
						       &origin.destination, room),
				 header);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct span input = span_of((const char *)bytes, length);
	struct proxy_header header, part;
	enum proxy_header_result result = proxy_header_read(input, &header), early;

	for (size_t i = 0; i < length && i <= PROXY_HEADER_READ_MAX; i++) {
		early = proxy_header_read(span_take(input, i), &part);
		assert(early == PROXY_HEADER_MORE || early == result);
		assert(early != PROXY_HEADER_COMPLETE || part.length == header.length);
		assert(result != PROXY_HEADER_COMPLETE || i >= header.length ||
		       early == PROXY_HEADER_MORE);
	}
	assert(result != PROXY_HEADER_MORE || length < PROXY_HEADER_READ_MAX);
	if (result == PROXY_HEADER_COMPLETE)
		check_printing(&header, span_skip(input, header.length));
	return 0;
}
