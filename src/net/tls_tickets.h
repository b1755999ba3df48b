/*
 * tls_tickets: the keys that seal session tickets. All workers use them, so that a
 * client resumes at whichever worker it meets next; none of them keeps a session. The
 * first key seals, all of them open. They are of this process, and rotated; or read
 * from a file that several nodes share.
 *
 * The file has 1 to TLS_TICKETS_KEYS_MAX keys of 80 random bytes and nothing else: a
 * name of 16, 32 for HMAC-SHA256, 32 for AES-256. nginx's ssl_session_ticket_key reads
 * the same layout, and HAProxy's tls-ticket-keys has it in base64. To rotate on several
 * nodes without a miss, put the new key behind the first one everywhere, and then
 * first.
 *
 * Owner: the service; it outlives every context. Thread: tls_tickets_apply() any, the
 * rest: one thread, the control thread. Allocates in tls_tickets_new() alone.
 */
#ifndef EVENPOST_NET_TLS_TICKETS_H
#define EVENPOST_NET_TLS_TICKETS_H

#include "net/tls_fault.h"

#include <stdbool.h>

struct evp_cipher_ctx_st;
struct evp_mac_ctx_st;
struct tls_tickets;

#define TLS_TICKETS_KEYS_MAX 8
#define TLS_TICKETS_KEY_SIZE 80
/* With a rotation: the new one and the two before it. */
#define TLS_TICKETS_KEYS_KEPT 3
/* Seconds that a ticket is good for. Rotated hourly, its key lives that long. */
#define TLS_TICKETS_LIFETIME 7200

/* With one key of its own. STATUS_NO_MEMORY, STATUS_SYSTEM: no random bytes. */
MUST_CHECK enum status tls_tickets_new(struct tls_tickets **tickets);
/* NULL is ignored. */
void tls_tickets_free(struct tls_tickets *tickets);

/* A new first key; the oldest goes. On failure all stays as it was. */
MUST_CHECK enum status tls_tickets_rotate(struct tls_tickets *tickets);
/* The keys of the file instead. On failure all stays as it was. */
MUST_CHECK enum status tls_tickets_read(struct tls_tickets *tickets, const char *path,
					struct tls_fault *fault);

enum tls_ticket { /* as OpenSSL wants it from its callback */
		  TLS_TICKET_FAILED = -1,
		  TLS_TICKET_UNKNOWN = 0, /* a full handshake follows */
		  TLS_TICKET_GOOD = 1,
		  TLS_TICKET_RENEW = 2, /* good, but not by the first key */
};

/*
 * Sets the key up for one ticket. name and iv: 16 bytes each, written when sealing,
 * read when opening.
 */
enum tls_ticket tls_tickets_apply(struct tls_tickets *tickets, unsigned char *name,
				  unsigned char *iv, struct evp_cipher_ctx_st *cipher,
				  struct evp_mac_ctx_st *mac, bool sealing);

#endif
