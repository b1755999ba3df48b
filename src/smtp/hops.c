#include "smtp/hops.h"

#include <assert.h>

static const char field[] = "received:";

/* Places in a line; those below are how much of the field's name has been seen. */
enum {
	AT_LINE = 0,
	NAME_END = sizeof(field) - 1,
	BEHIND_CR = NAME_END, /* which began the line: LF ends the header */
	IN_REST,              /* nothing matters but the end of the line */
};

/* Where the line stands behind an octet that is no LF. */
static uint8_t
next_place(uint8_t at, char octet)
{
	if (at == AT_LINE && octet == '\r')
		return BEHIND_CR;
	if (at < NAME_END && octet_to_lower(octet) == field[at])
		return at + 1 == NAME_END ? IN_REST : (uint8_t)(at + 1);
	return IN_REST;
}

static void
take_octet(struct smtp_hops *hops, char octet)
{
	uint8_t at = hops->at;

	if (octet == '\n') {
		hops->done = at == AT_LINE || at == BEHIND_CR;
		hops->at = AT_LINE;
		return;
	}
	hops->at = next_place(at, octet);
	/* Only the last octet of the name leads from it. */
	if (at == NAME_END - 1 && octet == field[at])
		hops->count++;
}

void
smtp_hops_take(struct smtp_hops *hops, struct span piece)
{
	while (!hops->done && !span_is_empty(piece)) {
		if (hops->at == IN_REST) {
			size_t end = span_find(piece, '\n');

			if (end == SPAN_NOWHERE)
				return;
			piece = span_skip(piece, end);
		}
		take_octet(hops, piece.at[0]);
		piece = span_skip(piece, 1);
	}
}
