/*
 * entrance: a client on its way in. It is counted against the listener's limits; where
 * its peer has to begin with a PROXY header, that is read first, and who it names is
 * the client from then on. Then it becomes a session or a tunnel. A peer that sends no
 * header, or a bad one, is left without a word.
 *
 * Owner of an entrance that waits for a header: the worker. Thread: owner. Allocates
 * while it waits.
 */
#ifndef EVENPOST_PROXY_ENTRANCE_H
#define EVENPOST_PROXY_ENTRANCE_H

#include "net/stream.h"
#include "proxy/worker.h"

/* Milliseconds that a peer has for its header. */
#define ENTRANCE_PATIENCE 5000

struct entrance {
	struct list link; /* in the worker's live or dead entrances */
	struct stream stream;
	struct worker *worker;
	const struct listener_snapshot *listener;
	struct tally *tally;
	struct endpoint peer;
	struct timer timer;
};

/* Who comes in, and from where: for sessions and tunnels. */
struct arrival {
	const struct listener_snapshot *listener;
	struct tally *tally;
	struct endpoint client;           /* as conveyed, or the peer */
	struct endpoint destination;      /* as conveyed; length 0: ask the socket */
	const struct pool_snapshot *pool; /* of a tunnel */
};

/* A client was accepted; the fd is the entrance's from now on. */
void entrance_open(struct worker *worker, const struct listener_snapshot *listener,
		   int fd, const struct endpoint *peer);

/* The session or tunnel that came of it has ended. */
void entrance_leave(struct tally *tally, const struct endpoint *client);

/* Left without a word: the worker stops. */
void entrance_close(struct entrance *entrance);
void entrance_free(struct entrance *entrance);

#endif
