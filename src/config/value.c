#include "config/value.h"

#include "base/number.h"
#include "policy/network.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define PORT_DNS 53
#define HOSTNAME_MAX 253
#define LABEL_MAX 63
#define MAILBOX_MAX 254
#define PORT_PATTERN ":[0-9]{1,5}$"
#define HOST_PATTERN "[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9])?"

static bool
is_printable(struct span text)
{
	for (size_t i = 0; i < text.length; i++)
		if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f)
			return false;
	return true;
}

static bool
read_text(struct span text, uint64_t *number)
{
	(void)number;
	return !span_is_empty(text) && is_printable(text);
}

static bool
is_label(struct span label)
{
	if (label.length < 1 || label.length > LABEL_MAX || label.at[0] == '-' ||
	    label.at[label.length - 1] == '-')
		return false;
	for (size_t i = 0; i < label.length; i++) {
		char byte = label.at[i];
		bool letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';

		/* An underscore is no host's, but many a container's. */
		if (!letter && !(byte >= '0' && byte <= '9') && byte != '-' &&
		    byte != '_')
			return false;
	}
	return true;
}

/* RFC 952 and 1123: letters, digits and hyphens between dots. */
static bool
read_hostname(struct span text, uint64_t *number)
{
	(void)number;
	if (text.length < 1 || text.length > HOSTNAME_MAX)
		return false;
	while (text.length) {
		struct span label = span_cut(&text, '.');

		if (!is_label(label))
			return false;
	}
	return true;
}

/* It goes between < and > as it is: nothing in it may end that. */
static bool
read_mailbox(struct span text, uint64_t *number)
{
	(void)number;
	if (span_is_empty(text))
		return true;
	if (text.length > MAILBOX_MAX || !is_printable(text))
		return false;
	for (size_t i = 0; i < text.length; i++)
		if (strchr("<> ", text.at[i]))
			return false;
	return span_find(text, '@') != SPAN_NOWHERE ||
	       span_equals_nocase(text, SPAN("postmaster"));
}

static bool
read_name(struct span text, uint64_t *number)
{
	(void)number;
	return name_is_valid(text);
}

/* The slash keeps a misspelt word from being taken for a file. */
static bool
read_path(struct span text, uint64_t *number)
{
	(void)number;
	return is_printable(text) && span_find(text, '/') != SPAN_NOWHERE;
}

static bool
read_number(struct span text, uint64_t *number)
{
	return number_read(text, UINT64_MAX, number);
}

static bool
read_duration(struct span text, uint64_t *number)
{
	int64_t milliseconds;

	if (!number_read_duration(text, &milliseconds))
		return false;
	*number = (uint64_t)milliseconds;
	return true;
}

static bool
read_rate(struct span text, uint64_t *number)
{
	struct rate rate;

	if (!number_read_rate(text, &rate))
		return false;
	*number = rate.count;
	return true;
}

static bool
read_percentage(struct span text, uint64_t *number)
{
	unsigned percentage;

	if (!number_read_percentage(text, &percentage))
		return false;
	*number = percentage;
	return true;
}

static bool
read_switch(struct span text, uint64_t *number)
{
	*number = words_have("true|yes|on", text);
	return *number || words_have("false|no|off", text);
}

static bool
read_bind(struct span text, uint64_t *number)
{
	struct endpoint endpoint;

	(void)number;
	return endpoint_read(text, &endpoint);
}

/* An address that was meant, and is none: no host has a name of digits alone. */
static bool
looks_numeric(struct span host)
{
	for (size_t i = 0; i < host.length; i++)
		if (host.at[i] != '.' && !(host.at[i] >= '0' && host.at[i] <= '9'))
			return false;
	return true;
}

bool
value_read_server(struct span text, struct endpoint *endpoint)
{
	size_t colon = span_find_last(text, ':');
	struct span host = span_take(text, colon);
	uint64_t port;

	if (endpoint_read(text, endpoint))
		return endpoint->address.any.sa_family == AF_UNIX ||
		       endpoint_port(endpoint) != 0;
	*endpoint = (struct endpoint){0};
	return colon != SPAN_NOWHERE && read_hostname(host, &port) &&
	       !looks_numeric(host) &&
	       number_read(span_skip(text, colon + 1), UINT16_MAX, &port) && port > 0;
}

static bool
read_server(struct span text, uint64_t *number)
{
	struct endpoint endpoint;

	(void)number;
	return value_read_server(text, &endpoint);
}

static bool
read_address(struct span text, uint64_t *number)
{
	struct endpoint endpoint;

	(void)number;
	return endpoint_read_address(text, 0, &endpoint);
}

bool
value_read_resolver(struct span text, struct endpoint *endpoint)
{
	if (endpoint_read_address(text, PORT_DNS, endpoint))
		return true;
	return endpoint_read(text, endpoint) && endpoint_family(endpoint) != AF_UNIX &&
	       endpoint_port(endpoint) != 0;
}

static bool
read_resolver(struct span text, uint64_t *number)
{
	struct endpoint endpoint;

	(void)number;
	return value_read_resolver(text, &endpoint);
}

static bool
read_network(struct span text, uint64_t *number)
{
	struct network network;

	if (!network_read(text, &network))
		return false;
	*number = network.bits;
	return true;
}

