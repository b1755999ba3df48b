#include "config/identity.h"

#include "balance/server_fault.h"

#include <assert.h>
#include <stdio.h>

/* What a fault that came with a reply quotes of it: octets. */
#define QUOTED 80

#define PROXY_CURE                                                                     \
	"let it expect one (smtpd_upstream_proxy_protocol, hosts_proxy, haproxy = "    \
	"yes)"

static const struct {
	bool personal;
	bool told_first;
	uint32_t extension;
	const char *what; /* as a fault names it */
	const char *cure; /* where it is to be mended */
} methods[IDENTITY_METHOD_COUNT] = {
	[IDENTITY_PROXY_V1] = {true, true, 0, "a PROXY header", PROXY_CURE},
	[IDENTITY_PROXY_V2] = {true, true, 0, "a PROXY header", PROXY_CURE},
	[IDENTITY_XCLIENT] = {true, false, SMTP_XCLIENT, "XCLIENT",
			      "add it to smtpd_authorized_xclient_hosts"},
	[IDENTITY_XFORWARD] = {false, false, SMTP_XFORWARD, "XFORWARD",
			       "add it to smtpd_authorized_xforward_hosts"},
	[IDENTITY_TRANSPARENT] =
		{true, true, 0, "the address of a client",
		 "clients and servers must both have IPv4 or IPv6, and "
		 "evenpost CAP_NET_RAW"},
};

/* What is said of the server, before the method and our own address. */
static const struct {
	const char *words; /* why another one is tried */
	const char *verb;
	const char *preposition;
} faults[IDENTITY_FAULT_COUNT] = {
	[IDENTITY_NOT_ANNOUNCED] = {"identity not announced", "does not announce",
				    "to"},
	[IDENTITY_NO_ADDRESS] = {"identity not announced",
				 "announces, without ADDR among its attributes,", "to"},
	[IDENTITY_REFUSED] = {"identity refused", "announces, and then refuses,", "to"},
	[IDENTITY_NOT_TAKEN] = {"identity refused", "does not understand", "from"},
	[IDENTITY_FAMILY] = {"client of another address family",
			     "can not be reached from", "by"},
	[IDENTITY_DENIED] = {"no right to use the client's address",
			     "can not be reached from", "by"},
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

uint32_t
identity_extension(enum identity_method method)
{
	return methods[method].extension;
}

const char *
identity_note_fault(enum identity_fault fault, enum identity_method method,
		    struct server *server, const struct endpoint *own,
		    const struct smtp_reply *reply)
{
	char address[ENDPOINT_TEXT_MAX] = "this machine";
	char said[QUOTED + sizeof(" ()")] = "";
	char why[SERVER_FAULT_MAX];

	assert(methods[method].what);
	if (own->length)
		endpoint_print_address(own, address);
	if (reply)
		snprintf(said, sizeof(said), " (%.*s)",
			 SPAN_ARGS(span_take(smtp_reply_first_line(reply), QUOTED)));
	snprintf(why, sizeof(why), "%s %s %s %s %s: %s%s", server->name,
		 faults[fault].verb, methods[method].what, faults[fault].preposition,
		 address, methods[method].cure, said);
	server_set_fault(server, why);
	return faults[fault].words;
}
