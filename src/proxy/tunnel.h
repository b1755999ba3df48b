/*
 * tunnel: one connection of a client through to one server (mode: connection). A server
 * is chosen and connected to, told who the client is, and its greeting is waited for:
 * as long as the client has neither seen a byte nor said one, a server that does not
 * answer, or refuses, is passed over for another. Then bytes pass in both directions as
 * they are, each direction with an end of its own.
 *
 *     [HANDSHAKE →] WAITING ⇄ CONNECTING [→ SECURING] → GREETING → OPEN → LINGERING
 *     any → its end
 *
 * Where the listener says tls: implicit, TLS ends here; where the pool does, it begins
 * anew towards the server.
 *
 * Lingering: both directions have ended, and one side may still send what nobody will
 * read. It is read and thrown away for a moment: a close with input unread would reset,
 * and could take with it what is on its way to that side.
 *
 * Owner: the worker; freed at the end of the round in which it ended. Thread: owner.
 */
#ifndef EVENPOST_PROXY_TUNNEL_H
#define EVENPOST_PROXY_TUNNEL_H

#include "proxy/entrance.h"
#include "proxy/flow.h"
#include "proxy/worker.h"
#include "smtp/reply.h"

/* Servers that one connection can have failed with. */
#define TUNNEL_TRIED_MAX 16

enum tunnel_state {
	TUNNEL_HANDSHAKE, /* of TLS, with the client */
	TUNNEL_WAITING,   /* for a place at a server */
	TUNNEL_CONNECTING,
	TUNNEL_SECURING, /* a handshake with the server */
	TUNNEL_GREETING,
	TUNNEL_OPEN,
	TUNNEL_LINGERING,
	TUNNEL_OVER,
};

struct tunnel {
	struct list link; /* in the worker's live or dead tunnels */
	struct worker *worker;
	struct snapshot *snapshot; /* a reference */
	const struct listener_snapshot *listener;
	const struct pool_snapshot *pool;
	struct tally *tally;
	struct endpoint client;
	struct endpoint *destination; /* as a PROXY header says; NULL: the socket's */
	struct stream client_stream;
	struct stream server_stream;
	struct flow up; /* from the client */
	struct flow down;
	struct timer timer;
	struct loop_task move;
	struct waiter waiter;
	struct server *server; /* reserved, or the last one that was; the snapshot's */
	enum tunnel_state state;
	bool reserved;
	bool half_closed;   /* the server has ended its side */
	bool awaits_answer; /* that shows whether the PROXY header was taken */
	bool client_lost;
	bool server_lost;
	uint64_t number;
	int64_t started;                 /* ms, monotonic */
	int64_t active;                  /* ms: when bytes last passed */
	uint64_t counted;                /* bytes that the server's counter knows of */
	const char *end;                 /* why it ends; static */
	struct smtp_reply_reader reader; /* of the greeting */
	char *refusal; /* the reply of a server that refused the client; or NULL */
	uint32_t attempts;
	uint32_t tried_count;
	uint32_t refusals; /* of those tried */
	uint32_t tried[TUNNEL_TRIED_MAX];
};

/* False: out of memory, and nothing has happened. */
bool tunnel_open(struct worker *worker, const struct arrival *arrival, int fd);

/* The worker stops: a client that no server has yet hears 421, the others go on. */
void tunnel_stop(struct tunnel *tunnel);
/* At once, without a word. */
void tunnel_kill(struct tunnel *tunnel);
void tunnel_free(struct tunnel *tunnel);

#endif
