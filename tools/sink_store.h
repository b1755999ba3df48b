/*
 * sink_store: where the sink keeps the messages that it accepts: files of a maildir,
 * lines of a journal, or both. A message is on disk before its 250 is written, so that
 * what a client was told can be compared with what is there after a SIGKILL. Files
 * begin with
 *
 *     X-Sink-From: sender CRLF
 *     X-Sink-To: recipient CRLF      (one for each that was taken)
 *
 * and go on with the message's octets as they came, the stuffed dots apart: line
 * endings are not touched. Lines of the journal:
 *
 *     id=4F0000001 load_id=… bytes=1024 from=… to=…,…
 *
 * where load_id is the X-Load-Id of evenpost-load, or "-".
 * Owner: the sink. Thread: owner. Blocks on the disk, as a mail server does.
 */
#ifndef EVENPOST_TOOLS_SINK_STORE_H
#define EVENPOST_TOOLS_SINK_STORE_H

#include "base/arena.h"
#include "base/status.h"

#include <stdint.h>

struct recipient {
	struct recipient *next;
	struct span mailbox;
	struct span refusal; /* LMTP: told after the message; .at is NULL where it is
				taken */
};

/* Of one transaction; all texts but refusals live in the arena. */
struct envelope {
	struct arena arena;
	struct span sender;
	struct recipient *first;
	struct recipient *last;
	uint32_t taken; /* recipients without a refusal */
};

MUST_CHECK enum status
envelope_set_sender(struct envelope *envelope, struct span mailbox);
/* refusal: lives longer than the envelope. */
MUST_CHECK enum status
envelope_add(struct envelope *envelope, struct span mailbox, struct span refusal);
void envelope_reset(struct envelope *envelope);

struct store {
	int maildir; /* directories; -1: none */
	int journal; /* -1: none */
	unsigned long sequence;
};

/* Makes DIR, DIR/tmp, DIR/new, DIR/cur. Either may be NULL. STATUS_SYSTEM with errno.
 */
MUST_CHECK enum status
store_open(struct store *store, const char *maildir, const char *journal);
void store_close(struct store *store);

static inline bool
store_is_open(const struct store *store)
{
	return store->maildir >= 0 || store->journal >= 0;
}

struct store_message;

/* NULL: no memory, or no file could be made. */
struct store_message *store_begin(struct store *store, const struct envelope *envelope);
/* A part of what follows DATA, with stuffed dots, up to and with the end of data. */
void store_wire(struct store_message *message, struct span bytes);
/* A part of what follows BDAT. */
void store_octets(struct store_message *message, struct span bytes);
/* Puts it on disk and frees it. STATUS_SYSTEM: it is not there. */
MUST_CHECK enum status store_commit(struct store *store, struct store_message *message,
				    const struct envelope *envelope, const char *id);
/* Takes back what was begun; NULL is ignored. */
void store_abandon(struct store_message *message);

#endif
