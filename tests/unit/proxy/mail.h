/*
 * mail: one message of a test: what its author wrote, what the client that sent it
 * heard, and every copy that a server has stored. mail_fault() holds the three
 * against each other; it is the promise of
 * docs/decisions/0004-never-owning-a-message.md as a function. Owner: the world.
 * Thread: owner. Allocates the content.
 */
#ifndef EVENPOST_TESTS_MAIL_H
#define EVENPOST_TESTS_MAIL_H

#include "base/endpoint.h"
#include "base/span.h"
#include "chance.h"

#define MAIL_RECIPIENTS_MAX 5
#define MAIL_COPIES_MAX 4
#define MAIL_REPLY_MAX 600
#define MAIL_NAME_MAX 32

enum mail_end {
	MAIL_NOT_SENT,   /* the client never came to an end of data */
	MAIL_ABANDONED,  /* the client went in the middle */
	MAIL_UNANSWERED, /* the end of data is with the kernel, the client did not wait
			  */
	MAIL_ANSWERED,
};

struct mail_copy {
	const char *server;
	uint32_t recipients;       /* bits: those that this server accepted */
	bool sound;                /* the content is the author's */
	char said[MAIL_REPLY_MAX]; /* its reply; empty: it went without one */
};

/* A client as a server can be told of it: its end of the connection, its EHLO. */
struct caller {
	struct endpoint address; /* of length 0: nobody */
	char name[MAIL_NAME_MAX];
};

struct mail {
	uint32_t number;
	struct caller caller; /* who sends it, once somebody does */
	uint32_t recipient_count;
	uint32_t unknown; /* bits: recipients that no server knows */
	bool octets;      /* goes out by BDAT, else by DATA */
	char *content;
	size_t length;
	/* what the client heard */
	enum mail_end end;
	uint32_t accepted;            /* bits: recipients */
	bool heard_all;               /* the verdict on each recipient */
	char reply[MAIL_REPLY_MAX];   /* to the end of data, or the refusal of DATA */
	char refusal[MAIL_REPLY_MAX]; /* the last one before it: of a recipient, of DATA
				       */
	/* what the servers did */
	struct mail_copy copies[MAIL_COPIES_MAX];
	unsigned copy_count;
};

/* most: bytes of the largest. */
void
mail_write(struct mail *mail, uint32_t number, uint32_t most, struct chance *chance);
/* The same for a test that wants a certain one: lines of x. */
void mail_fix(struct mail *mail, uint32_t recipient_count, size_t length, bool octets);
void mail_fini(struct mail *mail);

/* Whether content is what a server has to get: by BDAT the octets, by DATA lines. */
bool mail_is(const struct mail *mail, struct span content, bool by_octets);

/* What is wrong with the end that it took; NULL: nothing. */
const char *mail_fault(const struct mail *mail);

#endif
