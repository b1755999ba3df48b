/*
 * connector: begins connections to servers as their pool's identity asks: from which
 * address, and with a PROXY header before anything else. For both modes.
 * Thread: the worker's, where a function does not say otherwise. Never allocates.
 */
#ifndef EVENPOST_PROXY_CONNECTOR_H
#define EVENPOST_PROXY_CONNECTOR_H

#include "config/snapshot.h"
#include "net/stream.h"
#include "smtp/origin.h"
#include "smtp/proxy_header.h"

/*
 * Starts to connect from the address that the pool's identity asks for: the client's
 * (transparent), or ours towards this server. As stream_connect(); where it fails *why
 * says so in a word, and what the server or its set-up is to blame for has been noted.
 */
MUST_CHECK enum status
connector_start(struct stream *stream, struct loop *loop,
		const struct pool_snapshot *pool, struct server *server,
		const struct endpoint *client, stream_ready *on_ready,
		const char **why);

/*
 * The connection that connector_start() began for the client is established: where it
 * comes from the client's own address, the machine lets us, and a fault of that is
 * over.
 */
void connector_connected(const struct pool_snapshot *pool, struct server *server,
			 const struct endpoint *client);

/*
 * Asks the machine whether it would let the clients of the pool connect from their own
 * addresses, where that is what they do; the answer is noted at the server. Nothing
 * happens while its address is not known. With the rights that workers have.
 * Thread: control.
 */
void connector_check(const struct pool_snapshot *pool, struct server *server);

/*
 * Prints what servers of the pool must read before anything else, where
 * identity_has_preamble(); returns its length. The stream is connected: who came in by
 * a UNIX socket is on this machine, and is told with the address that the connection
 * itself comes from.
 */
size_t
connector_print_preamble(const struct pool_snapshot *pool, const struct stream *stream,
			 struct smtp_origin *origin, char room[PROXY_HEADER_PRINT_MAX]);

/*
 * What the server has said before anything else, where that is certainly not what the
 * pool's tls expects: a fault of its set-up has been noted, and these are a few words
 * for it. NULL: nothing of that kind. In clear: where a handshake has failed. In TLS:
 * said is no greeting, or not yet.
 */
const char *connector_heard_clear(const struct pool_snapshot *pool,
				  struct server *server, const struct stream *stream);
const char *connector_heard_tls(const struct pool_snapshot *pool, struct server *server,
				const struct stream *stream, struct span said);
/* Where a handshake has failed: it refused in clear, and knows the client, whom that
   may be about. It is not to blame then. */
bool
connector_heard_refusal(const struct pool_snapshot *pool, const struct stream *stream);

#endif
