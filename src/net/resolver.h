/*
 * resolver: names to addresses and addresses to names through libunbound, on the
 * control thread's loop alone: asynchronous, with the TTL, cached by libunbound, which
 * is opened by the first question.
 * Owner: the control thread. Thread: owner. Allocates.
 */
#ifndef EVENPOST_NET_RESOLVER_H
#define EVENPOST_NET_RESOLVER_H

#include "base/endpoint.h"
#include "base/span.h"
#include "base/status.h"
#include "net/domain_name.h"
#include "net/loop.h"

struct resolver;

enum resolver_mode {
	RESOLVER_SYSTEM,    /* /etc/resolv.conf and /etc/hosts */
	RESOLVER_RECURSIVE, /* from the root servers */
	RESOLVER_FORWARD,   /* the given addresses */
};

#define RESOLVER_ADDRESSES_MAX 32
#define RESOLVER_NAMES_MAX 4
/* Milliseconds that a question may take. */
#define RESOLVER_PATIENCE 10000

struct resolver_answer {
	enum status status; /* OK, NOT_FOUND, TIMEOUT, SYSTEM (servers failed) */
	uint32_t ttl;       /* seconds, also of NOT_FOUND; UINT32_MAX: for ever */
	unsigned count;
	union {
		/* of resolver_ask(): port 0; IPv4 before IPv6 */
		struct endpoint addresses[RESOLVER_ADDRESSES_MAX];
		/* of resolver_ask_name() */
		char names[RESOLVER_NAMES_MAX][DOMAIN_NAME_SIZE];
	};
};

struct resolver_query;
typedef void
resolver_answered(struct resolver_query *query, const struct resolver_answer *answer);

/* Embedded in what asks. */
struct resolver_query {
	resolver_answered *answered;
	struct resolver *resolver;
	int pending[2]; /* libunbound's ids of the questions; 0: none */
	struct resolver_answer
		*answer; /* while it runs, else NULL; zero the query first */
};

/* servers: only for RESOLVER_FORWARD. */
MUST_CHECK enum status
resolver_open(struct resolver **resolver, struct loop *loop, enum resolver_mode mode,
	      const struct endpoint *servers, size_t server_count);
/* Cancels what is still asked. NULL: does nothing. */
void resolver_close(struct resolver *resolver);

/*
 * A and AAAA of a host name; an address is its own answer. answered is called later,
 * once, unless cancelled; the answer is borrowed for that call, in which the query may
 * be freed or asked again. OK as soon as one of the two questions brought an address;
 * NOT_FOUND only when no server failed. STATUS_INVALID: no name.
 */
MUST_CHECK enum status
resolver_ask(struct resolver *resolver, struct resolver_query *query, struct span name,
	     resolver_answered *answered);
/*
 * The same with the names of an address (PTR), as domain_name_from_wire() passes them;
 * there are none where it passes none. STATUS_INVALID: it is neither IPv4 nor IPv6.
 */
MUST_CHECK enum status
resolver_ask_name(struct resolver *resolver, struct resolver_query *query,
		  const struct endpoint *address, resolver_answered *answered);
void resolver_cancel(struct resolver_query *query);

#endif
