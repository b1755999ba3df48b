#include "smtp/sasl_response.h"

#include "smtp/sasl.h"
#include "smtp/utf8.h"

bool
sasl_name_is_valid(struct span name)
{
	for (size_t i = 0; i < name.length; i++) {
		if ((unsigned char)name.at[i] < ' ' || name.at[i] == 0x7f)
			return false;
	}
	return !span_is_empty(name) && name.length <= SASL_NAME_MAX &&
	       utf8_is_valid(name);
}

bool
sasl_password_is_valid(struct span password)
{
	return !span_is_empty(password) && span_find(password, '\0') == SPAN_NOWHERE;
}

/* message = [authzid] NUL authcid NUL passwd (RFC 4616 2) */
bool
sasl_response_plain(char *text, size_t length, struct sasl_identity *identity)
{
	struct span password = span_of(text, length);
	struct span other = span_cut(&password, '\0');

	identity->name = span_cut(&password, '\0');
	identity->acts_for_another =
		!span_is_empty(other) && !span_equals(other, identity->name);
	return (span_is_empty(other) || sasl_name_is_valid(other)) &&
	       sasl_name_is_valid(identity->name) && sasl_password_is_valid(password);
}

bool
sasl_response_login_name(char *text, size_t length, struct sasl_identity *identity)
{
	identity->name = span_of(text, length);
	return sasl_name_is_valid(identity->name);
}

bool
sasl_response_login_password(char *text, size_t length, struct sasl_identity *identity)
{
	(void)identity;
	return sasl_password_is_valid(span_of(text, length));
}

/* Both OAuth mechanisms end their pairs, and then all of it, with ^A. */
static bool
ends_pairs(struct span text)
{
	return text.length >= 2 &&
	       span_equals(span_skip(text, text.length - 2), SPAN("\1\1"));
}

/* "user=" name ^A "auth=Bearer " token ^A ^A. Whose the token is, its issuer and the
   servers know: the name says for whom it is shown. */
bool
sasl_response_xoauth2(char *text, size_t length, struct sasl_identity *identity)
{
	const struct span opening = SPAN("user=");
	struct span rest = span_of(text, length);

	if (!span_starts(rest, opening) || !ends_pairs(rest))
		return false;
	rest = span_skip(rest, opening.length);
	identity->name = span_cut(&rest, '\1');
	identity->acts_for_another = true;
	return sasl_name_is_valid(identity->name) &&
	       span_starts_nocase(rest, SPAN("auth=Bearer "));
}

/* saslname (RFC 5801 4): "=2C" is a comma and "=3D" an equals sign, in place. */
static bool
unescape(char *text, size_t length, struct span *name)
{
	struct span rest = span_of(text, length);
	char *end = text;

	while (!span_is_empty(rest)) {
		bool comma = span_starts(rest, SPAN("=2C"));
		bool equals = span_starts(rest, SPAN("=3D"));
		char byte = comma ? ',' : rest.at[0];

		if (byte == '=' && !equals)
			return false;
		*end++ = byte;
		rest = span_skip(rest, comma || equals ? 3 : 1);
	}
	*name = span_of(text, (size_t)(end - text));
	return true;
}

/*
 * gs2-header kvsep *kvpair kvsep (RFC 7628 3.1), gs2-header = ("n" / "y") "," ["a="
 * saslname] ",". A "p=" would bind it to the TLS that ends here. "a=" is as "user="
 * above.
 */
bool
sasl_response_oauthbearer(char *text, size_t length, struct sasl_identity *identity)
{
	struct span rest = span_of(text, length);
	struct span flag = span_cut(&rest, ',');
	struct span user = span_cut(&rest, ',');

	if (!span_equals(flag, SPAN("n")) && !span_equals(flag, SPAN("y")))
		return false;
	if (!ends_pairs(rest) || rest.at[0] != '\1')
		return false;
	if (span_is_empty(user))
		return true;
	identity->acts_for_another = true;
	return span_starts(user, SPAN("a=")) &&
	       unescape(text + (user.at - text) + 2, user.length - 2,
			&identity->name) &&
	       sasl_name_is_valid(identity->name);
}
