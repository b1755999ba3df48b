#include "smtp/extensions.h"

#include "base/number.h"
#include "smtp/xclient.h"

#include <inttypes.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* In the order in which they are printed. */
static const struct {
	enum smtp_extension extension;
	bool offered; /* may be offered to a client */
	struct span keyword;
} rows[] = {
	{SMTP_PIPELINING, true, {"PIPELINING", 10}},
	{SMTP_SIZE, true, {"SIZE", 4}},
	{SMTP_STARTTLS, true, {"STARTTLS", 8}},
	{SMTP_ENHANCEDSTATUSCODES, true, {"ENHANCEDSTATUSCODES", 19}},
	{SMTP_8BITMIME, true, {"8BITMIME", 8}},
	{SMTP_DSN, true, {"DSN", 3}},
	{SMTP_SMTPUTF8, true, {"SMTPUTF8", 8}},
	{SMTP_CHUNKING, true, {"CHUNKING", 8}},
	{SMTP_AUTH, false, {"AUTH", 4}},
	{SMTP_XCLIENT, false, {"XCLIENT", 7}},
	{SMTP_XFORWARD, false, {"XFORWARD", 8}},
	{SMTP_BINARYMIME, false, {"BINARYMIME", 10}},
	{SMTP_REQUIRETLS, false, {"REQUIRETLS", 10}},
};

static uint32_t
find_keyword(struct span keyword)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (span_equals_nocase(keyword, rows[i].keyword))
			return rows[i].extension;
	}
	return 0;
}

/* ehlo-line = ehlo-keyword *( SP ehlo-param ), behind the code and its separator */
static void
read_line(struct span line, struct smtp_extensions *extensions)
{
	struct span parameters = span_trim(line);
	uint32_t extension = find_keyword(span_cut(&parameters, ' '));

	extensions->set |= extension;
	if (extension == SMTP_SIZE &&
	    !number_read(span_trim(parameters), UINT64_MAX, &extensions->size))
		extensions->size = 0;
	if (extension == SMTP_XCLIENT)
		extensions->xclient |= smtp_attributes_read(parameters);
	if (extension == SMTP_XFORWARD)
		extensions->xforward |= smtp_attributes_read(parameters);
}

struct smtp_extensions
smtp_extensions_read(const struct smtp_reply *reply)
{
	struct smtp_extensions extensions = {0};
	struct span rest = reply->text;

	smtp_reply_cut_line(&rest);
	while (!span_is_empty(rest))
		read_line(span_skip(smtp_reply_cut_line(&rest), sizeof("250-") - 1),
			  &extensions);
	return extensions;
}

static uint64_t
smaller_size(uint64_t a, uint64_t b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

struct smtp_extensions
smtp_extensions_intersect(struct smtp_extensions a, struct smtp_extensions b)
{
	return (struct smtp_extensions){
		.set = a.set & b.set,
		.size = smaller_size(a.size, b.size),
		.xclient = a.xclient & b.xclient,
		.xforward = a.xforward & b.xforward,
	};
}

static uint32_t
offered_of(uint32_t set)
{
	uint32_t offered = 0;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (rows[i].offered)
			offered |= set & rows[i].extension;
	}
	return offered;
}

static enum status
print_line(struct span keyword, uint64_t size, bool last, struct buffer *output)
{
	char separator = last ? ' ' : '-';

	if (size)
		return buffer_print(output, "250%c%.*s %" PRIu64 "\r\n", separator,
				    SPAN_ARGS(keyword), size);
	return buffer_print(output, "250%c%.*s\r\n", separator, SPAN_ARGS(keyword));
}

enum status
smtp_extensions_print(struct smtp_extensions extensions, struct span hostname,
		      struct buffer *output)
{
	uint32_t left = offered_of(extensions.set);
	enum status status = print_line(hostname, 0, left == 0, output);

	for (size_t i = 0; i < COUNT_OF(rows) && status == STATUS_OK; i++) {
		if (!(left & rows[i].extension))
			continue;
		left &= ~(uint32_t)rows[i].extension;
		status =
			print_line(rows[i].keyword,
				   rows[i].extension == SMTP_SIZE ? extensions.size : 0,
				   left == 0, output);
	}
	return status;
}
