#include "proxy/request_key.h"

#include "proxy/session.h"

#include <xxhash.h>

struct span
request_key_fold(struct span text, char room[SMTP_PATH_MAX])
{
	struct span counts = span_take(text, SMTP_PATH_MAX);

	for (size_t i = 0; i < counts.length; i++)
		room[i] = octet_to_lower(counts.at[i]);
	return span_of(room, counts.length);
}

uint64_t
request_key(struct span text)
{
	char room[SMTP_PATH_MAX];
	struct span folded = request_key_fold(text, room);

	return XXH3_64bits(folded.at, folded.length);
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
