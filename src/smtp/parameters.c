#include "smtp/parameters.h"

#include "base/number.h"
#include "smtp/utf8.h"

#define SIZE_DIGITS_MAX 20 /* RFC 1870 4 */
#define ENVID_MAX 100      /* RFC 3461 4.4 */
#define ORCPT_MAX 500      /* RFC 3461 4.2 */
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

enum command { IN_MAIL, IN_RCPT };

typedef enum smtp_parameters_result
read_value(struct span value, struct smtp_extensions offered,
	   struct smtp_parameters *parameters);

static read_value read_size, read_body, read_ret, read_envid, read_notify, read_orcpt,
	read_auth;

/* RFC 1870, 6152, 6531, 3461, 4954, 8689; read is NULL where no value may be given. */
static const struct row {
	struct span keyword;
	enum command command;
	enum smtp_extension extension;
	bool needed; /* by the server; else it is left out where the server lacks it */
	read_value *read;
} rows[] = {
	{{"SIZE", 4}, IN_MAIL, SMTP_SIZE, false, read_size},
	{{"BODY", 4}, IN_MAIL, SMTP_8BITMIME, false, read_body},
	{{"SMTPUTF8", 8}, IN_MAIL, SMTP_SMTPUTF8, true, NULL},
	{{"RET", 3}, IN_MAIL, SMTP_DSN, true, read_ret},
	{{"ENVID", 5}, IN_MAIL, SMTP_DSN, true, read_envid},
	{{"AUTH", 4}, IN_MAIL, SMTP_AUTH, false, read_auth},
	{{"REQUIRETLS", 10}, IN_MAIL, SMTP_REQUIRETLS, true, NULL},
	{{"NOTIFY", 6}, IN_RCPT, SMTP_DSN, true, read_notify},
	{{"ORCPT", 5}, IN_RCPT, SMTP_DSN, true, read_orcpt},
};

static enum smtp_parameters_result
ok_if(bool valid)
{
	return valid ? SMTP_PARAMETERS_OK : SMTP_PARAMETERS_MALFORMED;
}

static bool
is_alphanumeric(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9');
}

static bool
is_digits(struct span text)
{
	for (size_t i = 0; i < text.length; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
	}
	return !span_is_empty(text);
}

/* The value of an upper-case hexadecimal digit, -1 for any other byte. */
static int
hex_value(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	return byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : -1;
}

/* hexchar = "+" 2HEXDIGIT, at an index; its octet is printable. */
static bool
is_hexchar(struct span text, size_t at)
{
	int high;
	int low;

	if (at + 2 >= text.length)
		return false;
	high = hex_value(text.at[at + 1]);
	low = hex_value(text.at[at + 2]);
	return high >= 2 && high <= 7 && low >= 0 && !(high == 7 && low == 0xf);
}

bool
smtp_xtext_is_valid(struct span text)
{
	for (size_t i = 0; i < text.length; i++) {
		if (text.at[i] < '!' || text.at[i] > '~' || text.at[i] == '=')
			return false;
		if (text.at[i] != '+')
			continue;
		if (!is_hexchar(text, i))
			return false;
		i += 2;
	}
	return true;
}

/* More digits than a number holds are still a size: one over every limit. */
static enum smtp_parameters_result
read_size(struct span value, struct smtp_extensions offered,
	  struct smtp_parameters *parameters)
{
	(void)offered;
	if (value.length > SIZE_DIGITS_MAX || !is_digits(value))
		return SMTP_PARAMETERS_MALFORMED;
	if (!number_read(value, UINT64_MAX, &parameters->size))
		parameters->size = UINT64_MAX;
	return SMTP_PARAMETERS_OK;
}

