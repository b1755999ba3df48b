/* Mechanisms, exchanges with clients, and the same said again to servers. */
#include "rows.h"
#include "smtp/sasl.h"

#include <stdio.h>
#include <string.h>

/* user=tim@x.test ^A auth=Bearer tok ^A ^A, and the same for OAUTHBEARER */
#define XOAUTH2_LINE "dXNlcj10aW1AeC50ZXN0AWF1dGg9QmVhcmVyIHRvawEB"
#define OAUTHBEARER_LINE "bixhPXRpbUB4LnRlc3QsAWhvc3Q9bXgBYXV0aD1CZWFyZXIgdG9rAQE="

static const struct set {
	const char *name;
	const char *list;
	uint32_t mechanisms;
	const char *printed;
} sets[] = {
	{"none", "", 0, ""},
	{"one", "PLAIN", SASL_PLAIN, " PLAIN"},
	{"Postfix with Dovecot", "PLAIN LOGIN", SASL_PLAIN | SASL_LOGIN,
	 " PLAIN LOGIN"},
	{"in another order, in lower case", "login plain", SASL_PLAIN | SASL_LOGIN,
	 " PLAIN LOGIN"},
	{"blanks too many", "  PLAIN   LOGIN ", SASL_PLAIN | SASL_LOGIN,
	 " PLAIN LOGIN"},
	{"twice", "PLAIN PLAIN", SASL_PLAIN, " PLAIN"},
	{"Exchange", "NTLM LOGIN XOAUTH2", SASL_NTLM | SASL_LOGIN | SASL_XOAUTH2,
	 " LOGIN XOAUTH2 NTLM"},
	{"Cyrus", "GSSAPI DIGEST-MD5 CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 GSS-SPNEGO",
	 SASL_GSSAPI | SASL_DIGEST_MD5 | SASL_CRAM_MD5 | SASL_SCRAM_SHA_1 |
		 SASL_SCRAM_SHA_256 | SASL_GSS_SPNEGO,
	 " CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256 GSSAPI GSS-SPNEGO"},
	{"what can not pass a proxy",
	 "EXTERNAL ANONYMOUS SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS OAUTHBEARER",
	 SASL_OAUTHBEARER, " OAUTHBEARER"},
	{"unknown names", "PLAINER X-PLAIN PLAI", 0, ""},
};

static void
test_set(void **state)
{
	const struct set *row = *state;
	struct buffer output;

	buffer_init(&output, 256);
	assert_int_equal(sasl_mechanisms_read(span_from_string(row->list)),
			 row->mechanisms);
	assert_int_equal(sasl_mechanisms_print(row->mechanisms, &output), STATUS_OK);
	assert_true(span_equals(buffer_span(&output), span_from_string(row->printed)));
	buffer_clear(&output);
}

