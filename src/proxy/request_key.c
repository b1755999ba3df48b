#include "proxy/request_key.h"

#include "proxy/session.h"

#include <xxhash.h>

uint64_t
request_key(struct span text)
{
	char folded[SMTP_PATH_MAX];
	size_t length = text.length < sizeof(folded) ? text.length : sizeof(folded);

	for (size_t i = 0; i < length; i++) {
		char c = text.at[i];

		folded[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	return XXH3_64bits(folded, length);
}

uint64_t
request_key_of_session(const struct session *session, enum hash_on hash_on)
{
	struct span user = login_is_with_server(session->login)
				   ? login_name(session->login)
				   : span_of(NULL, 0);

	if (hash_on == HASH_ON_HELO)
		return request_key(
			span_from_string(session->helo ? session->helo : ""));
	if (hash_on == HASH_ON_USER && !span_is_empty(user))
		return request_key(user);
	return endpoint_hash_address(&session->client);
}
