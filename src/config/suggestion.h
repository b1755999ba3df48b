/*
 * suggestion: the word that somebody probably meant.
 * Thread: any. Never allocates.
 */
#ifndef EVENPOST_CONFIG_SUGGESTION_H
#define EVENPOST_CONFIG_SUGGESTION_H

#include "base/span.h"

/*
 * Collects candidates; the nearest one wins, the first of equals. Words are near when
 * few letters have to be changed, added, taken away or swapped: one in three at most.
 */
struct suggestion {
	struct span wanted;
	struct span nearest; /* empty: none was near */
	size_t distance;
};

void suggestion_init(struct suggestion *suggestion, struct span wanted);
void suggestion_offer(struct suggestion *suggestion, struct span candidate);

/* `; did you mean "…"?`, or nothing. */
#define SUGGESTION_TEXT_MAX 128
const char *
suggestion_print(const struct suggestion *suggestion, char text[SUGGESTION_TEXT_MAX]);

#endif
