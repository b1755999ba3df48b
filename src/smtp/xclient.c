#include "smtp/xclient.h"

#include "smtp/text.h"

#include <assert.h>
#include <stdio.h>

#define COMMAND_MAX 512 /* with CRLF; RFC 5321 4.5.3.1.4 */
#define VALUE_MAX 255   /* encoded */
#define NAME_MAX_LENGTH 8
#define PLAIN_MAX (ENDPOINT_TEXT_MAX + sizeof("IPV6:"))
#define UNAVAILABLE SPAN("[UNAVAILABLE]")
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static_assert(sizeof("XFORWARD") - 1 + 1 + NAME_MAX_LENGTH + 1 + VALUE_MAX + 2 <=
		      COMMAND_MAX,
	      "a command has room for any attribute");

/* The value, in the room or borrowed; empty: not known. */
typedef struct span value_of(const struct smtp_origin *origin, char room[PLAIN_MAX]);

static value_of name_value, forwarded_name_value, port_value, proto_value, helo_value,
	login_value, destination_address_value, destination_port_value, ident_value,
	source_value, address_value;

#define XCLIENT (1 << SMTP_ATTRIBUTES_XCLIENT)
#define XFORWARD (1 << SMTP_ATTRIBUTES_XFORWARD)

/* In the order in which they are printed. */
static const struct row {
	enum smtp_attribute attribute;
	unsigned verbs;
	struct span name;
	value_of *value;
} rows[] = {
	{SMTP_ATTRIBUTE_NAME, XCLIENT, {"NAME", 4}, name_value},
	{SMTP_ATTRIBUTE_NAME, XFORWARD, {"NAME", 4}, forwarded_name_value},
	{SMTP_ATTRIBUTE_PORT, XCLIENT | XFORWARD, {"PORT", 4}, port_value},
	{SMTP_ATTRIBUTE_PROTO, XCLIENT | XFORWARD, {"PROTO", 5}, proto_value},
	{SMTP_ATTRIBUTE_HELO, XCLIENT | XFORWARD, {"HELO", 4}, helo_value},
	{SMTP_ATTRIBUTE_LOGIN, XCLIENT, {"LOGIN", 5}, login_value},
	{SMTP_ATTRIBUTE_DESTADDR, XCLIENT, {"DESTADDR", 8}, destination_address_value},
	{SMTP_ATTRIBUTE_DESTPORT, XCLIENT, {"DESTPORT", 8}, destination_port_value},
	{SMTP_ATTRIBUTE_IDENT, XFORWARD, {"IDENT", 5}, ident_value},
	{SMTP_ATTRIBUTE_SOURCE, XFORWARD, {"SOURCE", 6}, source_value},
	{SMTP_ATTRIBUTE_ADDR, XCLIENT | XFORWARD, {"ADDR", 4}, address_value},
};

static struct span
forwarded_name_value(const struct smtp_origin *origin, char room[PLAIN_MAX])
{
	(void)room;
	return origin->name_state == SMTP_NAME_FOUND ? origin->name : SPAN("");
}

/* Only XCLIENT has a word for a name that may be known later. */
static struct span
name_value(const struct smtp_origin *origin, char room[PLAIN_MAX])
{
	if (origin->name_state == SMTP_NAME_UNKNOWN)
		return SPAN("[TEMPUNAVAIL]");
	return forwarded_name_value(origin, room);
}

static struct span
print_address(const struct endpoint *endpoint, char room[PLAIN_MAX])
{
	const char *prefix = endpoint_family(endpoint) == AF_INET6 ? "IPV6:" : "";
	char address[ENDPOINT_TEXT_MAX];
	int length;

	if (!smtp_origin_is_ip(endpoint))
		return SPAN("");
	endpoint_print_address(endpoint, address);
	length = snprintf(room, PLAIN_MAX, "%s%s", prefix, address);
	return span_of(room, (size_t)length);
}

static struct span
print_port(const struct endpoint *endpoint, char room[PLAIN_MAX])
{
	int length = snprintf(room, PLAIN_MAX, "%u", endpoint_port(endpoint));

	return smtp_origin_is_ip(endpoint) ? span_of(room, (size_t)length) : SPAN("");
}

static struct span
port_value(const struct smtp_origin *origin, char room[PLAIN_MAX])
{
	return print_port(&origin->client, room);
}

static struct span
proto_value(const struct smtp_origin *origin, char room[PLAIN_MAX])
{
	(void)room;
	return origin->extended ? SPAN("ESMTP") : SPAN("SMTP");
}

static struct span
helo_value(const struct smtp_origin *origin, char room[PLAIN_MAX])
{
	(void)room;
	return origin->helo;
}

static struct span
login_value(const struct smtp_origin *origin, char room[PLAIN_MAX])
{
	(void)room;
	return origin->login;
}

