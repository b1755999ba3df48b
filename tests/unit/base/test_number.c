#include "base/number.h"
#include "rows.h"

#define FAILS INT64_MIN

static const struct reading {
	const char *name;
	const char *text;
	enum { PLAIN, DURATION, SIZE, PERCENTAGE } kind;
	int64_t value; /* FAILS: refused */
} readings[] = {
	{"digits", "1209", PLAIN, 1209},
	{"zero", "0", PLAIN, 0},
	{"leading zeros", "007", PLAIN, 7},
	{"the maximum itself", "65535", PLAIN, 65535},
	{"over the maximum", "65536", PLAIN, FAILS},
	{"over 64 bits", "18446744073709551616", PLAIN, FAILS},
	{"far over 64 bits", "99999999999999999999999999", PLAIN, FAILS},
	{"nothing", "", PLAIN, FAILS},
	{"a plus sign", "+1", PLAIN, FAILS},
	{"a minus sign", "-1", PLAIN, FAILS},
	{"a blank before", " 1", PLAIN, FAILS},
	{"a blank behind", "1 ", PLAIN, FAILS},
	{"hexadecimal", "0x10", PLAIN, FAILS},
	{"milliseconds", "250ms", DURATION, 250},
	{"seconds", "5s", DURATION, 5000},
	{"minutes", "2m", DURATION, 120000},
	{"hours", "1h", DURATION, 3600000},
	{"days", "7d", DURATION, 604800000},
	{"zero without a unit", "0", DURATION, 0},
	{"zero with a unit", "0s", DURATION, 0},
	{"a duration without a unit", "5", DURATION, FAILS},
	{"a unit without a number", "s", DURATION, FAILS},
	{"an unknown unit", "5w", DURATION, FAILS},
	{"a unit in upper case", "5S", DURATION, FAILS},
	{"two units", "1h5m", DURATION, FAILS},
	{"a fraction", "1.5s", DURATION, FAILS},
	{"the longest duration", "9223372036854775807ms", DURATION, INT64_MAX},
	{"a duration over 63 bits", "9223372036854775808ms", DURATION, FAILS},
	{"a duration that overflows in the unit", "106751991168d", DURATION, FAILS},
	{"bytes", "512", SIZE, 512},
	{"kibibytes", "64k", SIZE, 65536},
	{"kibibytes in upper case", "64K", SIZE, 65536},
	{"mebibytes", "50m", SIZE, 52428800},
	{"gibibytes", "2G", SIZE, INT64_C(2147483648)},
	{"an unknown size", "1t", SIZE, FAILS},
	{"a size with two units", "1kb", SIZE, FAILS},
	{"a size that overflows in the unit", "17179869184g", SIZE, FAILS},
	{"an endless size", "0000000000000000000000000000000000001", SIZE, FAILS},
	{"half", "50%", PERCENTAGE, 50},
	{"all", "100%", PERCENTAGE, 100},
	{"none", "0%", PERCENTAGE, 0},
	{"more than all", "101%", PERCENTAGE, FAILS},
	{"no sign", "50", PERCENTAGE, FAILS},
	{"the sign alone", "%", PERCENTAGE, FAILS},
	{"no percentage at all", "", PERCENTAGE, FAILS},
};

static bool
read_row(const struct reading *row, int64_t *value)
{
	struct span text = span_from_string(row->text);
	unsigned percentage = 0;
	uint64_t number = 0;
	bool read = false;

	switch (row->kind) {
	case PLAIN:
		read = number_read(text, 65535, &number);
		break;
	case DURATION:
		return number_read_duration(text, value);
	case SIZE:
		read = number_read_size(text, &number);
		break;
	case PERCENTAGE:
		read = number_read_percentage(text, &percentage);
		number = percentage;
		break;
	}
	*value = (int64_t)number;
	return read;
}

static void
test_reading(void **state)
{
	const struct reading *row = *state;
	int64_t value = 0;

	assert_int_equal(read_row(row, &value), row->value != FAILS);
	if (row->value != FAILS)
		assert_int_equal(value, row->value);
}

static const struct rate_reading {
	const char *name;
	const char *text;
	uint64_t count; /* 0: refused */
	int64_t period;
} rate_readings[] = {
	{"a second", "100/s", 100, 1000},
	{"a minute", "20/m", 20, 60000},
	{"an hour", "500/h", 500, 3600000},
	{"a count of zero", "0/s", 0, 0},
	{"no count", "/s", 0, 0},
	{"no period", "5", 0, 0},
	{"an empty period", "5/", 0, 0},
	{"an unknown period", "5/w", 0, 0},
	{"a period with a count", "5/2s", 0, 0},
	{"a second slash", "5/s/", 0, 0},
};

static void
test_rate(void **state)
{
	const struct rate_reading *row = *state;
	struct rate rate = {0};

	assert_int_equal(number_read_rate(span_from_string(row->text), &rate),
			 row->count != 0);
	assert_int_equal(rate.count, row->count);
	assert_int_equal(rate.period, row->period);
}

int
main(void)
{
	return ROWS_RUN(readings, test_reading) + ROWS_RUN(rate_readings, test_rate);
}
