/*
 * names: the DNS names of clients. An address has a name when DNS says so (PTR) and the
 * name leads back to the address (A, AAAA): else anybody could take the name of
 * another. It costs nothing until somebody asks. Owner: the control thread. Thread:
 * names_ask() any; the rest: owner. Allocates.
 *
 * A question is memory of the thread that asks, which lends it: it comes back through
 * that thread's mailbox, once, whether or not anybody still wants to know. A worker
 * that stops does not wait for it, since its mailbox stays open when its loop has
 * ended. So the order at the end is: the loops of all workers, the control thread's
 * loop; names_close(), which gives back all that is under way; the mailboxes of the
 * workers, which open what is left in them.
 */
#ifndef EVENPOST_PROXY_NAMES_H
#define EVENPOST_PROXY_NAMES_H

#include "net/domain_name.h"
#include "net/mailbox.h"

struct resolver;
struct names;

/* Milliseconds that all the questions about one client may take. */
#define NAMES_PATIENCE 5000
/* Of all workers together. */
#define NAMES_UNDER_WAY_MAX 1024

enum name_state {
	NAME_UNKNOWN, /* not asked yet */
	NAME_FOUND,
	NAME_NONE,   /* DNS knows none, or none that leads back */
	NAME_FAILED, /* no answer in time, or servers failed: it may have one */
};

/* Embedded in what asks. */
struct name_question {
	struct letter letter;
	struct names *names;
	/* set by the asker */
	struct mailbox *back;
	void (*answered)(struct name_question *question); /* on the thread of back */
	struct endpoint client;
	/* the answer */
	enum name_state state;
	int64_t lifetime;            /* milliseconds for which it holds */
	char name[DOMAIN_NAME_SIZE]; /* of NAME_FOUND, in lower case */
};

/* patience: milliseconds. The loop and the resolver must outlive it. */
MUST_CHECK enum status names_open(struct names **names, struct loop *loop,
				  struct resolver *resolver, int64_t patience);
/* Gives back what is under way, as NAME_FAILED. NULL: does nothing. */
void names_close(struct names *names);

/* False: too many are under way; the question stays with the asker. Thread: any. */
bool names_ask(struct names *names, struct name_question *question);

#endif
