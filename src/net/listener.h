/*
 * listener: one listening socket of one worker. With SO_REUSEPORT each worker has its
 * own socket for the same address and the kernel spreads the clients. When the process
 * runs out of descriptors, a spare one is used to accept, say a farewell and close,
 * and the listener pauses for LISTENER_PAUSE; it never spins.
 * Owner: one worker. Thread: owner.
 */
#ifndef EVENPOST_NET_LISTENER_H
#define EVENPOST_NET_LISTENER_H

#include "base/endpoint.h"
#include "base/span.h"
#include "base/status.h"
#include "net/loop.h"

/* Milliseconds. */
#define LISTENER_PAUSE 100

struct listener;
/* The fd is non-blocking, close-on-exec, with TCP_NODELAY, and now the callee's. */
typedef void
listener_accepted(struct listener *listener, int fd, const struct endpoint *peer);

struct listener {
	struct loop *loop;
	int fd;                    /* ours; -1: closed */
	struct loop_source source; /* in no loop during a pause */
	struct timer pause;
	int spare;            /* a descriptor kept for the day there is none */
	struct span farewell; /* written to a client that there is no descriptor for */
	listener_accepted *accepted;
	struct endpoint address; /* as bound, with the real port */
};

/*
 * Makes the first socket of an address, where nobody listens yet: SO_REUSEADDR,
 * IPV6_V6ONLY, bound and listening. *fd on success. STATUS_SYSTEM with errno,
 * STATUS_DENIED. A UNIX path that no one listens on is replaced. Port 0 binds a free
 * one: later sockets for it must use the real port.
 */
MUST_CHECK enum status listener_bind(const struct endpoint *address, int *fd);

/* Another one, beside it (SO_REUSEPORT); not of a UNIX path. Statuses likewise. */
MUST_CHECK enum status listener_join(const struct endpoint *address, int *fd);

/* Takes the fd over. farewell: for example "421 4.3.2 …\r\n", borrowed for its life. */
MUST_CHECK enum status
listener_open(struct listener *listener, struct loop *loop, int fd,
	      struct span farewell, listener_accepted *accepted);
/*
 * Says the farewell to those that wait in the kernel's queue, who would hear a reset
 * from listener_close(). Does nothing to a closed one.
 */
void listener_turn_away(struct listener *listener);
/* Also inside accepted; the struct itself must outlive that call. */
void listener_close(struct listener *listener);

#endif
