#include "config/identity.h"

#include "smtp/extensions.h"

#define PROXY_CURE                                                                     \
	"let it expect one (smtpd_upstream_proxy_protocol, hosts_proxy, haproxy = "    \
	"yes)"

#define DEMAND(what, cure)                                                             \
	{                                                                              \
		SERVER_FAULT_IDENTITY, what, cure                                      \
	}

static const struct {
	bool personal;
	bool told_first;
	uint32_t extension;
	struct setup_demand demand;
} methods[IDENTITY_METHOD_COUNT] = {
	[IDENTITY_PROXY_V1] = {true, true, 0, DEMAND("a PROXY header", PROXY_CURE)},
	[IDENTITY_PROXY_V2] = {true, true, 0, DEMAND("a PROXY header", PROXY_CURE)},
	[IDENTITY_XCLIENT] = {true, false, SMTP_XCLIENT,
			      DEMAND("XCLIENT",
				     "add it to smtpd_authorized_xclient_hosts")},
	[IDENTITY_XFORWARD] = {false, false, SMTP_XFORWARD,
			       DEMAND("XFORWARD",
				      "add it to smtpd_authorized_xforward_hosts")},
	[IDENTITY_TRANSPARENT] = {true, true, 0, {0}}, /* of the machine alone */
};

bool
identity_is_personal(enum identity_method method)
{
	return methods[method].personal;
}

bool
identity_is_told_first(enum identity_method method)
{
	return methods[method].told_first;
}

bool
identity_has_preamble(enum identity_method method)
{
	return method == IDENTITY_PROXY_V1 || method == IDENTITY_PROXY_V2;
}

uint32_t
identity_extension(enum identity_method method)
{
	return methods[method].extension;
}

const struct setup_demand *
identity_demand(enum identity_method method)
{
	return &methods[method].demand;
}

/* RFC 5321 4.2.2. */
static bool
is_unknown_command(const struct smtp_reply *reply)
{
	return reply->code == 500 || reply->code == 502;
}

bool
identity_was_taken_for_commands(enum identity_method method,
				const struct smtp_reply *first, struct span rest,
				struct smtp_reply *answer)
{
	struct smtp_reply_reader reader = {0};

	if (!identity_has_preamble(method))
		return false;
	*answer = *first;
	return is_unknown_command(first) ||
	       (smtp_reply_read(&reader, &rest, answer) == SMTP_REPLY_COMPLETE &&
		is_unknown_command(answer));
}
