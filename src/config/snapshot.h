/*
 * snapshot: one configuration, complete and frozen. Workers hold a reference; a reload
 * builds another and swaps it. All texts and arrays live in its arena; a NUL stands
 * behind each path and name.
 * Owner: reference-counted. Thread: any reads; building: the control thread.
 */
#ifndef EVENPOST_CONFIG_SNAPSHOT_H
#define EVENPOST_CONFIG_SNAPSHOT_H

#include "balance/pool.h"
#include "base/arena.h"
#include "base/endpoint.h"
#include "base/log.h"
#include "base/number.h"
#include "config/identity.h"
#include "config/named_files.h"
#include "policy/mail_route.h"
#include "smtp/server.h"

#include <stdatomic.h>

#define SNAPSHOT_PATH_DEFAULT "/etc/evenpost/evenpost.yaml"

enum listener_mode { LISTENER_MESSAGE, LISTENER_CONNECTION };
enum mail_protocol { MAIL_SMTP, MAIL_LMTP };
enum hash_on {
	HASH_ON_CLIENT,
	HASH_ON_HELO,
	HASH_ON_SENDER,
	HASH_ON_SENDER_DOMAIN,
	HASH_ON_RECIPIENT,
	HASH_ON_RECIPIENT_DOMAIN,
	HASH_ON_USER,
};
enum listener_tls {
	LISTENER_TLS_OFF,
	LISTENER_TLS_OFFER,
	LISTENER_TLS_REQUIRE,
	LISTENER_TLS_IMPLICIT,
};
enum client_verify {
	CLIENT_VERIFY_OFF,
	CLIENT_VERIFY_OPTIONAL,
	CLIENT_VERIFY_REQUIRED,
};
enum pool_tls {
	POOL_TLS_OFF,
	POOL_TLS_MAY,
	POOL_TLS_REQUIRE,
	POOL_TLS_VERIFY,
	POOL_TLS_IMPLICIT,
};
/* What a listener may have a rate for: each client, or each user. */
enum listener_rate {
	RATE_CONNECTIONS,
	RATE_HANDSHAKES,
	RATE_FAILED_LOGINS,
	RATE_MESSAGES,
	RATE_RECIPIENTS,
	RATE_USER_MESSAGES,
	RATE_USER_RECIPIENTS,
	LISTENER_RATE_COUNT
};
enum add_received { RECEIVED_AUTO, RECEIVED_ALWAYS, RECEIVED_NEVER };
enum probe_kind {
	PROBE_NONE,
	PROBE_TCP,
	PROBE_BANNER,
	PROBE_EHLO,
	PROBE_STARTTLS,
	PROBE_MAIL,
	PROBE_RCPT,
	PROBE_SCRIPT,
};
enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_JOURNAL, LOG_TO_FILE };
enum dns_mode { DNS_SYSTEM, DNS_RECURSIVE, DNS_ADDRESSES };

/* All times in milliseconds. */
struct pool_snapshot {
	struct pool *pool; /* name, strategy, servers, rules */
	uint32_t index;
	enum mail_protocol protocol;
	enum hash_on hash_on;
	enum identity_method identity;
	bool greets;       /* the servers speak first */
	bool used;         /* a listener leads to it */
	bool hears_logins; /* it is for clients who log in at its servers */
	enum pool_tls tls;
	/* Paths and a name; empty where the file has none. */
	struct span tls_ca, tls_name, tls_certificate, tls_key;
	bool tls_fallback; /* POOL_TLS_MAY: a failed handshake leads to clear text */
	/* Our own login at the servers; the file is a path. Empty: there is none. */
	struct span auth_username, auth_password_file;
	bool repeats_login_by_xclient; /* a client's, to servers that have not checked
					  it */
	struct {
		enum probe_kind kind;
		int64_t interval, fast_interval, down_interval, timeout;
		struct span sender, recipient;
		struct span script;
	} health; /* rise and fall: pool->rules */
	struct {
		int64_t idle;
		uint32_t max_idle;     /* per server, over all workers */
		uint32_t max_messages; /* over one connection */
	} reuse;
	struct {
		uint32_t attempts; /* other servers tried before the client is told */
		uint64_t buffer;   /* bytes of a message kept to send it again */
	} retry;
	int64_t queue; /* wait for a free connection before 451 */
	struct {
		int64_t connect, greeting, command, data, block, end;
	} timeouts;
};

