/*
 * server: one mail server as all threads see it: its settings, whether it is well, what
 * is in flight and what was counted. Live state outlives configurations: a reload finds
 * the server of the same pool and name again and changes its settings.
 *
 * Health is one packed word that changes by compare-and-swap in server_observe(), which
 * is also the only place that detects and logs a change of state (relayd's edge
 * detector).
 *
 * Owner: reference-counted. Thread: any, unless a function says otherwise; nothing here
 * takes a lock or blocks. Allocates in server_new() alone.
 */
#ifndef EVENPOST_BALANCE_SERVER_H
#define EVENPOST_BALANCE_SERVER_H

#include "balance/server_fault.h"
#include "base/endpoint.h"
#include "base/seqlock.h"
#include "base/span.h"
#include "smtp/extensions.h"

#include <stdatomic.h>
#include <stdint.h>

enum server_state {
	SERVER_UP,
	SERVER_DOWN,    /* the probe says so */
	SERVER_DRAIN,   /* the administrator, or weight 0: nothing new */
	SERVER_MAINT,   /* the administrator: nothing new, not probed */
	SERVER_EJECTED, /* real traffic failed; for a time */
	SERVER_STATE_COUNT
};

enum server_failure {
	SERVER_FAILURE_CONNECT,
	SERVER_FAILURE_GREETING, /* refused, or no greeting or EHLO */
	SERVER_FAILURE_TIMEOUT,
	SERVER_FAILURE_LOST, /* a connection that had been made broke */
	SERVER_FAILURE_4XX,  /* to a message or recipient; not the server's fault */
	SERVER_FAILURE_5XX,
	SERVER_FAILURE_TLS, /* there is none as the pool wants it */
	SERVER_FAILURE_COUNT
};

/* When a state changes; shared by the servers of a pool; frozen. */
struct server_rules {
	uint32_t rise;             /* probes in a row: up */
	uint32_t fall;             /* probes in a row: down */
	bool probed;               /* false: no probe; up from the start */
	uint32_t passive_failures; /* in a row: ejected. 0: off */
	int64_t eject;             /* ms, the first time; doubles up to 10 times it */
	uint32_t max_ejected; /* percent of the pool's servers; at least one may be */
	int64_t slow_start;   /* ms from up to full share */
};

/* Histogram bounds of replies to the end of data, in milliseconds; the last is open. */
#define SERVER_REPLY_BUCKETS 12
extern const uint32_t server_reply_bounds[SERVER_REPLY_BUCKETS - 1];
/* The bucket that counts a time: the first whose bound it does not pass. */
unsigned server_reply_bucket(uint64_t microseconds);

struct server_counters {
	_Atomic uint64_t messages;   /* accepted; connection mode: connections served */
	_Atomic uint64_t recipients; /* of accepted messages */
	_Atomic uint64_t bytes;      /* of accepted messages, as sent */
	_Atomic uint64_t failures[SERVER_FAILURE_COUNT];
	_Atomic uint64_t connects; /* made */
	_Atomic uint64_t picks;    /* transactions given to it */
	_Atomic uint64_t replies[SERVER_REPLY_BUCKETS];
	_Atomic uint64_t reply_us; /* sum */
};

struct pool;

struct server {
	atomic_uint references;
	_Atomic(struct pool *)
		pool; /* the one it belongs to now; set by pool_new(). NULL: none */
	_Atomic uint32_t index; /* in the pool */
	char *name;
	char *address_text; /* as configured: HOST:PORT */

	/* settings; changed by the control thread */
	_Atomic uint32_t weight;          /* 0: drain */
	_Atomic uint32_t preference;      /* lower first */
	_Atomic uint32_t max_connections; /* 0: unlimited */
	struct endpoint source;           /* our address towards it; length 0: any */

	/* health: see server_health.c for the packed fields */
	_Atomic uint64_t health;
	_Atomic int64_t up_since; /* ms, monotonic; for slow start. 0: from the start */
	_Atomic int64_t ejected_until; /* ms, monotonic */
	_Atomic int64_t rests_until;   /* ms, monotonic: see server_rest() */
	atomic_bool probed_once;       /* a first result is there */

	/* load */
	_Atomic uint32_t
		active;        /* reservations: transactions in flight or being begun */
	_Atomic uint32_t held; /* places kept for one client each, between messages */
	_Atomic uint32_t connections; /* open, idle ones too */
	_Atomic uint64_t
		reply_ewma; /* microseconds from end of data to its reply; 0: none */

	/* what its last EHLO announced */
	_Atomic uint32_t extensions; /* enum smtp_extension | SERVER_EXTENSIONS_… */
	_Atomic uint64_t size;
	_Atomic uint32_t auth; /* enum sasl_mechanism */

