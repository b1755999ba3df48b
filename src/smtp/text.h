/*
 * text: bytes that are put together from the front of a room of fixed size. Who adds
 * what may be left out asks first whether it fits.
 * Owner: the caller, who lends the room. Thread: owner. Never allocates.
 */
#ifndef EVENPOST_SMTP_TEXT_H
#define EVENPOST_SMTP_TEXT_H

#include "base/span.h"

#include <assert.h>

struct text {
	char *room;
	size_t size;
	size_t length; /* of what stands in the room */
};

static inline struct text
text_in(char *room, size_t size)
{
	return (struct text){.room = room, .size = size};
}

static inline bool
text_has_room(const struct text *text, size_t count)
{
	return count <= text->size - text->length;
}

/* What must fit. */
static inline void
text_add(struct text *text, struct span bytes)
{
	assert(text_has_room(text, bytes.length));
	if (bytes.length)
		memcpy(text->room + text->length, bytes.at, bytes.length);
	text->length += bytes.length;
}

static inline void
text_add_octet(struct text *text, char octet)
{
	text_add(text, span_of(&octet, 1));
}

#endif
