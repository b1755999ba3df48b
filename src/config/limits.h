/*
 * limits: the caps on what one session may hold, from which check works out the most
 * memory that a configuration can take. Who holds the memory keeps to them.
 */
#ifndef EVENPOST_CONFIG_LIMITS_H
#define EVENPOST_CONFIG_LIMITS_H

/* A session with nothing in flight: its struct, its timer, its place in tables. */
#define LIMIT_SESSION (1024UL)
/* Bytes read from the client and not yet understood; none while it is idle. */
#define LIMIT_SESSION_INPUT (64 * 1024UL)
/* Replies not yet sent; nothing more is read from the client beyond them. */
#define LIMIT_SESSION_OUTPUT (64 * 1024UL)
/* Of each recipient: its path and parameters, kept until the transaction is over. */
#define LIMIT_RECIPIENT (2048UL)
/* A message on its way to a server, beyond what is kept to send it again. */
#define LIMIT_TRANSACTION_WINDOW (256 * 1024UL)
/* Of the message that is framed for the server and not sent yet. */
#define LIMIT_UPSTREAM_OUTPUT (128 * 1024UL)
/* Replies of a server not yet understood. */
#define LIMIT_UPSTREAM_INPUT (64 * 1024UL)

#endif
