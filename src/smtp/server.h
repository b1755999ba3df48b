/*
 * server: the receiving side of an SMTP session, without I/O. The caller feeds bytes
 * and pulls events; it answers those that ask for an answer, in any order; the answers
 * come out in the order of the commands, each of which owns a slot. What needs no
 * decision (NOOP, VRFY, HELP, bad syntax, a command out of order, limits) is answered
 * here.
 *
 * Bytes that can not be taken yet stay in the caller's input: an unfinished line, or
 * commands behind one whose answer decides what they mean. Feeding input whole or byte
 * by byte gives the same events and the same output.
 *
 * The legality of a command is a table in server.c (RFC 5321 4.1.4). State after RCPT
 * and DATA is optimistic while answers are owed, so that a pipelining client's group
 * can be passed on at once; a command that needs certainty waits (SMTP_EVENT_BLOCKED).
 *
 * STARTTLS and AUTH are refused unless the options ask for them. Behind STARTTLS no
 * input is taken. When it was answered with 220 (smtp_server_awaits_tls()), the caller
 * throws away the input that it has: it came in clear, from whomever, and must never be
 * read as if it had come through TLS (CVE-2011-0411). It sends the output, shakes hands
 * (what came early and was not read yet spoils the handshake, as it should), and calls
 * smtp_server_encrypted(), or closes.
 *
 * From AUTH on nothing but its exchange is read. Each challenge answers a slot, and
 * each line of the client is an event with a slot of its own. The exchange is over, and
 * the caller has to wipe what it holds of it, after: its final answer, QUIT, CLOSE, and
 * REFUSED with AUTH for a verb (the client gave up, or spoke no base64).
 *
 * A transaction is over, and the caller has to drop what it holds of it, after: HELLO,
 * RSET, a MAIL or DATA that it refused, its answer to BODY_END, and ABANDON. After a
 * BDAT that failed (refused here, or by the answer to CHUNK_END) the client has to send
 * RSET first (RFC 3030 2): the rest of a pipelined message must not begin another.
 *
 * Owner: the session it is embedded in. Thread: owner. Allocates slots while answers
 * are owed, output while there is some, nothing when idle.
 */
#ifndef EVENPOST_SMTP_SERVER_H
#define EVENPOST_SMTP_SERVER_H

#include "base/buffer.h"
#include "smtp/address.h"
#include "smtp/body.h"
#include "smtp/command.h"
#include "smtp/extensions.h"
#include "smtp/parameters.h"
#include "smtp/reply.h"

enum smtp_tls_policy {
	SMTP_TLS_OFF,
	SMTP_TLS_OFFERED,
	SMTP_TLS_REQUIRED, /* 530 to what is more than a hello */
};

/*
 * Frozen: shared by all sessions of a listener. A limit of 0 is none. Bad and idle
 * commands are counted anew after each message that was taken.
 */
struct smtp_server_options {
	struct span hostname;
	uint64_t max_message_size; /* bytes, of the canonical form */
	uint32_t max_recipients;   /* accepted in one transaction */
	uint32_t max_errors;       /* with this many bad commands: 421; usually 20 */
	uint32_t max_idle_commands; /* with more NOOP, RSET, VRFY …: 421; usually 100 */
	bool reject_bare;           /* a bare CR or LF in a message: 550 5.6.11 */
	bool lmtp;                /* LHLO instead of EHLO; not used yet by listeners */
	enum smtp_tls_policy tls; /* by STARTTLS */
	bool auth;                /* what is offered, smtp_server_hello() says */
	bool auth_needs_tls;      /* in clear no mechanism is offered */
};

enum smtp_server_state {
	SMTP_STATE_START,    /* before EHLO */
	SMTP_STATE_READY,    /* no transaction */
	SMTP_STATE_STARTTLS, /* until the answer to it or the handshake */
	SMTP_STATE_AUTH,     /* until the final answer to it */
	SMTP_STATE_MAIL,     /* MAIL was accepted */
	SMTP_STATE_RCPT,     /* a RCPT was accepted, or may yet be */
	SMTP_STATE_DATA,     /* DATA waits for its answer */
	SMTP_STATE_BODY,     /* reading the message, until the end of data */
	SMTP_STATE_CHUNK,    /* reading the octets of one BDAT */
	SMTP_STATE_CHUNKED,  /* between two BDAT */
	SMTP_STATE_FAILED,   /* a BDAT failed; the client has to send RSET */
	SMTP_STATE_END,      /* the end of data was read; its answer is owed */
	SMTP_STATE_CLOSING,  /* nothing more is read; output is still sent */
	SMTP_STATE_COUNT
};

