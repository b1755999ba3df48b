#include "smtp/address.h"

#include "smtp/utf8.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <netinet/in.h>
#include <stdint.h>

#define IPV6_TAG SPAN("IPv6:")

static bool
is_let_dig(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9');
}

/* RFC 5322 3.2.3 */
static bool
is_atext(char byte)
{
	return is_let_dig(byte) || (byte && strchr("!#$%&'*+-/=?^_`{|}~", byte));
}

static bool
is_printable(char byte)
{
	return byte >= ' ' && byte <= '~';
}

static bool
is_high(char byte)
{
	return (unsigned char)byte > 0x7f;
}

static bool
has_high(struct span text)
{
	for (size_t i = 0; i < text.length; i++) {
		if (is_high(text.at[i]))
			return true;
	}
	return false;
}

/* Octets of the character at an index; 0 where it is not of the class, nor UTF-8. */
static size_t
character_length(struct span text, size_t at, bool (*is_in_class)(char))
{
	if (at >= text.length)
		return 0;
	if (is_high(text.at[at]))
		return utf8_character_length(span_skip(text, at));
	return is_in_class(text.at[at]) ? 1 : 0;
}

/* Octets at the front that are of the class, or UTF-8 (RFC 6531 3.3 adds it to all). */
static size_t
run_length(struct span text, bool (*is_in_class)(char))
{
	size_t length = 0;
	size_t next;

	while ((next = character_length(text, length, is_in_class)) != 0)
		length += next;
	return length;
}

/* Dot-string = Atom *( "." Atom ); 0 where there is none. */
static size_t
dot_string_length(struct span text)
{
	size_t length = 0;

	for (;;) {
		size_t atom = run_length(span_skip(text, length), is_atext);

		length += atom;
		if (atom == 0)
			return 0;
		if (length == text.length || text.at[length] != '.')
			return length;
		length++;
	}
}

/* Quoted-string = DQUOTE *( qtextSMTP / "\" %d32-126 ) DQUOTE; 0: there is none. */
static size_t
quoted_string_length(struct span text)
{
	size_t length = 1;

	while (length < text.length && text.at[length] != '"') {
		bool escaped = text.at[length] == '\\';
		size_t next;

		length += escaped;
		if (escaped && (length == text.length || is_high(text.at[length])))
			return 0;
		next = character_length(text, length, is_printable);
		if (next == 0)
			return 0;
		length += next;
	}
	return length < text.length ? length + 1 : 0;
}

/* Underscores are in no grammar, but in names of real hosts. */
static bool
is_label(char byte)
{
	return is_let_dig(byte) || byte == '-' || byte == '_';
}

/* sub-domain = Let-dig [Ldh-str] / U-label */
static size_t
label_length(struct span text)
{
	size_t length = run_length(text, is_label);

	if (length == 0 || text.at[0] == '-' || text.at[length - 1] == '-')
		return 0;
	return length;
}

/* Domain = sub-domain *( "." sub-domain ), and a dot at its end; 0: there is none. */
static size_t
domain_length(struct span text)
{
	size_t length = 0;

	for (;;) {
		size_t label = label_length(span_skip(text, length));

		if (label == 0)
			return 0;
		length += label;
		if (length == text.length || text.at[length] != '.')
			break;
		length++;
		if (!character_length(text, length, is_label))
			break;
	}
	return length <= SMTP_DOMAIN_MAX ? length : 0;
}

/* What stands between the brackets of an address literal. */
static bool
literal_is_valid(struct span inside)
{
	bool is_v6 = span_starts_nocase(inside, IPV6_TAG);
	struct span address = is_v6 ? span_skip(inside, IPV6_TAG.length) : inside;
	char text[INET6_ADDRSTRLEN];
	struct in6_addr parsed;

	if (address.length >= sizeof(text) || span_find(address, '\0') != SPAN_NOWHERE)
		return false;
	if (address.length)
		memcpy(text, address.at, address.length);
	text[address.length] = '\0';
	return inet_pton(is_v6 ? AF_INET6 : AF_INET, text, &parsed) == 1;
}

/* address-literal = "[" ( IPv4-address-literal / IPv6-address-literal ) "]" */
static size_t
literal_length(struct span text)
{
	size_t end = span_find(text, ']');

	if (end == SPAN_NOWHERE ||
	    !literal_is_valid(span_skip(span_take(text, end), 1)))
		return 0;
	return end + 1;
}

static bool
starts_with(struct span text, char byte)
{
	return !span_is_empty(text) && text.at[0] == byte;
}

static bool
cut_byte(struct span *rest, char byte)
{
	bool found = starts_with(*rest, byte);

	if (found)
		*rest = span_skip(*rest, 1);
	return found;
}

/* Cuts length octets from the front of *rest; false where the length is 0. */
static bool
cut(struct span *rest, size_t length, struct span *head)
{
	*head = span_take(*rest, length);
	*rest = span_skip(*rest, length);
	return length != 0;
}

