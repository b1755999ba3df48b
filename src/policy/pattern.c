#include "policy/pattern.h"

/*
 * Where a comparison fails behind a star, the star takes one octet more. Only the last
 * one need be tried again: what an earlier star could take, the last one can leave out.
 */
bool
pattern_matches(struct span pattern, struct span text)
{
	size_t at = 0, next = 0;
	size_t star = SPAN_NOWHERE, taken = 0;

	while (next < text.length) {
		if (at < pattern.length && pattern.at[at] == '*') {
			star = at++;
			taken = next;
		} else if (at < pattern.length &&
			   (pattern.at[at] == '?' ||
			    octet_to_lower(pattern.at[at]) ==
				    octet_to_lower(text.at[next]))) {
			at++;
			next++;
		} else if (star != SPAN_NOWHERE) {
			at = star + 1;
			next = ++taken;
		} else {
			return false;
		}
	}
	return pattern_matches_all(span_skip(pattern, at)) || at == pattern.length;
}

bool
pattern_matches_all(struct span pattern)
{
	for (size_t i = 0; i < pattern.length; i++)
		if (pattern.at[i] != '*')
			return false;
	return pattern.length > 0;
}

/* The other's star is taken for an octet, which only a star can stand for. */
bool
pattern_covers(struct span pattern, struct span other)
{
	if (span_find(pattern, '?') != SPAN_NOWHERE &&
	    span_find(other, '*') != SPAN_NOWHERE)
		return span_equals_nocase(pattern, other);
	return pattern_matches(pattern, other);
}

bool
pattern_set_matches(const struct pattern_set *set, struct span text)
{
	for (uint32_t i = 0; i < set->count; i++)
		if (pattern_matches(set->patterns[i], text))
			return true;
	return false;
}

bool
pattern_set_matches_all(const struct pattern_set *set)
{
	for (uint32_t i = 0; i < set->count; i++)
		if (pattern_matches_all(set->patterns[i]))
			return true;
	return false;
}