/* What a client says, line by line; the first with AUTH where .initial is set. */
static const struct exchange {
	const char *name;
	uint32_t mechanism;
	bool initial;
	const char *lines[3];
	const char *wanted; /* "? challenge", "done name", "bad" */
} exchanges[] = {
	{"PLAIN at once", SASL_PLAIN, true, {"AHRpbQB0YW5zdGFhZg=="}, "done tim"},
	{"PLAIN when asked",
	 SASL_PLAIN,
	 false,
	 {"AHRpbQB0YW5zdGFhZg=="},
	 "? ;done tim"},
	{"PLAIN for another",
	 SASL_PLAIN,
	 true,
	 {"b3RoZXIAdGltAHB3"},
	 "done tim for another"},
	{"PLAIN for oneself", SASL_PLAIN, true, {"dGltAHRpbQBwdw=="}, "done tim"},
	{"PLAIN in UTF-8", SASL_PLAIN, true, {"AHTDpG0AcHc="}, "done t\xc3\xa4m"},
	{"PLAIN, a password that is no UTF-8",
	 SASL_PLAIN,
	 true,
	 {"AHRpbQBz5A=="},
	 "done tim"},
	{"PLAIN, a name that is no UTF-8", SASL_PLAIN, true, {"AHTkbQBwdw=="}, "bad"},
	{"PLAIN, a line end in the name", SASL_PLAIN, true, {"AHQKbQBwdw=="}, "bad"},
	{"PLAIN, a line end in the other name",
	 SASL_PLAIN,
	 true,
	 {"YQpiAHRpbQBwdw=="},
	 "bad"},
	{"PLAIN, a NUL in the password", SASL_PLAIN, true, {"AHRpbQBwAHc="}, "bad"},
	{"PLAIN, a NUL too few", SASL_PLAIN, true, {"dGltAHRhbnN0"}, "bad"},
	{"PLAIN without NUL", SASL_PLAIN, true, {"dGlt"}, "bad"},
	{"PLAIN without a name", SASL_PLAIN, true, {"AABwdw=="}, "bad"},
	{"PLAIN without a password", SASL_PLAIN, true, {"AHRpbQA="}, "bad"},
	{"PLAIN, nothing at all", SASL_PLAIN, true, {""}, "bad"},
	{"PLAIN, no base64", SASL_PLAIN, false, {"AHRpbQBwdw"}, "? ;bad"},
	{"LOGIN",
	 SASL_LOGIN,
	 false,
	 {"dGlt", "dGFuc3RhYWY="},
	 "? VXNlcm5hbWU6;? UGFzc3dvcmQ6;done tim"},
	{"LOGIN with a name at once",
	 SASL_LOGIN,
	 true,
	 {"dGlt", "dGFuc3RhYWY="},
	 "? UGFzc3dvcmQ6;done tim"},
	{"LOGIN, an empty name", SASL_LOGIN, true, {""}, "bad"},
	{"LOGIN, a NUL in the name",
	 SASL_LOGIN,
	 false,
	 {"dGkAbQ=="},
	 "? VXNlcm5hbWU6;bad"},
	{"LOGIN, an empty password",
	 SASL_LOGIN,
	 true,
	 {"dGlt", ""},
	 "? UGFzc3dvcmQ6;bad"},
	{"LOGIN, a NUL in the password",
	 SASL_LOGIN,
	 true,
	 {"dGlt", "dGkAbQ=="},
	 "? UGFzc3dvcmQ6;bad"},
	{"XOAUTH2", SASL_XOAUTH2, true, {XOAUTH2_LINE}, "done tim@x.test for another"},
	{"XOAUTH2 when asked",
	 SASL_XOAUTH2,
	 false,
	 {XOAUTH2_LINE},
	 "? ;done tim@x.test for another"},
	{"XOAUTH2 without an end",
	 SASL_XOAUTH2,
	 true,
	 {"dXNlcj10aW0BYXV0aD1CZWFyZXIgdG9rAQ=="},
	 "bad"},
	{"XOAUTH2 without a name",
	 SASL_XOAUTH2,
	 true,
	 {"YXV0aD1CZWFyZXIgdG9rAQE="},
	 "bad"},
	{"XOAUTH2, an empty name",
	 SASL_XOAUTH2,
	 true,
	 {"dXNlcj0BYXV0aD1CZWFyZXIgdG9rAQE="},
	 "bad"},
	{"XOAUTH2 without a token",
	 SASL_XOAUTH2,
	 true,
	 {"dXNlcj10aW0BYXV0aD1CYXNpYyB4AQE="},
	 "bad"},
	{"OAUTHBEARER",
	 SASL_OAUTHBEARER,
	 true,
	 {OAUTHBEARER_LINE},
	 "done tim@x.test for another"},
	{"OAUTHBEARER, an escaped name",
	 SASL_OAUTHBEARER,
	 true,
	 {"bixhPXQ9MkNpPTNEbSwBYXV0aD1CZWFyZXIgdG9rAQE="},
	 "done t,i=m for another"},
	{"OAUTHBEARER, a bad escape",
	 SASL_OAUTHBEARER,
	 true,
	 {"bixhPXQ9MlhtLAFhdXRoPUJlYXJlciB0b2sBAQ=="},
	 "bad"},
	{"OAUTHBEARER without a name",
	 SASL_OAUTHBEARER,
	 true,
	 {"biwsAWF1dGg9QmVhcmVyIHRvawEB"},
	 "done "},
	{"OAUTHBEARER, an empty name",
	 SASL_OAUTHBEARER,
	 true,
	 {"bixhPSwBYXV0aD1CZWFyZXIgdG9rAQE="},
	 "bad"},
	{"OAUTHBEARER without pairs",
	 SASL_OAUTHBEARER,
	 true,
	 {"eSxhPXRpbSwBAQ=="},
	 "done tim for another"},
	{"OAUTHBEARER bound to TLS",
	 SASL_OAUTHBEARER,
	 true,
	 {"cD10bHMtdW5pcXVlLGE9dGltLAFhdXRoPUJlYXJlciB0b2sBAQ=="},
	 "bad"},
	{"OAUTHBEARER with another attribute",
	 SASL_OAUTHBEARER,
	 true,
	 {"bixiPXRpbSwBYXV0aD1CZWFyZXIgdG9rAQE="},
	 "bad"},
	{"OAUTHBEARER without a separator",
	 SASL_OAUTHBEARER,
	 true,
	 {"bixhPXRpbSxhdXRoPUJlYXJlciB0b2sBAQ=="},
	 "bad"},
	{"OAUTHBEARER without an end",
	 SASL_OAUTHBEARER,
	 true,
	 {"bixhPXRpbSwBYXV0aD1CZWFyZXIgdG9rAQ=="},
	 "bad"},
	{"OAUTHBEARER cut short", SASL_OAUTHBEARER, true, {"bg=="}, "bad"},
};