/* A-d-l ":", which is dropped (RFC 5321 appendix C). */
static bool
cut_route(struct span *rest)
{
	struct span domain;

	do {
		if (!cut_byte(rest, '@') || !cut(rest, domain_length(*rest), &domain))
			return false;
	} while (cut_byte(rest, ','));
	return cut_byte(rest, ':');
}

static bool
cut_local_part(struct span *rest, struct smtp_path *path)
{
	path->quoted = starts_with(*rest, '"');
	if (!cut(rest,
		 path->quoted ? quoted_string_length(*rest) : dot_string_length(*rest),
		 &path->local))
		return false;
	return path->local.length <= SMTP_LOCAL_PART_MAX;
}

static bool
cut_domain(struct span *rest, struct smtp_path *path)
{
	path->literal = starts_with(*rest, '[');
	return cut(rest, path->literal ? literal_length(*rest) : domain_length(*rest),
		   &path->domain);
}

/* Mailbox, or Postmaster alone in a Forward-path. */
static bool
cut_mailbox(struct span *rest, enum smtp_path_kind kind, struct smtp_path *path)
{
	struct span start = *rest;

	if (!cut_local_part(rest, path))
		return false;
	if (cut_byte(rest, '@')) {
		if (!cut_domain(rest, path))
			return false;
	} else if (kind != SMTP_FORWARD_PATH ||
		   !span_equals_nocase(path->local, SPAN("Postmaster"))) {
		return false;
	}
	path->mailbox = span_take(start, start.length - rest->length);
	path->utf8 = has_high(path->mailbox);
	return true;
}

/* What stands between < and >, or is a path without them. */
static bool
cut_path(struct span *rest, enum smtp_path_kind kind, struct smtp_path *path)
{
	struct span start = *rest;

	if (kind == SMTP_REVERSE_PATH && starts_with(*rest, '>'))
		return true;
	path->routed = starts_with(*rest, '@');
	return (!path->routed || cut_route(rest)) && cut_mailbox(rest, kind, path) &&
	       start.length - rest->length <= SMTP_PATH_MAX;
}

bool
smtp_path_read(struct span *input, enum smtp_path_kind kind, struct smtp_path *path)
{
	struct span rest = *input;
	bool bracketed = cut_byte(&rest, '<');

	*path = (struct smtp_path){0};
	if (!cut_path(&rest, kind, path))
		return false;
	if (bracketed ? !cut_byte(&rest, '>')
		      : span_find(path->mailbox, ' ') != SPAN_NOWHERE)
		return false;
	if (!span_is_empty(rest) && rest.at[0] != ' ')
		return false;
	*input = rest;
	return true;
}

static struct span
without_trailing_dot(struct span domain)
{
	if (domain.length && domain.at[domain.length - 1] == '.')
		domain.length--;
	return domain;
}

static bool
is_domain(struct span text)
{
	return !span_is_empty(text) && text.at[text.length - 1] != '.' &&
	       (text.at[0] == '[' ? literal_length(text) : domain_length(text)) ==
		       text.length;
}

/*
 * U-labels to A-labels (RFC 5891, mapped by UTS 46). NULL where there are none for it.
 * The caller frees with idn2_free().
 */
static char *
to_ascii(struct span domain)
{
	char text[SMTP_DOMAIN_MAX + 1];
	char *ascii;

	memcpy(text, domain.at, domain.length);
	text[domain.length] = '\0';
	if (idn2_to_ascii_8z(text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) !=
	    IDN2_OK)
		return NULL;
	return ascii;
}

static size_t
copy_lower(struct span domain, char text[SMTP_DOMAIN_MAX + 1])
{
	if (domain.length > SMTP_DOMAIN_MAX || !is_domain(domain))
		return 0;
	for (size_t i = 0; i < domain.length; i++)
		text[i] = octet_to_lower(domain.at[i]);
	text[domain.length] = '\0';
	return domain.length;
}

size_t
smtp_domain_normalize(struct span domain, char text[SMTP_DOMAIN_MAX + 1])
{
	struct span bare = without_trailing_dot(domain);
	char *ascii;
	size_t length;

	if (!has_high(bare))
		return copy_lower(bare, text);
	if (bare.length > SMTP_DOMAIN_MAX || !is_domain(bare))
		return 0;
	ascii = to_ascii(bare);
	if (!ascii)
		return 0;
	/* Checked again: the mapping can make dots and other ASCII of what was none. */
	length = copy_lower(span_from_string(ascii), text);
	idn2_free(ascii);
	return length;
}

bool
smtp_domain_equals(struct span a, struct span b)
{
	char a_text[SMTP_DOMAIN_MAX + 1];
	char b_text[SMTP_DOMAIN_MAX + 1];
	size_t length;

	if (span_equals_nocase(without_trailing_dot(a), without_trailing_dot(b)))
		return true;
	if (!has_high(a) && !has_high(b))
		return false;
	length = smtp_domain_normalize(a, a_text);
	return length && length == smtp_domain_normalize(b, b_text) &&
	       !memcmp(a_text, b_text, length);
}