struct listener_snapshot {
	struct span name;
	uint32_t index;
	struct endpoint *bind;
	uint32_t bind_count;
	enum listener_mode mode;
	enum mail_protocol protocol;
	struct pool_snapshot **pools; /* that its routes lead to, each once */
	uint32_t pool_count;
	struct mail_routes routes;       /* their numbers are places in pools */
	struct smtp_server_options smtp; /* hostname, sizes, line endings, STARTTLS,
					    AUTH */
	enum listener_tls tls;
	enum client_verify client_verify;
	struct span client_ca;                  /* path */
	bool auth;                              /* relayed to the servers */
	struct rate rates[LISTENER_RATE_COUNT]; /* count 0: off */
	struct network_set accept_proxy;        /* who must begin with a PROXY header */
	enum add_received add_received;
	int64_t greeting_delay;
	uint32_t max_connections; /* over all workers */
	uint32_t max_connections_per_client;
	struct {
		int64_t command, data, handshake;
		int64_t session; /* 0: no limit */
		int64_t idle;    /* of LISTENER_CONNECTION alone */
	} timeouts;
};

struct snapshot {
	atomic_uint references;
	struct arena arena;
	struct span hostname;
	uint32_t workers;
	struct span user; /* empty: stay who we are */
	int64_t shutdown_timeout;
	struct {
		enum dns_mode mode;
		struct endpoint *servers;
		uint32_t server_count;
		bool client_names; /* look up what clients are called */
	} dns;
	struct {
		struct span socket; /* path */
		bool socket_is_default;
		struct endpoint http; /* length 0: off */
		struct span token_file;
	} admin;
	struct {
		enum log_target target;
		struct span path;
		enum log_format format;
		enum log_level level;
	} log;
	struct {
		struct tls_pair {
			struct span certificate, key; /* paths */
		} * pairs;
		uint32_t pair_count;
		bool only_1_3;
		struct span ticket_keys; /* path; empty: keys of our own */
	} tls;                           /* towards clients */
	struct span state_dir;
	struct listener_snapshot *listeners;
	uint32_t listener_count;
	struct pool_snapshot *pools;
	uint32_t pool_count;
	struct named_files named_files;
};

/*
 * Reads bytes; name stands for the path in the report. On success *snapshot has one
 * reference. Errors and advice go to the report, all of them, each with its place.
 */
struct report;
MUST_CHECK enum status
snapshot_read_text(struct span text, const char *name, struct report *report,
		   struct snapshot **snapshot);

struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot *snapshot);

/* Whether a message gets a Received line of ours on its way from a listener (mode:
 * message) to a pool. */
bool listener_adds_received(const struct listener_snapshot *listener,
			    const struct pool_snapshot *pool);
/* Whether anybody is told what the clients of the listener are called. */
bool listener_names_clients(const struct snapshot *snapshot,
			    const struct listener_snapshot *listener);
/* The pool that the routes of a listener say for a client, or NULL. */
const struct pool_snapshot *listener_route(const struct listener_snapshot *listener,
					   const struct mail_route_client *client);
bool listener_leads_to_pool(const struct listener_snapshot *listener,
			    const struct pool_snapshot *pool);

/* Whether traffic or probes speak TLS to the pool's servers. */
bool pool_speaks_tls(const struct pool_snapshot *pool);
/* Whether the pool's servers have to show a certificate that can be trusted. */
bool pool_verifies_tls(const struct pool_snapshot *pool);

/*
 * The most memory one session can take under this configuration, in bytes: the sum of
 * what limits.h allows it and, where messages are balanced, of its pools' largest
 * retry.buffer.
 */
uint64_t snapshot_session_memory(const struct snapshot *snapshot,
				 const struct listener_snapshot *listener);
/*
 * The same for all sessions of a listener. Where messages are balanced, only as many
 * can have a transaction at a server as the servers have places; the others hold what
 * they have read and not sent.
 */
uint64_t snapshot_listener_memory(const struct snapshot *snapshot,
				  const struct listener_snapshot *listener);

#endif