#define TEXT_MAX 512

static void
describe(const struct sasl_credentials *credentials, enum sasl_result result,
	 struct span challenge, char *text)
{
	size_t end = strlen(text);
	struct span name;

	text += end;
	switch (result) {
	case SASL_CHALLENGE:
		snprintf(text, TEXT_MAX - end, "? %.*s;", SPAN_ARGS(challenge));
		break;
	case SASL_COMPLETE:
		name = sasl_credentials_name(credentials);
		snprintf(text, TEXT_MAX - end, "done %.*s%s", SPAN_ARGS(name),
			 credentials->acts_for_another ? " for another" : "");
		break;
	case SASL_MALFORMED:
		snprintf(text, TEXT_MAX - end, "bad");
		break;
	case SASL_NO_MEMORY:
		fail();
	}
}

/* The whole of an exchange; true where it is complete. */
static bool
converse(struct sasl_credentials *credentials, const struct exchange *row, char *text)
{
	struct span initial =
		row->initial ? span_from_string(row->lines[0]) : span_of(NULL, 0);
	struct span challenge = {0};
	size_t next = row->initial ? 1 : 0;
	enum sasl_result result = sasl_credentials_begin(credentials, row->mechanism,
							 initial, &challenge);

	describe(credentials, result, challenge, text);
	while (result == SASL_CHALLENGE) {
		assert_non_null(row->lines[next]);
		result = sasl_credentials_hear(
			credentials, span_from_string(row->lines[next++]), &challenge);
		describe(credentials, result, challenge, text);
	}
	assert_true(result != SASL_COMPLETE || !row->lines[next]);
	return result == SASL_COMPLETE;
}

static void
test_exchange(void **state)
{
	const struct exchange *row = *state;
	struct sasl_credentials credentials = {0};
	char text[TEXT_MAX] = "";
	bool complete = converse(&credentials, row, text);

	assert_int_equal(complete, credentials.complete);
	assert_string_equal(text, row->wanted);
	sasl_credentials_clear(&credentials);
	assert_null(credentials.text.bytes);
}

/* What a server hears in all: the initial response in brackets, a line for each 334. */
static void
replay(const struct sasl_credentials *credentials, char *text)
{
	struct sasl_replay replay;
	struct span line = sasl_replay_begin(&replay, credentials);
	size_t end = 0;

	if (line.at)
		end += (size_t)snprintf(text, TEXT_MAX, "[%.*s] ", SPAN_ARGS(line));
	while (sasl_replay_next(&replay, &line)) {
		end += (size_t)snprintf(text + end, TEXT_MAX - end, "%.*s ",
					SPAN_ARGS(line));
		assert_true(end < TEXT_MAX);
	}
}

static const struct replaying {
	const char *name;
	struct exchange exchange;
	const char *wanted;
} replayings[] = {
	{"PLAIN goes with AUTH, whenever it came",
	 {"", SASL_PLAIN, false, {"AHRpbQB0YW5zdGFhZg=="}},
	 "[AHRpbQB0YW5zdGFhZg==] * "},
	{"LOGIN waits for the challenges, however it came",
	 {"", SASL_LOGIN, true, {"dGlt", "dGFuc3RhYWY="}},
	 "dGlt dGFuc3RhYWY= * "},
	{"XOAUTH2 answers an error with nothing",
	 {"", SASL_XOAUTH2, true, {XOAUTH2_LINE}},
	 "[" XOAUTH2_LINE "]  "},
	{"OAUTHBEARER answers an error with a separator",
	 {"", SASL_OAUTHBEARER, true, {OAUTHBEARER_LINE}},
	 "[" OAUTHBEARER_LINE "] AQ== "},
};

static void
test_replay(void **state)
{
	const struct replaying *row = *state;
	struct sasl_credentials credentials = {0};
	char text[TEXT_MAX] = "";

	assert_true(converse(&credentials, &row->exchange, text));
	replay(&credentials, text);
	assert_string_equal(text, row->wanted);
	replay(&credentials, text); /* and again, for the next server */
	assert_string_equal(text, row->wanted);
	sasl_credentials_clear(&credentials);
}

