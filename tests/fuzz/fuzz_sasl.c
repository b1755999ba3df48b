/* What a client has said in full is said to a server as it was heard. */
#include "smtp/sasl.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void
check_replay(const struct sasl_credentials *credentials, struct span heard)
{
	struct sasl_replay replay;
	struct span line = sasl_replay_begin(&replay, credentials);

	for (unsigned i = 0; i < credentials->response_count; i++) {
		assert(line.at || sasl_replay_next(&replay, &line));
		assert(span_equals(line, span_cut(&heard, '\n')));
		line.at = NULL;
	}
	assert(sasl_replay_next(&replay, &line) && !sasl_replay_next(&replay, &line));
	assert(sasl_credentials_name(credentials).length <= SASL_NAME_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct span input = span_of((const char *)bytes, length), rest = input;
	struct sasl_credentials credentials = {0};
	struct span challenge;
	uint32_t mechanism = sasl_mechanism_find(span_cut(&rest, '\n'));
	enum sasl_result result = SASL_MALFORMED;

	input = rest;
	if (mechanism & SASL_REPLAYABLE)
		result = sasl_credentials_begin(&credentials, mechanism,
						span_of(NULL, 0), &challenge);
	while (result == SASL_CHALLENGE)
		result = sasl_credentials_hear(&credentials, span_cut(&rest, '\n'),
					       &challenge);
	if (result == SASL_COMPLETE)
		check_replay(&credentials, input);
	sasl_credentials_clear(&credentials);
	return 0;
}
