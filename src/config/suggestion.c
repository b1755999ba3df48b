#include "config/suggestion.h"

#include <stdio.h>

#define WORD_MAX 64

void
suggestion_init(struct suggestion *suggestion, struct span wanted)
{
	*suggestion = (struct suggestion){
		.wanted = wanted,
		.distance = (wanted.length < 3 ? 3 : wanted.length) / 3 + 1,
	};
}

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static char
fold(char byte)
{
	if (byte == '_')
		return '-';
	return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

static bool
is_swap(struct span a, struct span b, size_t i, size_t j)
{
	return i > 1 && j > 1 && fold(a.at[i - 1]) == fold(b.at[j - 2]) &&
	       fold(a.at[i - 2]) == fold(b.at[j - 1]);
}

/*
 * Optimal string alignment: Levenshtein's distance and swaps of neighbours. Case and
 * - against _ cost nothing. Both at most WORD_MAX long.
 */
static size_t
distance_between(struct span a, struct span b)
{
	size_t rows[3][WORD_MAX + 1];

	for (size_t j = 0; j <= b.length; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a.length; i++) {
		size_t *now = rows[i % 3];
		const size_t *last = rows[(i + 2) % 3];
		const size_t *before_last = rows[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= b.length; j++) {
			bool same = fold(a.at[i - 1]) == fold(b.at[j - 1]);

			now[j] = smaller(last[j - 1] + (same ? 0 : 1),
					 smaller(last[j], now[j - 1]) + 1);
			if (is_swap(a, b, i, j))
				now[j] = smaller(now[j], before_last[j - 2] + 1);
		}
	}
	return rows[a.length % 3][b.length];
}

void
suggestion_offer(struct suggestion *suggestion, struct span candidate)
{
	size_t distance;

	if (suggestion->wanted.length > WORD_MAX || candidate.length > WORD_MAX)
		return;
	distance = distance_between(suggestion->wanted, candidate);
	if (distance >= suggestion->distance)
		return;
	suggestion->distance = distance;
	suggestion->nearest = candidate;
}

const char *
suggestion_print(const struct suggestion *suggestion, char text[SUGGESTION_TEXT_MAX])
{
	text[0] = 0;
	if (!span_is_empty(suggestion->nearest))
		snprintf(text, SUGGESTION_TEXT_MAX, "; did you mean \"%.*s\"?",
			 SPAN_ARGS(suggestion->nearest));
	return text;
}
