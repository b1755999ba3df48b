/*
 * limits: the caps on what one session may hold, from which check works out the most
 * memory that a configuration can take. Who holds the memory keeps to them.
 */
#ifndef EVENPOST_CONFIG_LIMITS_H
#define EVENPOST_CONFIG_LIMITS_H

/* A session with nothing in flight: its struct, its timer, its place in tables. */
#define LIMIT_SESSION (1024UL)
/* Bytes read from a client or a server at once. */
#define LIMIT_READ (64 * 1024UL)
/* Bytes read from the client and not yet understood: a read, and an unfinished line
   before it, of AUTH at most; none while it is idle. */
#define LIMIT_SESSION_INPUT (LIMIT_READ + 12288)
/* Of a client that has said AUTH: its credentials, as long as it stays. */
#define LIMIT_LOGIN (64 * 1024UL)
/* Replies not yet sent; nothing more is read from the client beyond them. */
#define LIMIT_SESSION_OUTPUT (64 * 1024UL)
/* Of each recipient: its path and parameters, kept until the transaction is over. */
#define LIMIT_RECIPIENT (2048UL)
/* Recipients of a transaction, refused ones too, for each that may be accepted. */
#define LIMIT_RECIPIENTS_TRIED 2
/* Received lines of a message that has gone round (RFC 5321 6.3 wants at least 100). */
#define LIMIT_HOPS 100
/* A message on its way to a server: content taken ahead of what it has. */
#define LIMIT_TRANSACTION_WINDOW (256 * 1024UL)
/* Octets of BDAT that were made into lines for a server without it. */
#define LIMIT_TRANSACTION_CODED (64 * 1024UL)
/* Commands not sent yet. */
#define LIMIT_UPSTREAM_OUTPUT (128 * 1024UL)
/* A connection whose bytes pass untouched: its session, and in each direction what was
   read and is not sent yet. Outside our own memory it may have two pipes of the
   kernel. */
#define LIMIT_TUNNEL (LIMIT_SESSION + 2 * LIMIT_READ)
/* Replies of a server not yet understood: the longest, and a read behind it. */
#define LIMIT_UPSTREAM_INPUT (64 * 1024UL + LIMIT_READ)

#endif
