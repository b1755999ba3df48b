#include "balance/server_fault.h"

#include "balance/pool.h"
#include "base/log.h"

#include <assert.h>

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

/*
 * Puts a text in the place of another one, which is left in was. False: it is there
 * already, or another thread writes. That the write begins only from what was read
 * makes an edge of it: of several threads that say the same, one changes something.
 */
static bool
fault_replace(struct server_fault *fault, const char text[SERVER_FAULT_MAX],
	      char was[SERVER_FAULT_MAX])
{
	uint32_t version;

	if (!seqlock_try_load(&fault->lock, fault->words, was, SERVER_FAULT_MAX,
			      &version) ||
	    !memcmp(text, was, SERVER_FAULT_MAX) ||
	    !seqlock_begin(&fault->lock, version))
		return false;
	seqlock_store(fault->words, text, SERVER_FAULT_MAX);
	seqlock_end(&fault->lock);
	return true;
}

bool
server_set_fault(struct server *server, enum server_fault_kind kind, const char *why)
{
	char text[SERVER_FAULT_MAX];
	char was[SERVER_FAULT_MAX];

	assert(why[0]);
	copy_printable(why, text);
	if (!fault_replace(&server->faults[kind], text, was))
		return false;
	log_fault(server, LOG_WARNING, text, NULL);
	return true;
}

void
server_clear_fault(struct server *server, enum server_fault_kind kind)
{
	static const char none[SERVER_FAULT_MAX];
	struct server_fault *fault = &server->faults[kind];
	char was[SERVER_FAULT_MAX];

	/* The first word of a text is never 0. */
	if (!atomic_load_explicit(&fault->words[0], memory_order_relaxed))
		return;
	if (fault_replace(fault, none, was))
		log_fault(server, LOG_INFO, "mended", was);
}

bool
server_fault(const struct server *server, char text[SERVER_FAULT_MAX])
{
	for (int kind = 0; kind < SERVER_FAULT_KINDS; kind++) {
		const struct server_fault *fault = &server->faults[kind];

		seqlock_load(&fault->lock, fault->words, text, SERVER_FAULT_MAX);
		if (text[0])
			return true;
	}
	return false;
}