static enum smtp_parameters_result
read_body(struct span value, struct smtp_extensions offered,
	  struct smtp_parameters *parameters)
{
	(void)offered;
	if (span_equals_nocase(value, SPAN("7BIT")))
		parameters->body = SMTP_BODY_7BIT;
	else if (span_equals_nocase(value, SPAN("8BITMIME")))
		parameters->body = SMTP_BODY_8BITMIME;
	else if (span_equals_nocase(value, SPAN("BINARYMIME")))
		return SMTP_PARAMETERS_UNKNOWN;
	return ok_if(parameters->body != SMTP_BODY_UNSTATED);
}

static enum smtp_parameters_result
read_ret(struct span value, struct smtp_extensions offered,
	 struct smtp_parameters *parameters)
{
	(void)offered;
	(void)parameters;
	return ok_if(span_equals_nocase(value, SPAN("FULL")) ||
		     span_equals_nocase(value, SPAN("HDRS")));
}

static enum smtp_parameters_result
read_envid(struct span value, struct smtp_extensions offered,
	   struct smtp_parameters *parameters)
{
	(void)offered;
	parameters->envid = value;
	return ok_if(value.length <= ENVID_MAX && smtp_xtext_is_valid(value));
}

/* RFC 4954 5: xtext or "<>" */
static enum smtp_parameters_result
read_auth(struct span value, struct smtp_extensions offered,
	  struct smtp_parameters *parameters)
{
	(void)offered;
	(void)parameters;
	return ok_if(span_equals(value, SPAN("<>")) || smtp_xtext_is_valid(value));
}

static bool
is_occasion(struct span word)
{
	return span_equals_nocase(word, SPAN("SUCCESS")) ||
	       span_equals_nocase(word, SPAN("FAILURE")) ||
	       span_equals_nocase(word, SPAN("DELAY"));
}

/* notify-esmtp-value = "NEVER" / 1#notify-list-element */
static enum smtp_parameters_result
read_notify(struct span value, struct smtp_extensions offered,
	    struct smtp_parameters *parameters)
{
	bool more = true;

	(void)offered;
	(void)parameters;
	if (span_equals_nocase(value, SPAN("NEVER")))
		return SMTP_PARAMETERS_OK;
	while (more) {
		more = span_find(value, ',') != SPAN_NOWHERE;
		if (!is_occasion(span_cut(&value, ',')))
			return SMTP_PARAMETERS_MALFORMED;
	}
	return SMTP_PARAMETERS_OK;
}

/* A keyword or an address type: letters, digits and hyphens. */
static bool
is_name(struct span text)
{
	for (size_t i = 0; i < text.length; i++) {
		if (!is_alphanumeric(text.at[i]) && text.at[i] != '-')
			return false;
	}
	return !span_is_empty(text) && text.at[0] != '-';
}

/* EmbeddedUnicodeChar = "\x{" HEXPOINT "}" at the front (RFC 6533 3); 0: none. */
static size_t
embedded_length(struct span text)
{
	size_t end = span_find(text, '}');

	if (!span_starts(text, SPAN("\\x{")) || end == SPAN_NOWHERE || end < 5 ||
	    end > 9)
		return 0;
	for (size_t i = 3; i < end; i++) {
		if (hex_value(text.at[i]) < 0)
			return 0;
	}
	return end + 1;
}

/* utf-8-addr-xtext / utf-8-addr-unitext (RFC 6533 3) */
static bool
utf8_address_is_valid(struct span text)
{
	while (!span_is_empty(text)) {
		size_t length = utf8_character_length(text);

		if (text.at[0] == '\\')
			length = embedded_length(text);
		else if (length == 1 && (text.at[0] <= ' ' || text.at[0] > '~' ||
					 text.at[0] == '+' || text.at[0] == '='))
			length = 0;
		if (length == 0)
			return false;
		text = span_skip(text, length);
	}
	return true;
}

static bool
is_ascii(struct span text)
{
	for (size_t i = 0; i < text.length; i++) {
		if ((unsigned char)text.at[i] > 0x7f)
			return false;
	}
	return true;
}

