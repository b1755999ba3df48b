#include "smtp/sasl.h"

#include "smtp/base64.h"
#include "smtp/sasl_response.h"

#include <assert.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* RFC 5321 4.5.3.1.4, which a server without AUTH's own limit may keep to. */
#define COMMAND_MAX 512

/* In the order in which they are printed. */
static const struct row {
	enum sasl_mechanism mechanism;
	struct span name;
	/* Of those that can be replayed: */
	uint8_t responses;
	bool begins; /* the first response may come with AUTH to every server */
	struct span on_error; /* to a challenge behind the last response */
	struct {
		struct span challenge;
		sasl_response_reader *read;
	} steps[SASL_RESPONSES_MAX];
} rows[] = {
	{SASL_PLAIN, {"PLAIN", 5}, 1, true, {"*", 1}, {{{"", 0}, sasl_response_plain}}},
	{SASL_LOGIN,
	 {"LOGIN", 5},
	 2,
	 false,
	 {"*", 1},
	 {{{"VXNlcm5hbWU6", 12}, sasl_response_login_name},
	  {{"UGFzc3dvcmQ6", 12}, sasl_response_login_password}}},
	{SASL_XOAUTH2,
	 {"XOAUTH2", 7},
	 1,
	 true,
	 {"", 0},
	 {{{"", 0}, sasl_response_xoauth2}}},
	/* RFC 7628 3.2.3: a kvsep */
	{SASL_OAUTHBEARER,
	 {"OAUTHBEARER", 11},
	 1,
	 true,
	 {"AQ==", 4},
	 {{{"", 0}, sasl_response_oauthbearer}}},
	{SASL_CRAM_MD5, {"CRAM-MD5", 8}},
	{SASL_DIGEST_MD5, {"DIGEST-MD5", 10}},
	{SASL_SCRAM_SHA_1, {"SCRAM-SHA-1", 11}},
	{SASL_SCRAM_SHA_256, {"SCRAM-SHA-256", 13}},
	{SASL_SCRAM_SHA_512, {"SCRAM-SHA-512", 13}},
	{SASL_NTLM, {"NTLM", 4}},
	{SASL_GSSAPI, {"GSSAPI", 6}},
	{SASL_GSS_SPNEGO, {"GSS-SPNEGO", 10}},
};

static_assert(2 * SASL_LINE_MAX + SASL_NAME_MAX <= UINT16_MAX, "parts have 16 bits");
static_assert(2 * SASL_LINE_MAX + SASL_NAME_MAX <= SECRET_MAX, "all of it has room");

uint32_t
sasl_mechanism_find(struct span name)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (span_equals_nocase(name, rows[i].name))
			return rows[i].mechanism;
	}
	return 0;
}

static const struct row *
row_of(uint32_t mechanism)
{
	size_t i = 0;

	while (i < COUNT_OF(rows) && rows[i].mechanism != mechanism)
		i++;
	assert(i < COUNT_OF(rows));
	return &rows[i];
}

struct span
sasl_mechanism_name(uint32_t mechanism)
{
	return row_of(mechanism)->name;
}

uint32_t
sasl_mechanisms_read(struct span list)
{
	struct span rest = span_trim(list);
	uint32_t mechanisms = 0;

	while (!span_is_empty(rest))
		mechanisms |= sasl_mechanism_find(span_trim(span_cut(&rest, ' ')));
	return mechanisms;
}

enum status
sasl_mechanisms_print(uint32_t mechanisms, struct buffer *output)
{
	enum status status = STATUS_OK;

	for (size_t i = 0; i < COUNT_OF(rows) && status == STATUS_OK; i++) {
		if (mechanisms & rows[i].mechanism)
			status = buffer_print(output, " %.*s", SPAN_ARGS(rows[i].name));
	}
	return status;
}

/* ---- credentials ---- */

static struct span
span_of_part(const struct sasl_credentials *credentials, struct sasl_part part)
{
	return span_take(span_skip(secret_span(&credentials->text), part.start),
			 part.length);
}

static bool
keep_part(struct sasl_credentials *credentials, struct span text,
	  struct sasl_part *part)
{
	part->start = (uint16_t)credentials->text.length;
	part->length = (uint16_t)text.length;
	return secret_append(&credentials->text, text) == STATUS_OK;
}

static enum sasl_result
keep_response(struct sasl_credentials *credentials, struct span line, struct span name)
{
	struct sasl_part *part = &credentials->responses[credentials->response_count++];

	if (!keep_part(credentials, line, part))
		return SASL_NO_MEMORY;
	if (!span_is_empty(name) && !keep_part(credentials, name, &credentials->name))
		return SASL_NO_MEMORY;
	return SASL_COMPLETE;
}

/* COMPLETE: so far. */
static enum sasl_result
take_response(struct sasl_credentials *credentials, sasl_response_reader *read,
	      struct span line)
{
	enum sasl_result result = SASL_MALFORMED;
	struct secret decoded = {0};
	struct sasl_identity identity = {0};
	size_t length;
	char *room;