	/* its address now, see server_address() */
	struct seqlock address_lock;
	_Atomic uint64_t address_words[SEQLOCK_WORDS(sizeof(struct endpoint))];

	struct server_fault faults[SERVER_FAULT_KINDS]; /* of its set-up */

	struct server_counters counters;
};

#define SERVER_EXTENSIONS_KNOWN (1u << 31)
#define SERVER_EXTENSIONS_BEHIND_TLS (1u << 30)

struct server_settings {
	struct span name;
	struct span address_text;
	struct endpoint address; /* length 0: a host name, resolved later */
	struct endpoint source;
	uint32_t weight;
	uint32_t preference;
	uint32_t max_connections; /* 0: unlimited */
};

/* NULL when memory is out. The spans are copied. One reference. */
struct server *server_new(const struct server_settings *settings, bool probed);
struct server *server_ref(struct server *server);
void server_unref(struct server *server);

/* The address to connect to; false while a host name is not resolved yet. */
bool server_address(const struct server *server, struct endpoint *address);
/* Thread: control. */
void server_set_address(struct server *server, const struct endpoint *address);

/* now: milliseconds, monotonic. An ejection that is over counts as up. */
enum server_state server_state_at(const struct server *server, int64_t now);
static inline bool
server_is_up(const struct server *server, int64_t now)
{
	return server_state_at(server, now) == SERVER_UP;
}
/* The administrator does not keep it out, for as long as it takes: it may be up soon.
 */
bool server_may_return(const struct server *server, int64_t now);
const char *server_state_name(enum server_state state);
const char *server_failure_name(enum server_failure failure);

/* What somebody has seen of it. */
enum server_observation {
	SERVER_PROBE_PASSED,
	SERVER_PROBE_FAILED,
	SERVER_TRAFFIC_WORKED, /* a reply came as it should */
	SERVER_TRAFFIC_FAILED, /* connect, greeting, 421, time-out, lost */
	SERVER_ADMIN_READY,
	SERVER_ADMIN_DRAIN,
	SERVER_ADMIN_MAINT,
	SERVER_OBSERVATION_COUNT
};

/*
 * Takes an observation in, moves the state by the pool's rules, and logs the change
 * where there is one (event=server pool= server= state= was= why=). why: one line;
 * NULL: none. Returns true on a change. SERVER_TRAFFIC_WORKED is cheap when nothing had
 * failed. A server that belongs to no pool has no rules: nothing changes. The caller
 * keeps the pool that the server belongs to alive until this returns.
 */
bool server_observe(struct server *server, enum server_observation observation,
		    const char *why, int64_t now);

/*
 * Takes in what time and settings alone have changed: an ejection that is over, a
 * weight that became 0 or is it no more; and ages faults. Returns true on a change of
 * state, which it has logged.
 * Thread: any; the control thread calls it for each server a few times a second.
 */
bool server_tick(struct server *server, int64_t now);

/*
 * The verdict of the probes, whatever else keeps the server in or out of use. False
 * before the first result. True where it is not probed.
 */
bool server_passes_probes(const struct server *server);

/* Whether it counts in pool->ejected still. */
bool server_is_counted_ejected(const struct server *server);

/*
 * It is well, and will not have us: it is passed over until then (ms, monotonic), or
 * until there is something new to tell it.
 */
void server_rest(struct server *server, int64_t until);
void server_wake(struct server *server);
bool server_rests(const struct server *server, int64_t now);

/*
 * Reserves a place for one transaction, below max_connections. server_put() gives it
 * back. pool_pick() has taken it already.
 */
bool server_take(struct server *server);
void server_put(struct server *server);
/* As many are reserved, or held, as there may be. */
bool server_is_full(const struct server *server);

/*
 * Keeps a place for a client that can be served by one connection alone, though that is
 * idle; makes a reservation of it; gives it up.
 */
void server_hold(struct server *server);
void server_take_held(struct server *server);
void server_put_held(struct server *server);

/* The share of its turns that a server in slow start takes now: 0 to 256. */
uint32_t server_warmth(const struct server *server, int64_t now);

/* Counts one reply to an end of data, and moves the average (weight 1/8). */
void server_count_reply(struct server *server, uint64_t microseconds);

/*
 * What its EHLO announces. What a server that offers STARTTLS announces in clear is
 * less than the truth once it was heard behind TLS, and is not learned then.
 */
void server_learn_extensions(struct server *server, struct smtp_extensions extensions,
			     bool behind_tls);
/* False before its first EHLO. */
bool server_extensions(const struct server *server, struct smtp_extensions *extensions);

#endif
