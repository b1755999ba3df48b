#include "base/number.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct unit {
	struct span name;
	uint64_t factor;
};

static const struct unit durations[] = {
	{{"ms", 2}, 1},      {{"s", 1}, 1000},     {{"m", 1}, 60000},
	{{"h", 1}, 3600000}, {{"d", 1}, 86400000},
};

static const struct unit sizes[] = {
	{{"", 0}, 1},
	{{"k", 1}, UINT64_C(1) << 10},
	{{"m", 1}, UINT64_C(1) << 20},
	{{"g", 1}, UINT64_C(1) << 30},
};

static const struct unit periods[] = {
	{{"s", 1}, 1000},
	{{"m", 1}, 60000},
	{{"h", 1}, 3600000},
};

static bool
is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

bool
number_read(struct span text, uint64_t max, uint64_t *value)
{
	uint64_t sum = 0;

	if (span_is_empty(text))
		return false;
	for (size_t i = 0; i < text.length; i++) {
		uint64_t digit = (uint64_t)(text.at[i] - '0');

		if (!is_digit(text.at[i]) || sum > (UINT64_MAX - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	if (sum > max)
		return false;
	*value = sum;
	return true;
}

static bool
find_unit(const struct unit *units, size_t count, struct span name, uint64_t *factor)
{
	for (size_t i = 0; i < count; i++) {
		if (span_equals(units[i].name, name)) {
			*factor = units[i].factor;
			return true;
		}
	}
	return false;
}

/* Digits and a unit; the product is at most max. */
static bool
read_scaled(struct span text, const struct unit *units, size_t count, uint64_t max,
	    uint64_t *value)
{
	size_t digits = 0;
	uint64_t factor;

	while (digits < text.length && is_digit(text.at[digits]))
		digits++;
	if (!find_unit(units, count, span_skip(text, digits), &factor) ||
	    !number_read(span_take(text, digits), max / factor, value))
		return false;
	*value *= factor;
	return true;
}

bool
number_read_duration(struct span text, int64_t *milliseconds)
{
	uint64_t value;

	if (span_equals(text, SPAN("0")))
		value = 0;
	else if (!read_scaled(text, durations, COUNT_OF(durations), INT64_MAX, &value))
		return false;
	*milliseconds = (int64_t)value;
	return true;
}

bool
number_read_size(struct span text, uint64_t *bytes)
{
	char lower[24];

	if (text.length > sizeof(lower))
		return false;
	for (size_t i = 0; i < text.length; i++)
		lower[i] = octet_to_lower(text.at[i]);
	return read_scaled(span_of(lower, text.length), sizes, COUNT_OF(sizes),
			   UINT64_MAX, bytes);
}

bool
number_read_rate(struct span text, struct rate *rate)
{
	struct span period = text;
	struct span count = span_cut(&period, '/');
	uint64_t value;
	uint64_t factor;

	if (!find_unit(periods, COUNT_OF(periods), period, &factor) ||
	    !number_read(count, UINT64_MAX, &value) || value == 0)
		return false;
	*rate = (struct rate){.count = value, .period = (int64_t)factor};
	return true;
}

bool
number_read_percentage(struct span text, unsigned *percentage)
{
	uint64_t value;

	if (span_is_empty(text) || text.at[text.length - 1] != '%' ||
	    !number_read(span_take(text, text.length - 1), 100, &value))
		return false;
	*percentage = (unsigned)value;
	return true;
}