	if (line.length > SASL_LINE_MAX)
		return SASL_MALFORMED;
	if (secret_reserve(&decoded, BASE64_DECODED_MAX(line.length), &room) !=
	    STATUS_OK)
		return SASL_NO_MEMORY;
	if (base64_decode(line, room, &length) && read(room, length, &identity)) {
		result = keep_response(credentials, line, identity.name);
		credentials->acts_for_another = identity.acts_for_another;
	}
	secret_clear(&decoded);
	return result;
}

static enum sasl_result
challenge_next(struct sasl_credentials *credentials, const struct row *row,
	       struct span *challenge)
{
	credentials->complete = credentials->response_count == row->responses;
	if (credentials->complete)
		return SASL_COMPLETE;
	*challenge = row->steps[credentials->response_count].challenge;
	return SASL_CHALLENGE;
}

enum sasl_result
sasl_credentials_hear(struct sasl_credentials *credentials, struct span line,
		      struct span *challenge)
{
	const struct row *row = row_of(credentials->mechanism);
	enum sasl_result result;

	assert(!credentials->complete);
	result = take_response(credentials,
			       row->steps[credentials->response_count].read, line);
	if (result != SASL_COMPLETE)
		return result;
	return challenge_next(credentials, row, challenge);
}

enum sasl_result
sasl_credentials_begin(struct sasl_credentials *credentials, uint32_t mechanism,
		       struct span initial, struct span *challenge)
{
	assert(mechanism & SASL_REPLAYABLE);
	assert(!credentials->mechanism);
	credentials->mechanism = mechanism;
	if (initial.at)
		return sasl_credentials_hear(credentials, initial, challenge);
	return challenge_next(credentials, row_of(mechanism), challenge);
}

/* A response of our own, from its octets. */
static enum sasl_result
make_response(struct sasl_credentials *credentials, struct span octets,
	      struct span name)
{
	size_t length = BASE64_ENCODED(octets.length);
	enum sasl_result result = SASL_NO_MEMORY;
	struct secret line = {0};
	char *room;

	if (secret_reserve(&line, length, &room) == STATUS_OK) {
		base64_encode(octets, room);
		line.length = (uint32_t)length;
		result = keep_response(credentials, secret_span(&line), name);
	}
	secret_clear(&line);
	return result;
}

static enum sasl_result
make_plain(struct sasl_credentials *credentials, struct span name, struct span password)
{
	enum sasl_result result = SASL_NO_MEMORY;
	struct secret message = {0};

	if (secret_append(&message, SPAN("\0")) == STATUS_OK &&
	    secret_append(&message, name) == STATUS_OK &&
	    secret_append(&message, SPAN("\0")) == STATUS_OK &&
	    secret_append(&message, password) == STATUS_OK)
		result = make_response(credentials, secret_span(&message), name);
	secret_clear(&message);
	return result;
}

static enum sasl_result
make_login(struct sasl_credentials *credentials, struct span name, struct span password)
{
	enum sasl_result result = make_response(credentials, name, name);

	if (result != SASL_COMPLETE)
		return result;
	return make_response(credentials, password, span_of(NULL, 0));
}

enum status
sasl_credentials_make(struct sasl_credentials *credentials, uint32_t mechanism,
		      struct span name, struct span password)
{
	enum sasl_result result;

	assert(mechanism == SASL_PLAIN || mechanism == SASL_LOGIN);
	assert(!credentials->mechanism);
	if (!sasl_name_is_valid(name) || !sasl_password_is_valid(password) ||
	    password.length > SASL_PASSWORD_MAX)
		return STATUS_INVALID;
	credentials->mechanism = mechanism;
	result = mechanism == SASL_PLAIN ? make_plain(credentials, name, password)
					 : make_login(credentials, name, password);
	credentials->complete = result == SASL_COMPLETE;
	if (credentials->complete)
		return STATUS_OK;
	sasl_credentials_clear(credentials);
	return STATUS_NO_MEMORY;
}

void
sasl_credentials_clear(struct sasl_credentials *credentials)
{
	secret_clear(&credentials->text);
	*credentials = (struct sasl_credentials){0};
}

struct span
sasl_credentials_name(const struct sasl_credentials *credentials)
{
	return span_of_part(credentials, credentials->name);
}

/* ---- towards a server ---- */

static struct span
say_response(struct sasl_replay *replay)
{
	const struct sasl_credentials *credentials = replay->credentials;

	return span_of_part(credentials, credentials->responses[replay->said++]);
}

struct span
sasl_replay_begin(struct sasl_replay *replay,
		  const struct sasl_credentials *credentials)
{
	const struct row *row = row_of(credentials->mechanism);
	size_t others = sizeof("AUTH  \r\n") - 1 + row->name.length;

	assert(credentials->complete);
	*replay = (struct sasl_replay){.credentials = credentials};
	if (!row->begins || others + credentials->responses[0].length > COMMAND_MAX)
		return span_of(NULL, 0);
	return say_response(replay);
}

bool
sasl_replay_next(struct sasl_replay *replay, struct span *line)
{
	if (replay->said < replay->credentials->response_count) {
		*line = say_response(replay);
		return true;
	}
	if (replay->answered_error)
		return false;
	replay->answered_error = true;
	*line = row_of(replay->credentials->mechanism)->on_error;
	return true;
}
