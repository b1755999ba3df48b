/*
 * transaction: one mail transaction of a client, from MAIL to the final reply: the
 * envelope, the content that may have to be sent again, the leg to a server, and every
 * rule about trying again. Answers go to the session's slots.
 *
 * What is promised, and why it holds, is docs/decisions/0004-never-owning-a-message.md;
 * the states have the same names there.
 *
 * Owner: the session; after its client has gone, itself until the server's last word.
 * Thread: owner. Allocates itself from the worker's slab, texts from its arena.
 */
#ifndef EVENPOST_PROXY_TRANSACTION_H
#define EVENPOST_PROXY_TRANSACTION_H

#include "proxy/leg.h"
#include "smtp/hops.h"
#include "smtp/server.h"

struct session;

/* Servers that one transaction can have failed with. */
#define TRANSACTION_TRIED_MAX 16

enum recipient_verdict {
	RECIPIENT_PENDING, /* not answered: the client waits */
	RECIPIENT_ACCEPTED,
	RECIPIENT_REFUSED,
};

struct recipient {
	struct span mailbox;
	struct span parameters;
	uint32_t slot;
	enum recipient_verdict verdict;
};

enum transaction_state {
	TRANSACTION_ENVELOPE, /* MAIL was accepted; recipients come */
	TRANSACTION_DATA,     /* DATA was asked for, not answered */
	TRANSACTION_BODY,     /* content comes in */
	TRANSACTION_END,      /* all content is in; the final reply is owed */
	TRANSACTION_OVER,     /* decided and journalled */
};

struct transaction {
	struct session *session;
	struct list link;     /* among the dead */
	struct waiter waiter; /* for a place at a server */
	struct timer queue_timer;
	struct arena arena;
	enum transaction_state state;
	const struct pool_snapshot *pool; /* NULL before the first recipient */
	struct span sender;               /* mailbox; empty: <> */
	struct span mail_parameters;
	uint32_t needs; /* enum smtp_extension */
	uint64_t size;  /* declared; 0: not */
	struct recipient *recipients;
	uint32_t recipient_count;
	uint32_t recipient_capacity;
	uint32_t recipients_over_rate; /* refused before they were any */
	uint32_t accepted;
	uint32_t pending;
	struct chain content;
	uint64_t content_length; /* octets, once committed */
	uint32_t added_length;   /* octets of our own Received line before them; or 0 */
	struct smtp_hops hops;
	bool octets;     /* content came by BDAT, unstuffed */
	bool replayable; /* all of the content so far is still held */
	bool abandoned;  /* refused on the client's side; the answer is on its way */
	struct smtp_reply
		last_reply; /* what a server said before another was tried; or 0 */
	struct smtp_reply failure; /* what to say to all that follows; code 0: none */
	unsigned failure_reason;   /* enum reject_reason */
	uint32_t data_slot;
	uint32_t end_slot;
	struct leg leg;
	struct server *server;  /* reserved, or the last one that was */
	const char *server_tls; /* how it was reached; NULL: in clear, or not yet */
	bool reserved;
	bool stale_retried;
	bool awaits_name;  /* the client's, before the first server is chosen */
	uint32_t attempts; /* servers that were asked, the first too */
	uint32_t tried[TRANSACTION_TRIED_MAX];
	uint32_t tried_count;
	uint32_t refusals; /* of those tried: for good, of this client */
	uint64_t started;  /* µs, monotonic */
};

/* NULL when memory is out. The event's texts are copied. */
struct transaction *
transaction_new(struct session *session, const struct smtp_event *mail);

/* What the client did; each answers its slot now or later. */
void
transaction_recipient(struct transaction *transaction, const struct smtp_event *rcpt);
void transaction_data_asked(struct transaction *transaction, uint32_t slot);
void transaction_chunk(struct transaction *transaction);
void transaction_content(struct transaction *transaction, struct span piece);
/* Of a BDAT that is not the last. */
void transaction_chunk_ended(struct transaction *transaction, uint32_t slot);
void transaction_content_ended(struct transaction *transaction, uint32_t slot);
/* All that was read of the client's input is with us: send it on. */
void transaction_push(struct transaction *transaction);
/* The session's side refuses the message: no server may get it. Then
   transaction_refused(), when the client has heard why; the answer is the session's. */
void transaction_abandon(struct transaction *transaction);
void
transaction_refused(struct transaction *transaction, const struct smtp_reply *reply);
/* RSET, QUIT, EHLO, or a client that is gone. Ends it, unless the end of data was sent:
   then it goes on until the server has spoken. */
void transaction_abort(struct transaction *transaction);

/* The client must wait before it may send more content. */
bool transaction_is_congested(const struct transaction *transaction);
/* A server has, or may have, part in it: a stop waits for it. */
bool transaction_is_in_flight(const struct transaction *transaction);

/* Of the listener: what a message may look like. */
const struct smtp_server_options *
transaction_options(const struct transaction *transaction);

void transaction_free(struct transaction *transaction);

/* Called by the leg. */
void transaction_mail_refused(struct transaction *transaction,
			      const struct smtp_reply *reply);
void transaction_recipient_answered(struct transaction *transaction, uint32_t index,
				    const struct smtp_reply *reply);
void transaction_data_answered(struct transaction *transaction,
			       const struct smtp_reply *reply);
void transaction_chunk_refused(struct transaction *transaction,
			       const struct smtp_reply *reply);
void transaction_end_answered(struct transaction *transaction,
			      const struct smtp_reply *reply);
/*
 * The leg has lost its connection, or the server is of no use for this message. reply:
 * what it said, or NULL. stale: a warm connection had died unseen; the same server is
 * asked again.
 */
void
transaction_leg_failed(struct transaction *transaction, enum retry_phase phase,
		       const char *why, const struct smtp_reply *reply, bool stale);
void transaction_leg_drained(struct transaction *transaction);
void transaction_committed(struct transaction *transaction);
/* Octets that BDAT brought can not be made into lines: bare CR or LF, NUL. */
void transaction_content_refused(struct transaction *transaction,
				 const struct smtp_reply *reply);

/* Called by the session: what the client is called is known, or will not be. */
void transaction_name_settled(struct transaction *transaction);

#endif
