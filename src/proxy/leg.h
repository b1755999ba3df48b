/*
 * leg: one server's part of a transaction: MAIL, the recipients, the content, the
 * end of data, each sent once and each answered once. It knows how far it has sent and
 * how far it was answered; it never decides to try again: that is the transaction's.
 *
 *     NONE → OPENING → ENVELOPE → DATA → BODY → END → NONE
 *
 * Committed is the one-way door: set before the first octet of the end of data (or the
 * last of BDAT LAST) is given to the kernel. Behind it nothing is ever sent again.
 *
 * Content is read from the transaction's chain at the leg's own offset, in one of three
 * codings: as it stands (DATA to DATA), octets in BDAT chunks (BDAT to BDAT), octets
 * made into lines (BDAT to DATA).
 *
 * Owner: the transaction it is embedded in. Thread: owner.
 */
#ifndef EVENPOST_PROXY_LEG_H
#define EVENPOST_PROXY_LEG_H

#include "base/chain.h"
#include "proxy/upstream.h"
#include "smtp/body.h"

struct transaction;

enum leg_state {
	LEG_NONE,     /* no connection */
	LEG_OPENING,  /* the connection is being made */
	LEG_ENVELOPE, /* MAIL and RCPT are sent and answered */
	LEG_DATA,     /* DATA is sent, its answer owed (others may be too) */
	LEG_BODY,     /* content is being sent */
	LEG_END,      /* all of the end of data is sent; its answer is owed */
};

enum leg_coding { LEG_AS_IT_STANDS, LEG_CHUNKS, LEG_STUFFED };

struct leg {
	struct upstream_holder holder;
	struct transaction *transaction;
	struct upstream *upstream; /* NULL in LEG_NONE */
	enum leg_state state;
	enum leg_coding coding;
	bool committed;
	uint32_t attributes; /* of XFORWARD, still to be sent: enum smtp_attribute */
	bool mail_sent;
	bool mail_accepted;
	bool last_announced;      /* BDAT … LAST was queued */
	uint32_t recipients_sent; /* index behind the last RCPT sent */
	uint32_t recipient_next;  /* index at which the next RCPT reply belongs */
	uint64_t offset;     /* in the content: what the kernel has, or the coding */
	uint64_t chunk_left; /* octets of the announced chunk not yet sent */
	uint8_t end_sent;    /* octets of SMTP_BODY_END that the kernel has */
	struct smtp_body_stuffer stuffer;
	struct chain wire; /* LEG_STUFFED: coded, not yet sent */
	uint64_t wire_offset;
	bool wire_ended;
	uint64_t end_at; /* µs: when the end of data was sent */
};

void leg_init(struct leg *leg, struct transaction *transaction);

/* Takes a connection that was opened for it or lent to it. */
void leg_attach(struct leg *leg, struct upstream *upstream);

/* Sends what can be sent: more recipients, DATA, content. */
void leg_advance(struct leg *leg);

/*
 * Lets the connection go: cleaned up and reused where nothing of the content was
 * sent, else closed so that the server can not take what it has for a message.
 */
void leg_detach(struct leg *leg);
/* After the final reply: nothing is left to clean up. */
void leg_finish(struct leg *leg);

/* Octets of content between what came in and what this leg has sent. */
uint64_t leg_backlog(const struct leg *leg);

#endif