static const struct {
	const char *name;
	const char *expects;
	const char *pattern;
	bool (*read)(struct span text, uint64_t *number);
} types[VALUE_TYPE_COUNT] = {
	[VALUE_TEXT] = {"text", "a text in one line", NULL, read_text},
	[VALUE_HOSTNAME] = {"host name", "a host name", "^" HOST_PATTERN "$",
			    read_hostname},
	[VALUE_MAILBOX] = {"mail address", "a mail address", "^$|^[^<> ]+$",
			   read_mailbox},
	[VALUE_NAME] = {"name", "a name of A-Z a-z 0-9 _ . - (64 at most)",
			NAME_PATTERN, read_name},
	[VALUE_PATH] = {"path", "a path (with a / in it)", "/", read_path},
	[VALUE_NUMBER] = {"number", "a whole number", "^[0-9]+$", read_number},
	[VALUE_DURATION] = {"duration", "a duration such as 250ms, 5s, 2m, 1h, 1d",
			    "^(0|[0-9]+(ms|s|m|h|d))$", read_duration},
	[VALUE_SIZE] = {"size", "a size such as 512, 64k, 10m, 1g", "^[0-9]+[kmgKMG]?$",
			number_read_size},
	[VALUE_RATE] = {"rate", "a rate such as 100/s, 20/m, 500/h",
			"^[1-9][0-9]*/[smh]$", read_rate},
	[VALUE_PERCENTAGE] = {"percentage", "a percentage such as 50%",
			      "^([0-9]{1,2}|100)%$", read_percentage},
	[VALUE_SWITCH] = {"switch", "true or false", NULL, read_switch},
	[VALUE_CHOICE] = {"choice", NULL, NULL, NULL},
	[VALUE_BIND] = {"address and port",
			"ADDRESS:PORT, [V6]:PORT or unix:/path (no host name)",
			"^(unix:.+|([0-9.]+|\\[[0-9A-Fa-f:.]+\\])" PORT_PATTERN ")",
			read_bind},
	[VALUE_SERVER] = {"server address",
			  "HOST:PORT such as 10.0.0.11:25, [V6]:PORT or unix:/path",
			  "^(unix:.+|(" HOST_PATTERN
			  "|\\[[0-9A-Fa-f:.]+\\])" PORT_PATTERN ")",
			  read_server},
	[VALUE_ADDRESS] = {"address", "an IP address without a port",
			   "^[0-9A-Fa-f:.]+$", read_address},
	[VALUE_RESOLVER] = {"resolver address", "the address of a resolver",
			    "^\\[?[0-9A-Fa-f:.]+\\]?(:[0-9]+)?$", read_resolver},
	[VALUE_NETWORK] = {"network", "a network such as 192.0.2.0/24 or an address",
			   "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$", read_network},
	[VALUE_SECTION] = {"mapping", "a mapping (key: value)", NULL, NULL},
	[VALUE_SECTIONS] = {"list of mappings", "a list of mappings (- key: value)",
			    NULL, NULL},
	[VALUE_NAMED] = {"mapping of names", "a mapping from names to settings", NULL,
			 NULL},
};

const char *
value_expects(enum value_type type)
{
	return types[type].expects;
}

const char *
value_type_name(enum value_type type)
{
	return types[type].name;
}

const char *
value_pattern(enum value_type type)
{
	return types[type].pattern;
}

static uint64_t
word_index(const char *words, struct span text)
{
	uint64_t index = 0;

	while (!span_equals(words_next(&words), text))
		index++;
	return index;
}

enum value_fault
value_read(const struct key *key, struct span text, uint64_t *number)
{
	*number = 0;
	if (words_have(key->words, text)) {
		if (key->type == VALUE_CHOICE)
			*number = word_index(key->words, text);
		return words_have(key->later_words, text) ? VALUE_LATER : VALUE_GOOD;
	}
	if (!types[key->type].read || !types[key->type].read(text, number))
		return VALUE_MALFORMED;
	if (*number < key->least || (key->most && *number > key->most))
		return VALUE_OUT_OF_RANGE;
	return VALUE_GOOD;
}

struct unit {
	uint64_t factor;
	const char *name;
};

static const struct unit durations[] = {
	{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
static const struct unit sizes[] = {
	{1ULL << 30, "g"}, {1ULL << 20, "m"}, {1ULL << 10, "k"}, {1, ""}};
static const struct unit numbers[] = {{1, ""}};

/* The largest unit that leaves no remainder. */
static const struct unit *
find_unit(enum value_type type, uint64_t number)
{
	const struct unit *unit = type == VALUE_DURATION ? durations
				  : type == VALUE_SIZE   ? sizes
							 : numbers;

	while (unit->factor > 1 && number % unit->factor)
		unit++;
	return unit;
}

size_t
value_print(enum value_type type, uint64_t number, char text[VALUE_NUMBER_TEXT_MAX])
{
	const struct unit *unit = number ? find_unit(type, number) : numbers;

	return (size_t)snprintf(text, VALUE_NUMBER_TEXT_MAX, "%" PRIu64 "%s",
				number / unit->factor, unit->name);
}
