/*
 * transparent: connections to servers from the client's own address. Two things are
 * needed of the machine: the right to bind to such an address, and that the server's
 * replies, which are addressed to the client, come to this machine and end here. The
 * check asks the kernel for both and says what is missing, and the command that mends
 * it. Whether the server sends its replies this way at all (by its default route) only
 * a connection can show.
 * Thread: any; the check asks the kernel a few questions: for the start, and for what
 * has failed. Never allocates.
 */
#ifndef EVENPOST_NET_TRANSPARENT_H
#define EVENPOST_NET_TRANSPARENT_H

#include "base/endpoint.h"

enum transparent_verdict {
	TRANSPARENT_OK,            /* perhaps only with a mark: the text says so */
	TRANSPARENT_NO_CAPABILITY, /* CAP_NET_RAW */
	TRANSPARENT_NO_FAMILY,     /* a UNIX socket, or a machine without IPv6 */
	TRANSPARENT_NO_WAY,        /* to the server itself */
	TRANSPARENT_NO_ROUTE,      /* no table keeps all destinations here */
	TRANSPARENT_NO_RULE,       /* a table does, but no rule leads to it */
	TRANSPARENT_NO_MATCH,      /* a rule does, but replies do not follow it */
	TRANSPARENT_UNKNOWN,       /* the kernel could not be asked */
};

#define TRANSPARENT_TEXT_MAX 256

struct transparent_answer {
	enum transparent_verdict verdict;
	uint32_t mark; /* that the firewall has to set on replies; 0: none */
	/* a line for people; a command, if there is one, stands behind the first ": "
	 */
	char text[TRANSPARENT_TEXT_MAX];
};

/*
 * With the rights of the calling thread: after they are dropped it answers for those
 * that are kept. A port 0 of the server stands for any.
 */
void
transparent_check(const struct endpoint *server, struct transparent_answer *answer);

/*
 * Lets a socket, AF_INET or AF_INET6, be bound to an address that is not this
 * machine's. False: errno, EPERM without the capability.
 */
bool transparent_enable(int fd, int family);

#endif
