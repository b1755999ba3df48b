/*
 * identity: the ways in which a server can learn who the client is, what each means for
 * a connection, and what a server must be set up to do for it. A server that is not is
 * not used for that client; what is wrong is noted at the server and logged once.
 * Thread: any. Never allocates.
 */
#ifndef EVENPOST_CONFIG_IDENTITY_H
#define EVENPOST_CONFIG_IDENTITY_H

#include "balance/server.h"
#include "smtp/reply.h"

enum identity_method {
	IDENTITY_NONE,
	IDENTITY_PROXY_V1,
	IDENTITY_PROXY_V2,
	IDENTITY_XCLIENT,
	IDENTITY_XFORWARD,
	IDENTITY_TRANSPARENT,
	IDENTITY_HEADER,
	IDENTITY_METHOD_COUNT
};

/* A connection to a server tells of one client, and is that client's alone. */
bool identity_is_personal(enum identity_method method);
/* The server knows the client before it greets: its greeting may be about the client.
 */
bool identity_is_told_first(enum identity_method method);
/* enum smtp_extension that the server must announce; 0: none. */
uint32_t identity_extension(enum identity_method method);

enum identity_fault {
	IDENTITY_NOT_ANNOUNCED, /* XCLIENT, XFORWARD: not in the reply to EHLO */
	IDENTITY_NO_ADDRESS,    /* announced, but without ADDR */
	IDENTITY_REFUSED,       /* announced, and answered with reply */
	IDENTITY_NOT_TAKEN,     /* PROXY: the header was taken for a command */
	IDENTITY_FAMILY,        /* transparent: IPv4 and IPv6 do not meet */
	IDENTITY_DENIED,        /* transparent: the system does not let us */
	IDENTITY_FAULT_COUNT
};

/*
 * Notes it at the server. own: our address towards it, of length 0 where there is none
 * yet. reply: what the server said, or NULL. Returns a few words for it: why another
 * server is tried.
 */
const char *identity_note_fault(enum identity_fault fault, enum identity_method method,
				struct server *server, const struct endpoint *own,
				const struct smtp_reply *reply);

#endif
