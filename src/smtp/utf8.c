#include "smtp/utf8.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The well-formed sequences, by their first octets (Unicode 15, table 3-7). */
static const struct {
	unsigned char first, first_last;
	unsigned char second, second_last;
	size_t length;
} forms[] = {
	{0x00, 0x7f, 0x00, 0xff, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2},
	{0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
	{0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
	{0xf4, 0xf4, 0x80, 0x8f, 4},
};

static bool
is_between(char byte, unsigned char first, unsigned char last)
{
	return (unsigned char)byte >= first && (unsigned char)byte <= last;
}

/* Whether the octets behind the first belong to a form of this length. */
static bool
tail_is_valid(struct span text, size_t form)
{
	if (text.length < forms[form].length)
		return false;
	for (size_t i = 1; i < forms[form].length; i++) {
		if (!is_between(text.at[i], 0x80, 0xbf))
			return false;
	}
	return forms[form].length == 1 ||
	       is_between(text.at[1], forms[form].second, forms[form].second_last);
}

size_t
utf8_character_length(struct span text)
{
	if (span_is_empty(text))
		return 0;
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		if (is_between(text.at[0], forms[i].first, forms[i].first_last))
			return tail_is_valid(text, i) ? forms[i].length : 0;
	}
	return 0;
}

bool
utf8_is_valid(struct span text)
{
	while (!span_is_empty(text)) {
		size_t length = utf8_character_length(text);

		if (length == 0)
			return false;
		text = span_skip(text, length);
	}
	return true;
}
