#include "smtp/extensions.h"

#include "base/number.h"
#include "smtp/sasl.h"
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
	{SMTP_AUTH, true, {"AUTH", 4}},
	{SMTP_XCLIENT, false, {"XCLIENT", 7}},
	{SMTP_XFORWARD, false, {"XFORWARD", 8}},
	{SMTP_BINARYMIME, false, {"BINARYMIME", 10}},
	{SMTP_REQUIRETLS, true, {"REQUIRETLS", 10}},
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

/* Before RFC 2554 was finished some wrote "AUTH=PLAIN", and servers still add such a
 * line for the clients of that time. */
static struct span
cut_keyword(struct span *parameters)
{
	const struct span old = SPAN("AUTH=");
	struct span keyword;

	if (!span_starts_nocase(*parameters, old))
		return span_cut(parameters, ' ');
	keyword = span_take(*parameters, old.length - 1);
	*parameters = span_skip(*parameters, old.length);
	return keyword;
}

/* ehlo-line = ehlo-keyword *( SP ehlo-param ), behind the code and its separator */
static void
read_line(struct span line, struct smtp_extensions *extensions)
{
	struct span parameters = span_trim(line);
	uint32_t extension = find_keyword(cut_keyword(&parameters));

	extensions->set |= extension;
	if (extension == SMTP_SIZE &&
	    !number_read(span_trim(parameters), UINT64_MAX, &extensions->size))
		extensions->size = 0;
	if (extension == SMTP_XCLIENT)
		extensions->xclient |= smtp_attributes_read(parameters);
	if (extension == SMTP_XFORWARD)
		extensions->xforward |= smtp_attributes_read(parameters);
	if (extension == SMTP_AUTH)
		extensions->auth |= sasl_mechanisms_read(parameters);
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
		.auth = a.auth & b.auth,
	};
}

static uint32_t
offered_of(struct smtp_extensions extensions)
{
	uint32_t offered = 0;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (rows[i].offered)
			offered |= extensions.set & rows[i].extension;
	}
	return extensions.auth ? offered : offered & ~(uint32_t)SMTP_AUTH;
}

/* Each client hears these lines: printf() is kept for the one with a number. */
static enum status
print_keyword(struct span keyword, bool last, struct buffer *output)
{
	enum status status = buffer_append(output, last ? SPAN("250 ") : SPAN("250-"));

	return status == STATUS_OK ? buffer_append(output, keyword) : status;
}

static enum status
print_parameters(struct smtp_extensions extensions, enum smtp_extension extension,
		 struct buffer *output)
{
	if (extension == SMTP_SIZE && extensions.size)
		return buffer_print(output, " %" PRIu64, extensions.size);
	if (extension == SMTP_AUTH)
		return sasl_mechanisms_print(extensions.auth, output);
	return STATUS_OK;
}

enum status
smtp_extensions_print(struct smtp_extensions extensions, struct span hostname,
		      struct buffer *output)
{
	uint32_t left = offered_of(extensions);
	enum status status = print_keyword(hostname, left == 0, output);

	for (size_t i = 0; i < COUNT_OF(rows) && status == STATUS_OK; i++) {
		if (!(left & rows[i].extension))
			continue;
		left &= ~(uint32_t)rows[i].extension;
		status = buffer_append(output, SPAN("\r\n"));
		if (status == STATUS_OK)
			status = print_keyword(rows[i].keyword, left == 0, output);
		if (status == STATUS_OK)
			status =
				print_parameters(extensions, rows[i].extension, output);
	}
	return status == STATUS_OK ? buffer_append(output, SPAN("\r\n")) : status;
}
