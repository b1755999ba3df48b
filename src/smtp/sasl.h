/*
 * sasl: who a client says it is (RFC 4422), as far as a proxy has to know. A table of
 * mechanisms; the exchange with a client for those whose secret is in what the client
 * says; and the same said again to a server. The server decides whether it is true.
 *
 * The names of the mechanisms that can not be replayed are here to be offered alone:
 * their exchange is passed between the client and one server. What speaks of the TLS
 * connection (EXTERNAL, SCRAM-…-PLUS) can not pass a proxy that ends TLS, and what
 * names nobody (ANONYMOUS) must not: neither has a name here, and what has none is
 * never offered.
 *
 * Nothing here is ever logged but the user's name; responses, even refused ones, hold
 * secrets. They are kept in a `secret`, and whoever has them from there lends them to
 * no log, trace or error message.
 *
 * Owner: as each struct says. Thread: owner. Allocates for secrets alone.
 */
#ifndef EVENPOST_SMTP_SASL_H
#define EVENPOST_SMTP_SASL_H

#include "base/buffer.h"
#include "base/span.h"
#include "smtp/secret.h"

#include <stdint.h>

enum sasl_mechanism {
	SASL_PLAIN = 1 << 0,         /* RFC 4616 */
	SASL_LOGIN = 1 << 1,         /* draft-murchison-sasl-login */
	SASL_XOAUTH2 = 1 << 2,       /* Google's and Microsoft's */
	SASL_OAUTHBEARER = 1 << 3,   /* RFC 7628 */
	SASL_CRAM_MD5 = 1 << 4,      /* RFC 2195 */
	SASL_DIGEST_MD5 = 1 << 5,    /* RFC 2831 */
	SASL_SCRAM_SHA_1 = 1 << 6,   /* RFC 5802 */
	SASL_SCRAM_SHA_256 = 1 << 7, /* RFC 7677 */
	SASL_SCRAM_SHA_512 = 1 << 8,
	SASL_NTLM = 1 << 9,
	SASL_GSSAPI = 1 << 10, /* RFC 4752 */
	SASL_GSS_SPNEGO = 1 << 11,
};

/*
 * Those whose exchange can be repeated to any server. They show the secret to whoever
 * can read the line: without TLS they are not for networks that others use.
 */
#define SASL_REPLAYABLE (SASL_PLAIN | SASL_LOGIN | SASL_XOAUTH2 | SASL_OAUTHBEARER)

#define SASL_LINE_MAX 12288    /* bytes of a line with its CRLF: RFC 4954 4 */
#define SASL_NAME_MAX 255      /* octets of a user's name: RFC 4616 2 */
#define SASL_PASSWORD_MAX 1024 /* octets of a password of our own */
#define SASL_RESPONSES_MAX 2

/* 0 where the name is unknown; case-blind. */
uint32_t sasl_mechanism_find(struct span name);

/* One mechanism's name. */
struct span sasl_mechanism_name(uint32_t mechanism);

/* "PLAIN LOGIN …" as a set of enum sasl_mechanism, without the unknown ones. */
uint32_t sasl_mechanisms_read(struct span list);

/* Appends the names, each with a blank before it. STATUS_FULL, STATUS_NO_MEMORY. */
MUST_CHECK enum status
sasl_mechanisms_print(uint32_t mechanisms, struct buffer *output);

/* A part of what credentials hold. */
struct sasl_part {
	uint16_t start;
	uint16_t length;
};

/*
 * What a client has said: who it is, and its responses as they came, in base64. Zeroed:
 * none. Its owner clears it when it is of no more use, whatever became of it.
 */
struct sasl_credentials {
	uint32_t mechanism; /* one of SASL_REPLAYABLE; 0: none */
	uint8_t response_count;
	bool complete;
	bool acts_for_another; /* or may: see struct sasl_identity */
	struct sasl_part responses[SASL_RESPONSES_MAX];
	struct sasl_part name;
	struct secret text;
};

enum sasl_result {
	SASL_CHALLENGE, /* say 334 with the challenge, and then hear the response */
	SASL_COMPLETE,  /* there is all that a server may ask for */
	SASL_MALFORMED, /* not what the mechanism says: 501 5.5.2 */
	SASL_NO_MEMORY,
};

/*
 * Begins an exchange with a client. initial: the response that came with AUTH, .at NULL
 * where none did. The challenge is static. After MALFORMED and NO_MEMORY only
 * sasl_credentials_clear() is left.
 */
enum sasl_result
sasl_credentials_begin(struct sasl_credentials *credentials, uint32_t mechanism,
		       struct span initial, struct span *challenge);

/* A line of the client, without its CRLF, after a challenge. */
enum sasl_result sasl_credentials_hear(struct sasl_credentials *credentials,
				       struct span line, struct span *challenge);

/*
 * Complete ones of our own: PLAIN or LOGIN. STATUS_INVALID where the name or the
 * password is empty, too long or holds a NUL, or the name is no text; STATUS_NO_MEMORY.
 */
MUST_CHECK enum status
sasl_credentials_make(struct sasl_credentials *credentials, uint32_t mechanism,
		      struct span name, struct span password);

/* Wipes them. */
void sasl_credentials_clear(struct sasl_credentials *credentials);

/*
 * The user whose secret it is: UTF-8 without control characters. Of PLAIN the
 * authentication identity, not the one to act for. Of the mechanisms with a token the
 * one to act for, since only the token says who it is; empty in OAUTHBEARER without
 * "a=". Valid until they are cleared.
 */
struct span sasl_credentials_name(const struct sasl_credentials *credentials);

/*
 * Complete credentials on their way to one server. It borrows them.
 * Owner: the connection to the server.
 */
struct sasl_replay {
	const struct sasl_credentials *credentials;
	uint8_t said;        /* responses */
	bool answered_error; /* a challenge behind the last of them */
};

/*
 * What stands behind "AUTH MECHANISM ": the initial response; .at NULL: nothing, either
 * because the mechanism does not begin or because the line would be longer than 512
 * bytes (RFC 4954 4).
 */
struct span sasl_replay_begin(struct sasl_replay *replay,
			      const struct sasl_credentials *credentials);

/*
 * The line that answers a server's 334: the next response; behind the last one, where
 * the challenge tells of an error, what the mechanism says to that, or "*". False: the
 * server asks for more than there is, and nothing can be said.
 */
bool sasl_replay_next(struct sasl_replay *replay, struct span *line);

#endif
