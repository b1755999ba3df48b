/*
 * tally: what the sessions of one listener have added up to; read by the metrics.
 * Owner: the proxy, one for each listener; outlives configurations. Thread: any
 * (atomics). Allocates in tally_init() alone.
 */
#ifndef EVENPOST_PROXY_TALLY_H
#define EVENPOST_PROXY_TALLY_H

#include "config/snapshot.h"
#include "policy/client_table.h"
#include "proxy/rates.h"

enum message_result {
	MESSAGE_ACCEPTED,
	MESSAGE_REJECTED,  /* 5yz */
	MESSAGE_DEFERRED,  /* 4yz */
	MESSAGE_ABORTED,   /* by the client: RSET, QUIT, or gone */
	MESSAGE_AMBIGUOUS, /* the end of data was sent and no reply came */
	MESSAGE_RESULT_COUNT
};
const char *message_result_name(enum message_result result);

/* Why a client or a command was turned away, beyond enum smtp_refusal. */
enum reject_reason {
	REJECT_CONNECTIONS = SMTP_REFUSAL_COUNT, /* max-connections */
	REJECT_CLIENT_CONNECTIONS,               /* max-connections-per-client */
	REJECT_PROXY_HEADER, /* missing or bad, from a peer that has to send one */
	REJECT_LOOP,         /* too many Received lines */
	REJECT_HANDSHAKE,    /* of TLS: it failed */
	REJECT_SERVER,       /* a server's own refusal, passed on */
	REJECT_NO_SERVER,
	REJECT_LOGIN, /* one that failed, or one too many */
	REJECT_ROUTE, /* none leads anywhere */
	REJECT_RATE,  /* over a rate of connections, messages or recipients */
	REJECT_COUNT
};
const char *reject_reason_name(unsigned reason);

/* How far the attempt had come that had to be made again elsewhere. */
enum retry_phase {
	RETRY_CONNECT,
	RETRY_GREETING,
	RETRY_ENVELOPE,
	RETRY_DATA,
	RETRY_BODY,
	RETRY_STALE, /* a warm connection had died unseen */
	RETRY_PHASE_COUNT
};
const char *retry_phase_name(enum retry_phase phase);

/* Of one listener and one server. */
struct server_tally {
	_Atomic uint64_t messages[MESSAGE_RESULT_COUNT];
	_Atomic uint64_t recipients[MESSAGE_RESULT_COUNT];
	_Atomic uint64_t retries[RETRY_PHASE_COUNT];
};

/* Of one listener and one pool. */
struct pool_tally {
	struct server_tally *servers; /* by the server's index in the pool */
	struct server_tally nowhere;  /* messages that no server was found for */
};

/* Upper bounds in milliseconds; the last bucket is open. */
#define TALLY_BUCKETS 12
extern const uint32_t tally_bounds[TALLY_BUCKETS - 1];

struct tally {
	_Atomic uint64_t sessions;
	_Atomic uint32_t active;
	_Atomic uint64_t rejects[REJECT_COUNT];
	_Atomic uint64_t seconds[TALLY_BUCKETS]; /* MAIL to final reply */
	_Atomic uint64_t seconds_sum_us;
	struct pool_tally *pools; /* by the pool's index; of those it leads to */
	uint32_t pool_count;
	struct client_table clients;
	struct rates rates;
	_Atomic uint64_t handshakes_done; /* of TLS */
};

MUST_CHECK enum status tally_init(struct tally *tally, const struct snapshot *snapshot,
				  const struct listener_snapshot *listener);
void tally_fini(struct tally *tally);

/* server: NULL where there was none. */
struct server_tally *tally_server(struct tally *tally, const struct pool_snapshot *pool,
				  const struct server *server);
void tally_message(struct tally *tally, struct server_tally *row,
		   enum message_result result, uint32_t recipients, uint64_t took_us);

static inline void
tally_add(_Atomic uint64_t *counter, uint64_t amount)
{
	atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

#endif
