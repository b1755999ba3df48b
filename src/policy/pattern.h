/*
 * pattern: a text to compare others with, in which "*" stands for any octets, none too,
 * and "?" for one. ASCII letters are case-blind.
 * Owner: the caller; the text is borrowed. Thread: any. Never allocates.
 */
#ifndef EVENPOST_POLICY_PATTERN_H
#define EVENPOST_POLICY_PATTERN_H

#include "base/span.h"

#include <stdint.h>

struct pattern_set {
	const struct span *patterns;
	uint32_t count; /* some tens at most: each is compared */
};

/* At most pattern.length × text.length steps. */
bool pattern_matches(struct span pattern, struct span text);
/* It matches whatever there is: "*", "**". */
bool pattern_matches_all(struct span pattern);
/* It matches all that the other does. False where that is not plain to see. */
bool pattern_covers(struct span pattern, struct span other);

bool pattern_set_matches(const struct pattern_set *set, struct span text);
bool pattern_set_matches_all(const struct pattern_set *set);

#endif