struct smtp_slot;

struct smtp_server {
	const struct smtp_server_options *options;
	enum smtp_server_state state;
	struct smtp_extensions offered; /* by the last EHLO; zero after HELO */
	struct buffer output;    /* replies ready to be sent; the caller consumes */
	struct smtp_slot *slots; /* ring; NULL while none is owed */
	uint16_t slot_capacity;
	uint16_t slot_count;      /* answers owed or waiting for earlier ones */
	uint32_t slot_first;      /* number of the oldest */
	uint32_t recipients;      /* accepted in this transaction */
	uint32_t recipients_owed; /* RCPTs not answered yet */
	uint32_t errors;
	uint32_t idle_commands;
	uint64_t chunk_left; /* octets of the BDAT in progress */
	uint64_t received;   /* bytes of the message so far */
	struct smtp_body_reader body;
	bool greeted; /* the banner is in output, or was */
	bool chunk_last;
	bool skipping_line;      /* the rest of an overlong line */
	bool discarding;         /* the message is refused already; swallow the rest */
	bool extended;           /* EHLO or LHLO, not HELO */
	bool utf8;               /* MAIL came with SMTPUTF8 */
	bool recipients_refused; /* some of this transaction */
	bool encrypted;          /* by TLS, from the start or by STARTTLS */
	bool authenticated;      /* by AUTH */
	uint8_t refusal;         /* enum smtp_refusal of a BDAT that is swallowed */
	uint8_t resume; /* enum smtp_server_state in which it, or STARTTLS, came */
};

enum smtp_event_type {
	/* Nothing to do before more input comes. */
	SMTP_EVENT_MORE,
	/* The input waits for an answer that is owed: feed it again then. */
	SMTP_EVENT_BLOCKED,
	/* Answer with smtp_server_hello(), or a refusal. Voids the transaction. */
	SMTP_EVENT_HELLO,
	/* Answer: 220 and the handshake, or a refusal (454). */
	SMTP_EVENT_STARTTLS,
	/*
	 * Answer: with smtp_server_auth_challenge(), or with the outcome, which is 235
	 * or a refusal.
	 */
	SMTP_EVENT_AUTH,
	/* A line of the client after a challenge: answer, likewise. */
	SMTP_EVENT_AUTH_RESPONSE,
	/* Answer. */
	SMTP_EVENT_MAIL,
	/* Answer. */
	SMTP_EVENT_RCPT,
	/*
	 * Answer: 354 opens the body, all else ends the transaction. It may come while
	 * RCPTs are owed that are then all refused.
	 */
	SMTP_EVENT_DATA,
	/* A BDAT begins, its octets follow as BODY; no answer here. */
	SMTP_EVENT_CHUNK,
	/* A piece of the message: canonical after DATA, octets after BDAT. */
	SMTP_EVENT_BODY,
	/* The end of a BDAT that is not the last: answer. */
	SMTP_EVENT_CHUNK_END,
	/* The whole message has been read: answer. */
	SMTP_EVENT_BODY_END,
	/*
	 * The message is refused here (too large, bare CR or LF, NUL): drop what was
	 * begun, and the transaction. The rest is swallowed, the answer given here, and
	 * REFUSED follows. A BDAT that is too large by its size comes without CHUNK.
	 */
	SMTP_EVENT_ABANDON,
	/* The transaction is void; answered here already. */
	SMTP_EVENT_RSET,
	/* A command was refused here; for the journal. */
	SMTP_EVENT_REFUSED,
	/* Answered here: send the output, close. */
	SMTP_EVENT_QUIT,
	/*
	 * Close: at once where there is no output, else after it. Where something was
	 * refused, REFUSED came before.
	 */
	SMTP_EVENT_CLOSE,
};

