#include "balance/server_fault.h"

#include "balance/pool.h"
#include "base/log.h"

#include <assert.h>

/* In place of a time: it was said, and will be given one at the next tick. */
#define BARS_SINCE_NOW INT64_MAX
#define BARS_NOTHING 0

/* Zeroes behind it, so that equal texts are equal words. */
static void
copy_printable(const char *why, char text[SERVER_FAULT_MAX])
{
	size_t length = strnlen(why, SERVER_FAULT_MAX - 1);

	memset(text, 0, SERVER_FAULT_MAX);
	for (size_t i = 0; i < length; i++)
		text[i] = why[i] < 0x20 || why[i] > 0x7e ? '?' : why[i];
}

static void
log_fault(const struct server *server, enum log_level level, const char *why,
	  const char *was)
{
	const struct pool *pool =
		atomic_load_explicit(&server->pool, memory_order_acquire);
	struct log_line line;

	log_begin(&line, level, "fault");
	log_string(&line, "pool", pool ? pool->name : NULL);
	log_string(&line, "server", server->name);
	log_string(&line, "why", why);
	if (was)
		log_string(&line, "was", was);
	log_end(&line);
}

static bool
fault_read(const struct server_fault *fault, struct server_fault_record *record,
	   uint32_t *version)
{
	return seqlock_try_load(&fault->lock, fault->words, record, sizeof(*record),
				version);
}

/*
 * False: another thread writes, or has written. That a write begins only from what was
 * read makes an edge of it: of several threads that say the same, one changes
 * something.
 */
static bool
fault_write(struct server_fault *fault, const struct server_fault_record *record,
	    uint32_t version)
{
	if (!seqlock_begin(&fault->lock, version))
		return false;
	seqlock_store(fault->words, record, sizeof(*record));
	seqlock_end(&fault->lock);
	return true;
}

/* FNV-1a; never 0. */
static uint64_t
hash_text(const char *text)
{
	uint64_t hash = 14695981039346656037u;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211u;
	return hash ? hash : 1;
}

/* Whether the log is to have the text; from then on it has. */
static bool
record_is_news(struct server_fault_record *record)
{
	uint64_t hash = hash_text(record->text);

	for (unsigned i = 0; i < SERVER_FAULT_LINES; i++) {
		if (record->logged[i] == hash)
			return false;
		if (!record->logged[i]) {
			record->logged[i] = hash;
			return true;
		}
	}
	return false;
}

static void
bar(struct server_fault *fault, int64_t until)
{
	atomic_store_explicit(&fault->bars_until, until, memory_order_relaxed);
}

static int64_t
bars_until(const struct server_fault *fault)
{
	return atomic_load_explicit(&fault->bars_until, memory_order_relaxed);
}

static bool
is_said_already(const struct server_fault_record *record,
		const char text[SERVER_FAULT_MAX])
{
	return memcmp(record->text, text, SERVER_FAULT_MAX) == 0;
}

bool
server_set_fault(struct server *server, enum server_fault_kind kind,
		 enum server_fault_effect effect, const char *why)
{
	struct server_fault *fault = &server->faults[kind];
	struct server_fault_record record;
	char text[SERVER_FAULT_MAX];
	uint32_t version;
	bool news;

	assert(why[0]);
	copy_printable(why, text);
	if (effect == SERVER_FAULT_BARS)
		bar(fault, BARS_SINCE_NOW);
	if (!fault_read(fault, &record, &version) || is_said_already(&record, text))
		return false;
	if (effect == SERVER_FAULT_PASSES)
		bar(fault, BARS_NOTHING);
	memcpy(record.text, text, SERVER_FAULT_MAX);
	news = record_is_news(&record);
	if (!fault_write(fault, &record, version) || !news)
		return false;
	log_fault(server, LOG_WARNING, text, NULL);
	return true;
}

void
server_clear_fault(struct server *server, enum server_fault_kind kind)
{
	static const struct server_fault_record none;
	struct server_fault *fault = &server->faults[kind];
	struct server_fault_record was;
	uint32_t version;

	/* The first word of a text is never 0. */
	if (!atomic_load_explicit(&fault->words[0], memory_order_relaxed))
		return;
	if (fault_read(fault, &was, &version) && was.text[0] &&
	    fault_write(fault, &none, version)) {
		bar(fault, BARS_NOTHING);
		log_fault(server, LOG_INFO, "mended", was.text);
	}
}

/* "": there is none. */
static void
fault_text(const struct server_fault *fault, char text[SERVER_FAULT_MAX])
{
	static_assert(offsetof(struct server_fault_record, text) == 0,
		      "a text can be read without the rest");
	seqlock_load(&fault->lock, fault->words, text, SERVER_FAULT_MAX);
}

bool
server_fault(const struct server *server, char text[SERVER_FAULT_MAX])
{
	for (int kind = 0; kind < SERVER_FAULT_KINDS; kind++) {
		fault_text(&server->faults[kind], text);
		if (text[0])
			return true;
	}
	return false;
}

bool
server_is_barred(const struct server *server, int64_t now, char text[SERVER_FAULT_MAX])
{
	for (int kind = 0; kind < SERVER_FAULT_KINDS; kind++) {
		const struct server_fault *fault = &server->faults[kind];

		if (bars_until(fault) <= now)
			continue;
		fault_text(fault, text);
		if (text[0])
			return true;
	}
	text[0] = 0;
	return false;
}

void
server_unbar(struct server *server, enum server_fault_kind kind)
{
	bar(&server->faults[kind], BARS_NOTHING);
}

void
server_tick_faults(struct server *server, int64_t now)
{
	for (int kind = 0; kind < SERVER_FAULT_KINDS; kind++) {
		struct server_fault *fault = &server->faults[kind];
		int64_t since_now = BARS_SINCE_NOW;

		if (bars_until(fault) == since_now)
			atomic_compare_exchange_strong(&fault->bars_until, &since_now,
						       now + SERVER_FAULT_BARS_FOR);
	}
}
