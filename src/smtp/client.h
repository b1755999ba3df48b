/*
 * client: the sending side of an SMTP or LMTP connection, without I/O. The caller sends
 * steps; each owes a reply (LMTP's end of data: one for each recipient). Replies are
 * pulled and come with the step that they answer. A reply that nothing asked for, or
 * one that is no reply, breaks the connection for good.
 *
 * Nothing may be sent behind STARTTLS before its reply, and nothing may come behind
 * that in clear: somebody else has put it there (CVE-2021-38371). So the caller pulls
 * on after the reply, and shakes hands only when it hears MORE, not BROKEN, and has no
 * input left; then it says EHLO, and what it knew of the server is void (RFC 3207 4.2).
 *
 * A 334 to AUTH asks for another line, which is sent as an AUTH step of its own.
 *
 * Owner: the connection it is embedded in. Thread: owner. Never allocates, apart from
 * what it appends to the caller's output.
 */
#ifndef EVENPOST_SMTP_CLIENT_H
#define EVENPOST_SMTP_CLIENT_H

#include "base/buffer.h"
#include "smtp/extensions.h"
#include "smtp/reply.h"

enum smtp_step {
	SMTP_STEP_GREETING, /* owed from the start */
	SMTP_STEP_HELLO,    /* EHLO, HELO or LHLO */
	SMTP_STEP_STARTTLS,
	SMTP_STEP_IDENTITY, /* XCLIENT, XFORWARD */
	SMTP_STEP_AUTH,
	SMTP_STEP_MAIL,
	SMTP_STEP_RCPT,
	SMTP_STEP_DATA,
	SMTP_STEP_CHUNK, /* BDAT that is not the last */
	SMTP_STEP_END,   /* the end of data, or BDAT LAST */
	SMTP_STEP_RSET,
	SMTP_STEP_NOOP,
	SMTP_STEP_QUIT,
	SMTP_STEP_COUNT
};

/* Runs of equal steps that may be owed at once: RSET MAIL RCPT… DATA and some to spare.
 */
#define SMTP_CLIENT_RUNS 8

struct smtp_client {
	struct smtp_reply_reader reader;
	struct {
		uint8_t step;
		uint32_t count;
	} owed[SMTP_CLIENT_RUNS]; /* ring */
	uint8_t first;
	uint8_t runs;
	uint32_t owed_total;
	bool broken;
};

/* Owes the greeting. */
void smtp_client_init(struct smtp_client *client);

/* A step whose bytes the caller writes itself; count replies are owed for it. */
void
smtp_client_expect(struct smtp_client *client, enum smtp_step step, uint32_t count);

/*
 * Appends "line CRLF" to output and owes one reply. STATUS_FULL, STATUS_NO_MEMORY;
 * STATUS_INVALID where the line holds a CR or LF.
 */
MUST_CHECK enum status
smtp_client_send(struct smtp_client *client, enum smtp_step step, struct buffer *output,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));

enum smtp_client_result {
	SMTP_CLIENT_REPLY,
	SMTP_CLIENT_MORE,
	SMTP_CLIENT_BROKEN, /* malformed, or nobody asked */
};

/* The next reply and its step; reply->text borrows from the input. */
enum smtp_client_result
smtp_client_next(struct smtp_client *client, struct span *input, enum smtp_step *step,
		 struct smtp_reply *reply);

/* Replies owed: to any step, and to this one. */
static inline uint32_t
smtp_client_owed(const struct smtp_client *client)
{
	return client->owed_total;
}
uint32_t smtp_client_owed_to(const struct smtp_client *client, enum smtp_step step);

const char *smtp_step_name(enum smtp_step step);

#endif