enum smtp_refusal {
	SMTP_REFUSAL_NONE,
	SMTP_REFUSAL_SYNTAX,
	SMTP_REFUSAL_SEQUENCE,
	SMTP_REFUSAL_PARAMETER,
	SMTP_REFUSAL_LINE_LENGTH,
	SMTP_REFUSAL_UNKNOWN_COMMAND,
	SMTP_REFUSAL_SIZE,
	SMTP_REFUSAL_RECIPIENTS,
	SMTP_REFUSAL_LINE_ENDING, /* bare CR or LF */
	SMTP_REFUSAL_NUL,
	SMTP_REFUSAL_EARLY_TALK, /* bytes before the banner, or before the 354 */
	SMTP_REFUSAL_TOO_MANY_ERRORS,
	SMTP_REFUSAL_FOREIGN, /* HTTP, TLS on a plain port */
	SMTP_REFUSAL_CHUNK,   /* a BDAT out of order */
	SMTP_REFUSAL_TLS,     /* it needs TLS */
	SMTP_REFUSAL_AUTH, /* a mechanism that is not offered, or the client gave up */
	SMTP_REFUSAL_COUNT
};

/* Spans borrow from the input, until the next call. */
struct smtp_event {
	enum smtp_event_type type;
	uint32_t slot; /* for smtp_server_answer() */
	union {
		struct {
			enum smtp_verb verb;
			struct span name;
		} hello;
		struct {
			uint32_t mechanism;  /* one of enum sasl_mechanism */
			struct span initial; /* base64; .at NULL: none came */
		} auth;
		struct span response; /* base64, to a challenge */
		struct {
			struct smtp_path path;
			struct smtp_parameters parameters;
		} mail, rcpt;
		struct {
			uint64_t size;
			bool last;
		} chunk;
		struct span body;
		struct {
			enum smtp_refusal reason;
			enum smtp_verb verb;
			struct span reply; /* the first line, static */
		} refused;
	};
};

void
smtp_server_init(struct smtp_server *server, const struct smtp_server_options *options);
/* Frees slots and output. */
void smtp_server_fini(struct smtp_server *server);

/*
 * The banner, "220 hostname ESMTP evenpost". Before it, smtp_server_next() takes any
 * input as talking too early: 554 5.5.1 and CLOSE. STATUS_NO_MEMORY.
 */
MUST_CHECK enum status smtp_server_greet(struct smtp_server *server);

/* The next event; *input is moved behind what it has used. */
void smtp_server_next(struct smtp_server *server, struct span *input,
		      struct smtp_event *event);

/*
 * Answers an event's slot. The code moves the state: 2xx to MAIL opens a transaction,
 * 354 to DATA the body, anything to BODY_END ends the transaction; 421 closes. The
 * reply is printed by smtp_reply_print() when its turn comes, and the state moves then;
 * it is copied if that is later. While CLOSING, answers are forgotten.
 * STATUS_NO_MEMORY, STATUS_FULL: the session must end; the state is CLOSING.
 */
MUST_CHECK enum status smtp_server_answer(struct smtp_server *server, uint32_t slot,
					  const struct smtp_reply *reply);

/*
 * Answers HELLO with hostname and extensions (EHLO, LHLO) or hostname alone (HELO).
 * STARTTLS is added where the options ask for it and the client may use it; of the
 * mechanisms those are left out that need TLS.
 */
MUST_CHECK enum status
smtp_server_hello(struct smtp_server *server, uint32_t slot, enum smtp_verb verb,
		  struct smtp_extensions offered);

/*
 * Answers AUTH or AUTH_RESPONSE with 334 and a challenge, as the server has it, and
 * hears the client again. STATUS_INVALID: it is not printable; nothing was said, and
 * the slot is open still. Else as smtp_server_answer().
 */
MUST_CHECK enum status smtp_server_auth_challenge(struct smtp_server *server,
						  uint32_t slot, struct span challenge);

/* Whether the client was told to begin TLS, and the handshake is not reported yet. */
bool smtp_server_awaits_tls(const struct smtp_server *server);

/*
 * The handshake is done: by STARTTLS, or before the banner. All that the client has
 * said is forgotten; it has to say hello again, and is not offered STARTTLS any more.
 * The output must have been sent.
 */
void smtp_server_encrypted(struct smtp_server *server);

/*
 * A reply that no command asked for: 421 at a time-out or a stop. Comes behind those
 * already in output; answers still owed are forgotten; then CLOSING.
 */
void smtp_server_farewell(struct smtp_server *server, const struct smtp_reply *reply);

/* Whether bytes that come now break the rules: before the banner, or behind DATA. */
bool smtp_server_forbids_input(const struct smtp_server *server);

/* Whether an answer is owed to the client. */
static inline bool
smtp_server_owes(const struct smtp_server *server)
{
	return server->slot_count != 0;
}

const char *smtp_refusal_name(enum smtp_refusal refusal);

#endif