static const struct making {
	const char *name;
	uint32_t mechanism;
	struct span user;
	struct span password;
	enum status status;
	const char *wanted;
} makings[] = {
	{"PLAIN of our own", SASL_PLAIN, SPAN("tim"), SPAN("tanstaaf"), STATUS_OK,
	 "[AHRpbQB0YW5zdGFhZg==] * "},
	{"LOGIN of our own", SASL_LOGIN, SPAN("tim"), SPAN("tanstaaf"), STATUS_OK,
	 "dGlt dGFuc3RhYWY= * "},
	{"no user", SASL_PLAIN, SPAN(""), SPAN("pw"), STATUS_INVALID, ""},
	{"no password", SASL_LOGIN, SPAN("tim"), SPAN(""), STATUS_INVALID, ""},
	{"a NUL in the user", SASL_PLAIN, SPAN("t\0m"), SPAN("pw"), STATUS_INVALID, ""},
	{"a NUL in the password", SASL_PLAIN, SPAN("tim"), SPAN("p\0w"), STATUS_INVALID,
	 ""},
};

static void
test_making(void **state)
{
	const struct making *row = *state;
	struct sasl_credentials credentials = {0};
	char text[TEXT_MAX] = "";

	assert_int_equal(sasl_credentials_make(&credentials, row->mechanism, row->user,
					       row->password),
			 row->status);
	if (row->status == STATUS_OK) {
		replay(&credentials, text);
		assert_true(
			span_equals(sasl_credentials_name(&credentials), row->user));
	} else {
		assert_null(credentials.text.bytes);
	}
	assert_string_equal(text, row->wanted);
	sasl_credentials_clear(&credentials);
}

/* What is too long for us, and what is too long for one line of a server. */
static const struct length {
	const char *name;
	size_t user;
	size_t password;
	enum status status;
	bool at_once;
} lengths[] = {
	{"the longest user", 255, 5, STATUS_OK, true},
	{"a user too long", 256, 5, STATUS_INVALID, false},
	{"the longest password", 3, 1024, STATUS_OK, false},
	{"a password too long", 3, 1025, STATUS_INVALID, false},
	/* "AUTH PLAIN ", 496 bytes for 372 octets, CRLF */
	{"a line of 509 bytes", 70, 300, STATUS_OK, true},
	{"a line of 513 bytes", 70, 301, STATUS_OK, false},
};

static void
test_length(void **state)
{
	const struct length *row = *state;
	struct sasl_credentials credentials = {0};
	struct sasl_replay replay;
	struct span line;
	char text[2048];

	memset(text, 'x', sizeof(text));
	assert_int_equal(sasl_credentials_make(&credentials, SASL_PLAIN,
					       span_of(text, row->user),
					       span_of(text, row->password)),
			 row->status);
	if (row->status == STATUS_OK) {
		line = sasl_replay_begin(&replay, &credentials);
		assert_int_equal(line.at != NULL, row->at_once);
		assert_true(row->at_once || sasl_replay_next(&replay, &line));
		assert_int_equal(line.length, (row->user + row->password + 4) / 3 * 4);
	}
	sasl_credentials_clear(&credentials);
}

/* An XOAUTH2 response of the octets that fit into a line, or of three more. */
static enum sasl_result
hear_token(size_t tokens, char *line)
{
	const struct span opening = SPAN("dXNlcj10aW0BYXV0aD1CZWFyZXIg");
	struct sasl_credentials credentials = {0};
	enum sasl_result result;
	struct span challenge;
	size_t length = opening.length;

	memcpy(line, opening.at, opening.length);
	for (size_t i = 0; i < tokens; i++, length += 4)
		memcpy(line + length, "dG9r", 4);
	memcpy(line + length, "AQE=", 4);
	result = sasl_credentials_begin(&credentials, SASL_XOAUTH2,
					span_of(line, length + 4), &challenge);
	sasl_credentials_clear(&credentials);
	return result;
}

static void
test_long_token(void **state)
{
	char *line = malloc((size_t)2 * SASL_LINE_MAX);

	(void)state;
	assert_int_equal(hear_token((SASL_LINE_MAX - 32) / 4, line), SASL_COMPLETE);
	assert_int_equal(hear_token((SASL_LINE_MAX - 32) / 4 + 1, line),
			 SASL_MALFORMED);
	free(line);
}

int
main(void)
{
	const struct CMUnitTest others[] = {cmocka_unit_test(test_long_token)};

	return ROWS_RUN(sets, test_set) + ROWS_RUN(exchanges, test_exchange) +
	       ROWS_RUN(replayings, test_replay) + ROWS_RUN(makings, test_making) +
	       ROWS_RUN(lengths, test_length) +
	       cmocka_run_group_tests(others, NULL, NULL);
}
