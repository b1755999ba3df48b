#include "proxy/name_cache.h"

#include <stdlib.h>

struct name_entry {
	struct endpoint client;
	enum name_state state;
	int64_t expires; /* milliseconds on the loop's clock */
	size_t length;
	char name[];
};

/* A question under way, with those who wait for it. */
struct name_inquiry {
	struct name_question question;
	struct name_cache *cache;
	struct name_inquiry *next; /* of the same place */
	struct list lookups;
};

static uint32_t
place_of(const struct endpoint *client)
{
	return (uint32_t)(endpoint_hash_address(client) % NAME_CACHE_PLACES);
}

void
name_cache_init(struct name_cache *cache, struct names *names, struct mailbox *back,
		struct loop *loop)
{
	*cache = (struct name_cache){.names = names, .back = back, .loop = loop};
}

void
name_cache_fini(struct name_cache *cache)
{
	for (uint32_t i = 0; i < NAME_CACHE_PLACES; i++) {
		assert(!cache->places[i].asked);
		free(cache->places[i].known);
	}
}

/* ---- what is known ---- */

enum name_state
name_cache_find(const struct name_cache *cache, const struct endpoint *client,
		int64_t now, struct span *name)
{
	const struct name_entry *known = cache->places[place_of(client)].known;

	*name = SPAN("");
	if (!known || now >= known->expires ||
	    !endpoint_equals_address(&known->client, client))
		return NAME_UNKNOWN;
	*name = span_of(known->name, known->length);
	return known->state;
}

/* Out of memory: it is asked for once more, no harm is done. */
static void
keep(struct name_cache *cache, const struct name_question *question, struct span name)
{
	uint32_t place = place_of(&question->client);
	struct name_entry *entry = malloc(sizeof(*entry) + name.length);

	if (!entry)
		return;
	entry->client = question->client;
	entry->state = question->state;
	entry->expires = cache->loop->now + question->lifetime;
	entry->length = name.length;
	memcpy(entry->name, name.at, name.length);
	free(cache->places[place].known);
	cache->places[place].known = entry;
}

/* ---- what is asked ---- */

static void
unchain(struct name_inquiry *inquiry)
{
	uint32_t place = place_of(&inquiry->question.client);
	struct name_inquiry **at = &inquiry->cache->places[place].asked;

	while (*at != inquiry)
		at = &(*at)->next;
	*at = inquiry->next;
}

static void
question_answered(struct name_question *question)
{
	struct name_inquiry *inquiry =
		CONTAINER_OF(question, struct name_inquiry, question);
	struct span name = question->state == NAME_FOUND
				   ? span_from_string(question->name)
				   : SPAN("");
	struct list *first;

	unchain(inquiry);
	keep(inquiry->cache, question, name);
	while ((first = list_first(&inquiry->lookups))) {
		struct name_lookup *lookup =
			CONTAINER_OF(first, struct name_lookup, link);

		list_remove(first);
		lookup->answered(lookup, question->state, name);
	}
	free(inquiry);
}

/* NULL: nobody asks about this client. */
static struct name_inquiry *
find_inquiry(const struct name_cache *cache, const struct endpoint *client)
{
	struct name_inquiry *inquiry = cache->places[place_of(client)].asked;

	while (inquiry && !endpoint_equals_address(&inquiry->question.client, client))
		inquiry = inquiry->next;
	return inquiry;
}

static struct name_inquiry *
begin_inquiry(struct name_cache *cache, const struct endpoint *client)
{
	struct name_inquiry **asked = &cache->places[place_of(client)].asked;
	struct name_inquiry *inquiry = calloc(1, sizeof(*inquiry));

	if (!inquiry)
		return NULL;
	inquiry->question.back = cache->back;
	inquiry->question.answered = question_answered;
	inquiry->question.client = *client;
	inquiry->cache = cache;
	inquiry->next = *asked;
	list_init(&inquiry->lookups);
	if (!names_ask(cache->names, &inquiry->question)) {
		free(inquiry);
		return NULL;
	}
	*asked = inquiry;
	return inquiry;
}

bool
name_cache_ask(struct name_cache *cache, struct name_lookup *lookup,
	       const struct endpoint *client, name_answered *answered)
{
	struct name_inquiry *inquiry = find_inquiry(cache, client);

	assert(!list_is_linked(&lookup->link));
	if (!inquiry)
		inquiry = begin_inquiry(cache, client);
	if (!inquiry)
		return false;
	lookup->answered = answered;
	list_append(&inquiry->lookups, &lookup->link);
	return true;
}

void
name_lookup_forget(struct name_lookup *lookup)
{
	list_remove(&lookup->link);
}

bool
name_lookup_is_waiting(const struct name_lookup *lookup)
{
	return list_is_linked(&lookup->link);
}
