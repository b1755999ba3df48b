#include "net/mailbox.h"

#include <assert.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Opened at one wake, so that a thread which writes to itself leaves room for others.
 */
#define LETTERS_PER_WAKE 1024

static void
mailbox_append(struct mailbox *mailbox, struct letter *letter)
{
	struct letter *before;

	atomic_store_explicit(&letter->next, NULL, memory_order_relaxed);
	/* release: the letter is written; acquire: so is the one before it */
	before = atomic_exchange_explicit(&mailbox->newest, letter,
					  memory_order_acq_rel);
	assert(before != letter); /* it is there already: the queue would be a circle */
	/* until this store the queue is cut here, and mailbox_take() waits for our ring
	 */
	atomic_store_explicit(&before->next, letter, memory_order_release);
}

static struct letter *
letter_next(const struct letter *letter)
{
	return atomic_load_explicit(&letter->next, memory_order_acquire);
}

/*
 * NULL: empty, or its oldest letter's sender is still in mailbox_append() and will
 * ring. Dmitry Vyukov, "Intrusive MPSC node-based queue" (1024cores.net).
 */
static struct letter *
mailbox_take(struct mailbox *mailbox)
{
	struct letter *oldest = mailbox->oldest;
	struct letter *next = letter_next(oldest);

	if (oldest == &mailbox->stub) {
		if (!next)
			return NULL;
		mailbox->oldest = oldest = next;
		next = letter_next(oldest);
	}
	if (!next) {
		if (oldest !=
		    atomic_load_explicit(&mailbox->newest, memory_order_acquire))
			return NULL;
		/* the last letter can be given away only with another one behind it */
		mailbox_append(mailbox, &mailbox->stub);
		next = letter_next(oldest);
		if (!next)
			return NULL;
	}
	mailbox->oldest = next;
	return oldest;
}

static void
mailbox_ring(struct mailbox *mailbox)
{
	const uint64_t one = 1;
	ssize_t written;

	/*
	 * Acquire and release: where a sender finds that the bell was rung, the owner's
	 * exchange in mailbox_ready() comes later and sees what this sender has posted.
	 */
	if (atomic_exchange_explicit(&mailbox->ringing, true, memory_order_acq_rel))
		return;
	written = write(mailbox->fd, &one, sizeof(one));
	(void)written; /* fails when the counter is full: readable anyway */
}

static void
mailbox_ready(struct loop_source *source)
{
	struct mailbox *mailbox = CONTAINER_OF(source, struct mailbox, source);
	struct letter *letter;
	uint64_t count;

	source->ready = 0;
	if (read(mailbox->fd, &count, sizeof(count)) < 0)
		return;
	/* before looking: whoever posts from now on rings again */
	atomic_exchange_explicit(&mailbox->ringing, false, memory_order_acq_rel);
	for (int opened = 0; opened < LETTERS_PER_WAKE; opened++) {
		letter = mailbox_take(mailbox);
		if (!letter)
			return;
		letter->open(letter);
	}
	mailbox_ring(mailbox);
}

enum status
mailbox_open(struct mailbox *mailbox, struct loop *loop)
{
	enum status status;

	*mailbox = (struct mailbox){.oldest = &mailbox->stub, .source.fd = -1};
	atomic_init(&mailbox->newest, &mailbox->stub);
	mailbox->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (mailbox->fd < 0)
		return STATUS_SYSTEM;
	status = loop_add_level(loop, &mailbox->source, mailbox->fd, mailbox_ready);
	if (status) {
		close(mailbox->fd);
		mailbox->fd = -1;
	}
	return status;
}

void
mailbox_close(struct mailbox *mailbox)
{
	struct letter *letter;

	if (mailbox->fd < 0)
		return;
	while ((letter = mailbox_take(mailbox)))
		letter->open(letter);
	loop_remove(&mailbox->source);
	close(mailbox->fd);
	mailbox->fd = -1;
}

void
mailbox_post(struct mailbox *mailbox, struct letter *letter)
{
	mailbox_append(mailbox, letter);
	mailbox_ring(mailbox);
}
