#include "smtp/base64.h"

#include <stdint.h>

#define GROUP 4  /* digits, or padding */
#define OCTETS 3 /* that a group stands for */
#define BITS 24  /* of a group */

static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* -1 where it is no digit. */
static int
value_of(char byte)
{
	if (byte >= 'A' && byte <= 'Z')
		return byte - 'A';
	if (byte >= 'a' && byte <= 'z')
		return byte - 'a' + 26;
	if (byte >= '0' && byte <= '9')
		return byte - '0' + 52;
	if (byte == '+')
		return 62;
	return byte == '/' ? 63 : -1;
}

/* A group whose first `octets` octets count; the bits behind them must be zero. */
static bool
read_group(const char *group, size_t octets, uint32_t *bits)
{
	*bits = 0;
	for (size_t i = 0; i < GROUP; i++) {
		int value = i <= octets ? value_of(group[i]) : 0;

		if (value < 0)
			return false;
		*bits = *bits << 6 | (uint32_t)value;
	}
	return (*bits & ((1u << (BITS - 8 * octets)) - 1)) == 0;
}

static size_t
padding_of(struct span text)
{
	size_t padding = 0;

	while (padding < 2 && padding < text.length &&
	       text.at[text.length - 1 - padding] == '=')
		padding++;
	return padding;
}

/* room: NULL where only the verdict is wanted. */
static bool
decode(struct span text, char *room, size_t *length)
{
	size_t octets = BASE64_DECODED_MAX(text.length) - padding_of(text);
	uint32_t bits;

	if (text.length % GROUP)
		return false;
	*length = 0;
	for (size_t at = 0; at < text.length; at += GROUP) {
		size_t count = octets - *length < OCTETS ? octets - *length : OCTETS;

		if (!read_group(text.at + at, count, &bits))
			return false;
		for (size_t i = 0; i < count && room; i++)
			room[*length + i] = (char)(bits >> (BITS - 8 * (i + 1)));
		*length += count;
	}
	return true;
}

bool
base64_is_valid(struct span text)
{
	size_t length;

	return decode(text, NULL, &length);
}

bool
base64_decode(struct span text, char *room, size_t *length)
{
	return decode(text, room, length);
}

void
base64_encode(struct span octets, char *room)
{
	for (size_t at = 0; at < octets.length; at += OCTETS) {
		struct span group = span_take(span_skip(octets, at), OCTETS);
		uint32_t bits = 0;

		for (size_t i = 0; i < OCTETS; i++)
			bits = bits << 8 |
			       (i < group.length ? (unsigned char)group.at[i] : 0u);
		for (size_t i = 0; i < GROUP; i++)
			*room++ = i <= group.length
					  ? digits[bits >> (BITS - 6 * (i + 1)) & 63]
					  : '=';
	}
}
