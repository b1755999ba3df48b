/*
 * name_cache: what one worker knows of the DNS names of its clients, and who of its own
 * waits to hear one: a client that comes a thousand times a second costs one question.
 * One place for each of 512 hashes; the later answer takes it.
 * Owner: the worker. Thread: owner. Allocates as answers come.
 */
#ifndef EVENPOST_PROXY_NAME_CACHE_H
#define EVENPOST_PROXY_NAME_CACHE_H

#include "base/list.h"
#include "base/span.h"
#include "proxy/names.h"

#define NAME_CACHE_PLACES 512

struct name_entry;
struct name_inquiry;

struct name_cache {
	struct names *names;
	struct mailbox *back; /* the worker's */
	struct loop *loop;
	struct {
		struct name_entry *known;   /* NULL: none */
		struct name_inquiry *asked; /* a chain; NULL: none */
	} places[NAME_CACHE_PLACES];
};

struct name_lookup;
/* state: never NAME_UNKNOWN. name: of NAME_FOUND, else empty; borrowed for the call. */
typedef void
name_answered(struct name_lookup *lookup, enum name_state state, struct span name);

/* One who waits; embedded in what asks. Zero it first. */
struct name_lookup {
	struct list link;
	name_answered *answered;
};

/* names: NULL where nobody asks. */
void name_cache_init(struct name_cache *cache, struct names *names,
		     struct mailbox *back, struct loop *loop);
/* Behind names_close() and the end of the mailbox. */
void name_cache_fini(struct name_cache *cache);

/*
 * now: the loop's. NAME_UNKNOWN: ask. *name: of NAME_FOUND, else empty; borrowed until
 * the worker's loop goes on.
 */
enum name_state
name_cache_find(const struct name_cache *cache, const struct endpoint *client,
		int64_t now, struct span *name);

/*
 * For what name_cache_find() does not know. answered is called later, once, unless the
 * lookup is forgotten; in that call it may be freed or ask again. All who ask about
 * a client share one question, and one that nobody waits for any more still fills the
 * cache. False: out of memory, or too many questions are under way.
 */
bool name_cache_ask(struct name_cache *cache, struct name_lookup *lookup,
		    const struct endpoint *client, name_answered *answered);
/* Who asked is gone. Does nothing to one that does not wait. */
void name_lookup_forget(struct name_lookup *lookup);
bool name_lookup_is_waiting(const struct name_lookup *lookup);

#endif
