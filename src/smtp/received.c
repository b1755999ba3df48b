#include "smtp/received.h"

#include "smtp/text.h"

#include <assert.h>
#include <time.h>

#define DOMAIN_MAX 255    /* RFC 5321 4.5.3.1.2; of a longer HELO this much is told */
#define RECIPIENT_MAX 256 /* RFC 5321 4.5.3.1.3 */
#define ID_MAX 64
#define TLS_WORD_MAX 64 /* of a version or a cipher */
#define SECONDS_MAX INT64_C(253402300799)

#define DATE_LENGTH (sizeof("; Wed, 25 Nov 2026 02:00:00 +0000\r\n") - 1)
#define ADDRESS_MAX (sizeof("[IPv6:]") - 1 + 45)
#define FROM_MAX                                                                       \
	(sizeof("Received: from  ( )\r\n") - 1 + DOMAIN_MAX + DOMAIN_MAX + ADDRESS_MAX)
#define BY_MAX (sizeof("\tby  with ESMTPSA id ") - 1 + DOMAIN_MAX + ID_MAX)

static_assert(FROM_MAX + BY_MAX + DATE_LENGTH <= SMTP_RECEIVED_MAX,
	      "what is always said has room");

static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
				   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static bool
is_printable(char octet)
{
	return octet >= ' ' && octet <= '~';
}

/* It neither ends a word nor begins something else. */
static bool
is_harmless(char octet)
{
	switch (octet) {
	case ' ':
	case '(':
	case ')':
	case '<':
	case '>':
	case '\\':
	case '"':
	case ';':
		return false;
	default:
		return is_printable(octet);
	}
}

/* At most so much of a word, with '?' for what is not harmless. */
static void
add_word(struct text *text, struct span word, size_t max)
{
	word = span_take(word, max);
	for (size_t i = 0; i < word.length; i++)
		text_add_octet(text, is_harmless(word.at[i]) ? word.at[i] : '?');
}

/* TCP-info (RFC 5321 4.4). Without an address: by a path of this machine, or unknown.
 */
static void
add_client(struct text *text, const struct smtp_origin *origin)
{
	char address[ENDPOINT_TEXT_MAX];
	size_t length;

	if (!smtp_origin_is_ip(&origin->client)) {
		text_add(text, endpoint_family(&origin->client) == AF_UNIX
				       ? SPAN("localhost")
				       : SPAN("unknown"));
		return;
	}
	length = endpoint_print_address(&origin->client, address);
	add_word(text,
		 origin->name_state == SMTP_NAME_FOUND ? origin->name : SPAN("unknown"),
		 DOMAIN_MAX);
	text_add(text, endpoint_family(&origin->client) == AF_INET6 ? SPAN(" [IPv6:")
								    : SPAN(" ["));
	text_add(text, span_of(address, length));
	text_add_octet(text, ']');
}

static void
add_from(struct text *text, const struct smtp_origin *origin)
{
	text_add(text, SPAN("Received: from "));
	add_word(text, span_is_empty(origin->helo) ? SPAN("unknown") : origin->helo,
		 DOMAIN_MAX);
	text_add(text, SPAN(" ("));
	add_client(text, origin);
	text_add(text, SPAN(")\r\n"));
}

/* A comment, which may take no room from what comes behind it. */
static void
add_tls(struct text *text, const struct smtp_origin *origin)
{
	size_t length = sizeof("\t(using  with cipher )\r\n") - 1 +
			origin->tls.version.length + origin->tls.cipher.length;

	if (!origin->tls.used || origin->tls.version.length > TLS_WORD_MAX ||
	    origin->tls.cipher.length > TLS_WORD_MAX ||
	    !text_has_room(text, length + BY_MAX + DATE_LENGTH))
		return;
	text_add(text, SPAN("\t(using "));
	add_word(text, origin->tls.version, TLS_WORD_MAX);
	text_add(text, SPAN(" with cipher "));
	add_word(text, origin->tls.cipher, TLS_WORD_MAX);
	text_add(text, SPAN(")\r\n"));
}

static void
add_by(struct text *text, const struct smtp_origin *origin, struct span hostname)
{
	text_add(text, SPAN("\tby "));
	add_word(text, hostname, DOMAIN_MAX);
	text_add(text, SPAN(" with "));
	text_add(text, smtp_origin_protocol(origin));
	if (span_is_empty(origin->id) || origin->id.length > ID_MAX)
		return;
	text_add(text, SPAN(" id "));
	add_word(text, origin->id, ID_MAX);
}

/* A quoted local part may hold anything that is printed; it is told as it is. */
static void
add_for(struct text *text, struct span recipient)
{
	size_t length = sizeof("\r\n\tfor <>") - 1 + recipient.length;

	if (span_is_empty(recipient) || recipient.length > RECIPIENT_MAX ||
	    !text_has_room(text, length + DATE_LENGTH))
		return;
	for (size_t i = 0; i < recipient.length; i++) {
		if (!is_printable(recipient.at[i]))
			return;
	}
	text_add(text, SPAN("\r\n\tfor <"));
	text_add(text, recipient);
	text_add_octet(text, '>');
}

static void
add_two_digits(struct text *text, int number)
{
	text_add_octet(text, (char)('0' + number / 10));
	text_add_octet(text, (char)('0' + number % 10));
}

static void
add_time(struct text *text, const struct tm *tm)
{
	add_two_digits(text, tm->tm_hour);
	text_add_octet(text, ':');
	add_two_digits(text, tm->tm_min);
	text_add_octet(text, ':');
	add_two_digits(text, tm->tm_sec);
}

/* RFC 5322 3.3, without a locale; by hand, since printf() took a third of the line. */
static void
add_date(struct text *text, int64_t seconds)
{
	time_t time = (time_t)seconds;
	struct tm tm;

	assert(seconds >= 0 && seconds <= SECONDS_MAX);
	gmtime_r(&time, &tm);
	text_add(text, SPAN("; "));
	text_add(text, span_of(days[tm.tm_wday], 3));
	text_add(text, SPAN(", "));
	add_two_digits(text, tm.tm_mday);
	text_add_octet(text, ' ');
	text_add(text, span_of(months[tm.tm_mon], 3));
	text_add_octet(text, ' ');
	add_two_digits(text, (tm.tm_year + 1900) / 100);
	add_two_digits(text, (tm.tm_year + 1900) % 100);
	text_add_octet(text, ' ');
	add_time(text, &tm);
	text_add(text, SPAN(" +0000\r\n"));
}

size_t
smtp_received_print(const struct smtp_origin *origin, struct span hostname,
		    struct span recipient, int64_t seconds,
		    char room[SMTP_RECEIVED_MAX])
{
	struct text text = text_in(room, SMTP_RECEIVED_MAX);

	assert(!span_is_empty(hostname) && hostname.length <= DOMAIN_MAX);
	add_from(&text, origin);
	add_tls(&text, origin);
	add_by(&text, origin, hostname);
	add_for(&text, recipient);
	add_date(&text, seconds);
	return text.length;
}