/* original-recipient-address = addr-type ";" xtext; octets above 0x7f need SMTPUTF8 */
static enum smtp_parameters_result
read_orcpt(struct span value, struct smtp_extensions offered,
	   struct smtp_parameters *parameters)
{
	struct span address = value;
	struct span type = span_cut(&address, ';');

	if (value.length > ORCPT_MAX || !is_name(type) || span_is_empty(address))
		return SMTP_PARAMETERS_MALFORMED;
	if (!span_equals_nocase(type, SPAN("utf-8")))
		return ok_if(smtp_xtext_is_valid(address));
	if (!is_ascii(address)) {
		if (!(offered.set & SMTP_SMTPUTF8))
			return SMTP_PARAMETERS_MALFORMED;
		parameters->needs |= SMTP_SMTPUTF8;
	}
	return ok_if(utf8_address_is_valid(address));
}

static const struct row *
find_row(struct span keyword)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (span_equals_nocase(keyword, rows[i].keyword))
			return &rows[i];
	}
	return NULL;
}

/* Cuts the next esmtp-param from *rest; false at the end. */
static bool
next_parameter(struct span *rest, struct span *parameter)
{
	*rest = span_trim(*rest);
	*parameter = span_cut(rest, ' ');
	return !span_is_empty(*parameter);
}

static enum smtp_parameters_result
read_parameter(struct span parameter, const struct row *row,
	       struct smtp_extensions offered, struct smtp_parameters *parameters)
{
	struct span value = parameter;
	struct span keyword = span_cut(&value, '=');
	bool has_value = keyword.length != parameter.length;

	if (row->needed)
		parameters->needs |= row->extension;
	if (!row->read)
		return ok_if(!has_value);
	if (!has_value || span_is_empty(value))
		return SMTP_PARAMETERS_MALFORMED;
	return row->read(value, offered, parameters);
}

static enum smtp_parameters_result
read_all(struct span text, enum command command, struct smtp_extensions offered,
	 struct smtp_parameters *parameters)
{
	struct span rest = text;
	struct span parameter;
	uint32_t seen = 0;

	*parameters = (struct smtp_parameters){.text = span_trim(text)};
	while (next_parameter(&rest, &parameter)) {
		struct span keyword = span_take(parameter, span_find(parameter, '='));
		const struct row *row = find_row(keyword);
		enum smtp_parameters_result result;

		if (!is_name(keyword))
			return SMTP_PARAMETERS_MALFORMED;
		if (!row || row->command != command || !(offered.set & row->extension))
			return SMTP_PARAMETERS_UNKNOWN;
		if (seen & 1u << (row - rows))
			return SMTP_PARAMETERS_MALFORMED;
		seen |= 1u << (row - rows);
		result = read_parameter(parameter, row, offered, parameters);
		if (result != SMTP_PARAMETERS_OK)
			return result;
	}
	return SMTP_PARAMETERS_OK;
}

enum smtp_parameters_result
smtp_parameters_read_mail(struct span text, struct smtp_extensions offered,
			  struct smtp_parameters *parameters)
{
	return read_all(text, IN_MAIL, offered, parameters);
}

enum smtp_parameters_result
smtp_parameters_read_rcpt(struct span text, struct smtp_extensions offered,
			  struct smtp_parameters *parameters)
{
	return read_all(text, IN_RCPT, offered, parameters);
}

static bool
is_passed_on(struct span parameter, struct smtp_extensions server)
{
	const struct row *row =
		find_row(span_take(parameter, span_find(parameter, '=')));

	return row && row->extension != SMTP_AUTH &&
	       (row->needed || server.set & row->extension);
}

enum status
smtp_parameters_print(struct span text, struct smtp_extensions server,
		      struct buffer *output)
{
	struct span parameter;
	enum status status = STATUS_OK;

	while (status == STATUS_OK && next_parameter(&text, &parameter)) {
		if (is_passed_on(parameter, server))
			status = buffer_print(output, " %.*s", SPAN_ARGS(parameter));
	}
	return status;
}
