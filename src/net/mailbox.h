/*
 * mailbox: one thread hands work to another. Any thread posts; the owner's loop runs
 * what was posted, in the order in which each sender posted it. A letter is embedded in
 * what it carries and belongs to the receiver from the post on: it can be posted again
 * when it has been opened, and not before. Lock-free for senders
 * (Vyukov's intrusive multi-producer queue); the receiver is woken once for a batch.
 * Thread: mailbox_post() any; the rest: owner.
 */
#ifndef EVENPOST_NET_MAILBOX_H
#define EVENPOST_NET_MAILBOX_H

#include "net/loop.h"

#include <stdatomic.h>

struct letter {
	_Atomic(struct letter *) next;
	void (*open)(struct letter *letter); /* runs on the receiver's thread */
};

struct mailbox {
	_Atomic(struct letter *) newest;
	struct letter *oldest;
	struct letter stub;
	int fd;              /* eventfd */
	atomic_bool ringing; /* the owner was woken and has not looked yet */
	struct loop_source source;
};

MUST_CHECK enum status mailbox_open(struct mailbox *mailbox, struct loop *loop);
/* Opens what is left in it, then closes. No one may post any more. */
void mailbox_close(struct mailbox *mailbox);
void mailbox_post(struct mailbox *mailbox, struct letter *letter);

#endif