static struct span
destination_address_value(const struct smtp_origin *origin, char room[PLAIN_MAX])
{
	return print_address(&origin->destination, room);
}

static struct span
destination_port_value(const struct smtp_origin *origin, char room[PLAIN_MAX])
{
	return print_port(&origin->destination, room);
}

static struct span
ident_value(const struct smtp_origin *origin, char room[PLAIN_MAX])
{
	(void)room;
	return origin->id;
}

/* A server trusts LOCAL more: only who came by a path of this machine is that. */
static struct span
source_value(const struct smtp_origin *origin, char room[PLAIN_MAX])
{
	(void)room;
	if (smtp_origin_is_ip(&origin->client))
		return SPAN("REMOTE");
	return endpoint_family(&origin->client) == AF_UNIX ? SPAN("LOCAL") : SPAN("");
}

static struct span
address_value(const struct smtp_origin *origin, char room[PLAIN_MAX])
{
	return print_address(&origin->client, room);
}

uint16_t
smtp_attributes_read(struct span text)
{
	uint16_t attributes = 0;

	while (!span_is_empty(text)) {
		struct span name = span_cut(&text, ' ');

		for (size_t i = 0; i < COUNT_OF(rows); i++) {
			if (span_equals_nocase(name, rows[i].name))
				attributes |= (uint16_t)rows[i].attribute;
		}
	}
	return attributes;
}

/* RFC 3461 4: "+" and two digits for what is no xchar. Empty: it is too long. */
static struct span
encode(struct span value, char room[VALUE_MAX])
{
	static const char digits[] = "0123456789ABCDEF";
	struct text text = text_in(room, VALUE_MAX);

	for (size_t i = 0; i < value.length; i++) {
		unsigned char octet = (unsigned char)value.at[i];
		bool plain =
			octet > ' ' && octet <= '~' && octet != '+' && octet != '=';
		char code[] = {'+', digits[octet >> 4], digits[octet & 0xf]};
		struct span encoded =
			plain ? span_of(value.at + i, 1) : span_of(code, sizeof(code));

		if (!text_has_room(&text, encoded.length))
			return SPAN("");
		text_add(&text, encoded);
	}
	return span_of(room, text.length);
}

/* " NAME=value", where it fits and leaves room for the CRLF. */
static bool
add_attribute(struct text *command, const struct row *row,
	      const struct smtp_origin *origin)
{
	char plain[PLAIN_MAX];
	char encoded[VALUE_MAX];
	struct span value = encode(row->value(origin, plain), encoded);

	if (span_is_empty(value))
		value = UNAVAILABLE;
	if (!text_has_room(command, 1 + row->name.length + 1 + value.length + 2))
		return false;
	text_add_octet(command, ' ');
	text_add(command, row->name);
	text_add_octet(command, '=');
	text_add(command, value);
	return true;
}

/*
 * Takes what it adds out of *left. The first attribute that does not fit ends it, so
 * that ADDR, in the last row, overtakes none.
 */
static void
add_attributes(struct text *command, unsigned verb, const struct smtp_origin *origin,
	       uint32_t *left)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (!(rows[i].verbs & verb) || !(*left & rows[i].attribute))
			continue;
		if (!add_attribute(command, &rows[i], origin))
			return;
		*left &= ~(uint32_t)rows[i].attribute;
	}
}

/* What can be said of this client at all. */
static uint32_t
sayable(unsigned verb, const struct smtp_origin *origin)
{
	uint32_t attributes = 0;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (rows[i].verbs & verb)
			attributes |= rows[i].attribute;
	}
	if (!origin->authenticated)
		attributes &= ~(uint32_t)SMTP_ATTRIBUTE_LOGIN;
	return attributes;
}

enum status
smtp_attributes_print(enum smtp_attributes_verb verb, const struct smtp_origin *origin,
		      uint32_t *left, struct buffer *output)
{
	uint32_t rest = *left & sayable(1U << verb, origin);
	char room[COMMAND_MAX];
	struct text command = text_in(room, sizeof(room));
	enum status status;

	if (rest == 0) {
		*left = 0;
		return STATUS_NOT_FOUND;
	}
	text_add(&command,
		 verb == SMTP_ATTRIBUTES_XCLIENT ? SPAN("XCLIENT") : SPAN("XFORWARD"));
	add_attributes(&command, 1U << verb, origin, &rest);
	text_add(&command, SPAN("\r\n"));
	status = buffer_append(output, span_of(room, command.length));
	if (status == STATUS_OK)
		*left = rest;
	return status;
}

bool
smtp_attribute_is_tellable(struct span value)
{
	char room[VALUE_MAX];

	return !span_is_empty(encode(value, room));
}
