#include "config/snapshot_build.h"

#include "config/snapshot_routes.h"
#include "config/value.h"

#include <assert.h>
#include <sched.h>
#include <stdlib.h>

#define MAX_ERRORS 20         /* protocol.md: twenty bad commands */
#define MAX_IDLE_COMMANDS 100 /* Postfix's smtpd_junk_command_limit */
#define WORKERS_MAX 256

/* Settings that hold an address have been read once: they can be read again. */
static struct endpoint
read_endpoint(struct span text)
{
	struct endpoint endpoint = {0};
	bool good = endpoint_read(text, &endpoint);

	assert(good);
	return endpoint;
}

static int64_t
milliseconds(const struct section *section, const char *key)
{
	return (int64_t)section_number(section, key);
}

static uint32_t
count_of(const struct section *section, const char *key)
{
	return (uint32_t)section_number(section, key);
}

/* Count 0 where it is absent or "off". */
static struct rate
read_rate(const struct section *section, const char *key)
{
	struct span text = section_text(section, key);
	struct rate rate = {0};
	bool good = span_is_empty(text) || section_says(section, key, "off") ||
		    number_read_rate(text, &rate);

	assert(good);
	return rate;
}

static enum status
copy_text(struct snapshot *snapshot, const struct section *section, const char *key,
	  struct span *copy)
{
	/* NUL behind it: paths go to libc. */
	struct span text = section_text(section, key);
	const char *string = arena_string(&snapshot->arena, text);

	if (!string)
		return STATUS_NO_MEMORY;
	*copy = span_of(string, text.length);
	return STATUS_OK;
}

static uint32_t
count_sections(const struct section *section, const char *key)
{
	uint32_t count = 0;

	SECTION_EACH (section, key, at)
		count++;
	return count;
}

static uint32_t
usable_cpus(void)
{
	cpu_set_t set;
	int count;

	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set))
		return 1;
	count = CPU_COUNT(&set);
	return count < 1 ? 1 : count > WORKERS_MAX ? WORKERS_MAX : (uint32_t)count;
}

static enum status
build_dns(struct snapshot *snapshot, const struct section *dns)
{
	const struct setting *resolver = section_setting(dns, "resolver");

	snapshot->dns.client_names = section_number(dns, "client-names");
	snapshot->dns.mode = section_says(dns, "resolver", "recursive") ? DNS_RECURSIVE
			     : section_says(dns, "resolver", "system")  ? DNS_SYSTEM
									: DNS_ADDRESSES;
	if (snapshot->dns.mode != DNS_ADDRESSES)
		return STATUS_OK;
	snapshot->dns.servers =
		arena_take(&snapshot->arena, resolver->count * sizeof(struct endpoint));
	if (!snapshot->dns.servers)
		return STATUS_NO_MEMORY;
	for (uint32_t i = 0; i < resolver->count; i++)
		if (value_read_resolver(
			    resolver->values[i].text,
			    &snapshot->dns.servers[snapshot->dns.server_count]))
			snapshot->dns.server_count++;
	return STATUS_OK;
}

static enum status
build_admin(struct snapshot *snapshot, const struct section *admin)
{
	enum status status = STATUS_OK;

	snapshot->admin.socket_is_default = !section_gives(admin, "socket");
	if (!section_says(admin, "http", "off"))
		snapshot->admin.http = read_endpoint(section_text(admin, "http"));
	if (!section_says(admin, "socket", "off"))
		status = copy_text(snapshot, admin, "socket", &snapshot->admin.socket);
	if (status == STATUS_OK)
		status = copy_text(snapshot, admin, "token-file",
				   &snapshot->admin.token_file);
	return status;
}

static enum status
build_log(struct snapshot *snapshot, const struct section *log)
{
	/* The choices stand in the order of the enums. */
	snapshot->log.format = (enum log_format)section_number(log, "format");
	snapshot->log.level = (enum log_level)section_number(log, "level");
	snapshot->log.target = section_says(log, "to", "stderr")    ? LOG_TO_STDERR
			       : section_says(log, "to", "syslog")  ? LOG_TO_SYSLOG
			       : section_says(log, "to", "journal") ? LOG_TO_JOURNAL
								    : LOG_TO_FILE;
	return snapshot->log.target == LOG_TO_FILE
		       ? copy_text(snapshot, log, "to", &snapshot->log.path)
		       : STATUS_OK;
}

static enum status
build_pairs(struct snapshot *snapshot, const struct section *tls)
{
	uint32_t count = count_sections(tls, "certificates");
	enum status status = STATUS_OK;

	if (!count)
		return STATUS_OK;
	snapshot->tls.pairs =
		arena_take(&snapshot->arena, count * sizeof(struct tls_pair));
	if (!snapshot->tls.pairs)
		return STATUS_NO_MEMORY;
	SECTION_EACH (tls, "certificates", at) {
		struct tls_pair *pair = &snapshot->tls.pairs[snapshot->tls.pair_count];

		status = copy_text(snapshot, at, "certificate", &pair->certificate);
		if (status == STATUS_OK)
			status = copy_text(snapshot, at, "key", &pair->key);
		if (status != STATUS_OK)
			return status;
		snapshot->tls.pair_count++;
	}
	return status;
}

static enum status
build_tls(struct snapshot *snapshot, const struct section *tls)
{
	enum status status = build_pairs(snapshot, tls);

	snapshot->tls.only_1_3 = section_says(tls, "min-version", "1.3");
	if (status == STATUS_OK)
		status = copy_text(snapshot, tls, "ticket-keys",
				   &snapshot->tls.ticket_keys);
	return status;
}

static enum status
build_top(struct snapshot *snapshot, const struct section *root)
{
	enum status status = copy_text(snapshot, root, "hostname", &snapshot->hostname);

	snapshot->workers = count_of(root, "workers");
	if (snapshot->workers == 0)
		snapshot->workers = usable_cpus();
	snapshot->shutdown_timeout = milliseconds(root, "shutdown-timeout");
	if (status == STATUS_OK)
		status = copy_text(snapshot, root, "user", &snapshot->user);
	if (status == STATUS_OK)
		status = build_dns(snapshot, section_child(root, "dns"));
	if (status == STATUS_OK)
		status = build_admin(snapshot, section_child(root, "admin"));
	if (status == STATUS_OK)
		status = build_log(snapshot, section_child(root, "log"));
	if (status == STATUS_OK)
		status = build_tls(snapshot, section_child(root, "tls"));
	return status;
}

static struct server *
build_server(const struct section *section, bool probed)
{
	struct server_settings settings = {
		.name = section->name,
		.address_text = section_text(section, "address"),
		.weight = count_of(section, "weight"),
		.preference = count_of(section, "preference"),
		.max_connections = count_of(section, "max-connections"),
	};
	bool good = value_read_server(settings.address_text, &settings.address);

	assert(good);
	if (section_gives(section, "source")) {
		good = endpoint_read_address(section_text(section, "source"), 0,
					     &settings.source);
		assert(good);
	}
	return server_new(&settings, probed);
}

static struct server_rules
build_rules(const struct section *pool)
{
	const struct section *health = section_child(pool, "health");
	const struct section *passive = section_child(pool, "passive");

	return (struct server_rules){
		.rise = count_of(health, "rise"),
		.fall = count_of(health, "fall"),
		.probed = !section_says(health, "probe", "none"),
		.passive_failures = count_of(passive, "failures"),
		.eject = milliseconds(passive, "eject"),
		.max_ejected = count_of(passive, "max-ejected"),
		.slow_start = milliseconds(pool, "slow-start"),
	};
}

/* The pool takes references of its own: ours go when it is made, or when it can't be.
 */
static enum status
build_servers(struct pool_snapshot *pool, const struct section *section)
{
	struct server_rules rules = build_rules(section);
	uint32_t wanted = count_sections(section, "servers");
	struct server **servers = calloc(wanted, sizeof(struct server *));
	uint32_t count = 0;

	if (!servers)
		return STATUS_NO_MEMORY;
	SECTION_EACH (section, "servers", at) {
		servers[count] = build_server(at, rules.probed);
		if (!servers[count])
			break;
		count++;
	}
	if (count == wanted)
		pool->pool = pool_new(section->name,
				      strategy_find(section_text(section, "balance")),
				      &rules, servers, count);
	while (count > 0)
		server_unref(servers[--count]);
	free(servers);
	return pool->pool ? STATUS_OK : STATUS_NO_MEMORY;
}

static const enum probe_kind probe_kinds[] = {
	PROBE_TCP,  PROBE_BANNER, PROBE_EHLO,   PROBE_STARTTLS,
	PROBE_MAIL, PROBE_RCPT,   PROBE_SCRIPT, PROBE_NONE,
};

static enum status
build_health(struct snapshot *snapshot, struct pool_snapshot *pool,
	     const struct section *health)
{
	enum status status =
		copy_text(snapshot, health, "sender", &pool->health.sender);

	pool->health.kind = probe_kinds[section_number(health, "probe")];
	pool->health.interval = milliseconds(health, "interval");
	pool->health.fast_interval = milliseconds(health, "fast-interval");
	pool->health.down_interval = milliseconds(health, "down-interval");
	pool->health.timeout = milliseconds(health, "timeout");
	if (status == STATUS_OK)
		status = copy_text(snapshot, health, "recipient",
				   &pool->health.recipient);
	if (status == STATUS_OK)
		status = copy_text(snapshot, health, "script", &pool->health.script);
	return status;
}

/* As the words of the key. */
static const enum identity_method identities[] = {
	IDENTITY_PROXY_V1,    IDENTITY_PROXY_V2, IDENTITY_XCLIENT, IDENTITY_XFORWARD,
	IDENTITY_TRANSPARENT, IDENTITY_HEADER,   IDENTITY_NONE,
};

static void
build_pool_numbers(struct pool_snapshot *pool, const struct section *section)
{
	const struct section *reuse = section_child(section, "reuse");
	const struct section *retry = section_child(section, "retry");
	const struct section *timeouts = section_child(section, "timeouts");

	pool->protocol = (enum mail_protocol)section_number(section, "protocol");
	/* "source" is the hash of the client's address, whatever hash-on says. */
	pool->hash_on = section_says(section, "balance", "source")
				? HASH_ON_CLIENT
				: (enum hash_on)section_number(section, "hash-on");
	pool->identity = identities[section_number(section, "identity")];
	pool->greets = section_number(section, "greets");
	pool->reuse.idle = milliseconds(reuse, "idle");
	pool->reuse.max_idle = count_of(reuse, "max-idle");
	pool->reuse.max_messages = count_of(reuse, "max-messages");
	pool->retry.attempts = count_of(retry, "attempts");
	pool->retry.buffer = section_number(retry, "buffer");
	pool->queue = milliseconds(section, "queue");
	pool->timeouts.connect = milliseconds(timeouts, "connect");
	pool->timeouts.greeting = milliseconds(timeouts, "greeting");
	pool->timeouts.command = milliseconds(timeouts, "command");
	pool->timeouts.data = milliseconds(timeouts, "data");
	pool->timeouts.block = milliseconds(timeouts, "block");
	pool->timeouts.end = milliseconds(timeouts, "end");
}

static enum status
build_pool_tls(struct snapshot *snapshot, struct pool_snapshot *pool,
	       const struct section *section)
{
	enum status status = copy_text(snapshot, section, "tls-ca", &pool->tls_ca);

	/* The choices stand in the order of the enum. */
	pool->tls = (enum pool_tls)section_number(section, "tls");
	pool->tls_fallback = section_number(section, "tls-fallback");
	pool->repeats_login_by_xclient =
		section_says(section, "repeat-login", "xclient");
	if (status == STATUS_OK)
		status = copy_text(snapshot, section, "tls-name", &pool->tls_name);
	if (status == STATUS_OK)
		status = copy_text(snapshot, section, "tls-certificate",
				   &pool->tls_certificate);
	if (status == STATUS_OK)
		status = copy_text(snapshot, section, "tls-key", &pool->tls_key);
	return status;
}

static enum status
build_pool_auth(struct snapshot *snapshot, struct pool_snapshot *pool,
		const struct section *section)
{
	const struct section *auth = section_child(section, "auth");
	enum status status;

	if (!auth)
		return STATUS_OK;
	status = copy_text(snapshot, auth, "username", &pool->auth_username);
	if (status == STATUS_OK)
		status = copy_text(snapshot, auth, "password-file",
				   &pool->auth_password_file);
	return status;
}

static enum status
build_pools(struct snapshot *snapshot, const struct section *root)
{
	uint32_t count = count_sections(root, "pools");
	enum status status = STATUS_OK;

	snapshot->pools =
		arena_take(&snapshot->arena, count * sizeof(*snapshot->pools));
	if (!snapshot->pools)
		return STATUS_NO_MEMORY;
	SECTION_EACH (root, "pools", section) {
		struct pool_snapshot *pool = &snapshot->pools[snapshot->pool_count];

		pool->index = snapshot->pool_count;
		build_pool_numbers(pool, section);
		status = build_servers(pool, section);
		if (status != STATUS_OK)
			return status;
		/* From here on snapshot_unref() frees it. */
		snapshot->pool_count++;
		status = build_health(snapshot, pool, section_child(section, "health"));
		if (status == STATUS_OK)
			status = build_pool_tls(snapshot, pool, section);
		if (status == STATUS_OK)
			status = build_pool_auth(snapshot, pool, section);
		if (status != STATUS_OK)
			return status;
	}
	return status;
}

static enum status
build_binds(struct snapshot *snapshot, struct listener_snapshot *listener,
	    const struct setting *bind)
{
	listener->bind =
		arena_take(&snapshot->arena, bind->count * sizeof(struct endpoint));
	if (!listener->bind)
		return STATUS_NO_MEMORY;
	for (uint32_t i = 0; i < bind->count; i++)
		listener->bind[i] = read_endpoint(bind->values[i].text);
	listener->bind_count = bind->count;
	return STATUS_OK;
}

enum status
snapshot_build_networks(struct snapshot *snapshot, const struct setting *setting,
			struct network_set *set)
{
	struct network *networks =
		arena_take(&snapshot->arena, setting->count * sizeof(*networks));

	if (!networks)
		return STATUS_NO_MEMORY;
	for (uint32_t i = 0; i < setting->count; i++) {
		bool good = network_read(setting->values[i].text, &networks[i]);

		assert(good);
	}
	*set = (struct network_set){networks, setting->count};
	return STATUS_OK;
}

/* What SMTP itself has to do with it: implicit TLS is there before the first word. */
static const enum smtp_tls_policy starttls[] = {
	[LISTENER_TLS_OFF] = SMTP_TLS_OFF,
	[LISTENER_TLS_OFFER] = SMTP_TLS_OFFERED,
	[LISTENER_TLS_REQUIRE] = SMTP_TLS_REQUIRED,
	[LISTENER_TLS_IMPLICIT] = SMTP_TLS_OFF,
};

static enum status
build_listener_tls(struct snapshot *snapshot, struct listener_snapshot *listener,
		   const struct section *section)
{
	const struct section *clients = section_child(section, "client-certificates");

	/* The choices stand in the order of the enums. */
	listener->tls = (enum listener_tls)section_number(section, "tls");
	listener->smtp.tls = starttls[listener->tls];
	listener->client_verify = (enum client_verify)section_number(clients, "verify");
	return copy_text(snapshot, clients, "ca", &listener->client_ca);
}

static void
build_rates(struct listener_snapshot *listener, const struct section *section)
{
	static const char *const keys_of_rates[LISTENER_RATE_COUNT] = {
		[RATE_CONNECTIONS] = "connection-rate",
		[RATE_HANDSHAKES] = "handshake-rate",
		[RATE_FAILED_LOGINS] = "auth-failures",
		[RATE_MESSAGES] = "message-rate",
		[RATE_RECIPIENTS] = "recipient-rate",
		[RATE_USER_MESSAGES] = "user-message-rate",
		[RATE_USER_RECIPIENTS] = "user-recipient-rate",
	};

	for (unsigned i = 0; i < LISTENER_RATE_COUNT; i++)
		listener->rates[i] = read_rate(section, keys_of_rates[i]);
}

static void
build_listener_auth(struct listener_snapshot *listener, const struct section *section)
{
	listener->auth = !section_says(section, "auth", "off");
	listener->smtp.auth = listener->auth;
	listener->smtp.auth_needs_tls = section_says(section, "auth", "relay");
}

static enum status
build_listener(struct snapshot *snapshot, struct listener_snapshot *listener,
	       const struct section *root, const struct section *section)
{
	const struct section *timeouts = section_child(section, "timeouts");
	enum status status;

	listener->name = arena_copy(&snapshot->arena, section->name);
	listener->index = section->index;
	listener->mode = (enum listener_mode)section_number(section, "mode");
	listener->protocol = (enum mail_protocol)section_number(section, "protocol");
	listener->smtp = (struct smtp_server_options){
		.hostname = snapshot->hostname,
		.max_message_size = section_number(section, "max-message-size"),
		.max_recipients = count_of(section, "max-recipients"),
		.max_errors = MAX_ERRORS,
		.max_idle_commands = MAX_IDLE_COMMANDS,
		.reject_bare = section_says(section, "line-endings", "reject"),
		.lmtp = listener->protocol == MAIL_LMTP,
	};
	build_listener_auth(listener, section);
	build_rates(listener, section);
	listener->add_received =
		(enum add_received)section_number(section, "add-received");
	listener->greeting_delay = milliseconds(section, "greeting-delay");
	listener->max_connections = count_of(section, "max-connections");
	listener->max_connections_per_client =
		count_of(section, "max-connections-per-client");
	listener->timeouts.command = milliseconds(timeouts, "command");
	listener->timeouts.data = milliseconds(timeouts, "data");
	listener->timeouts.handshake = milliseconds(timeouts, "handshake");
	listener->timeouts.session = milliseconds(timeouts, "session");
	listener->timeouts.idle = milliseconds(timeouts, "idle");
	if (!listener->name.at)
		return STATUS_NO_MEMORY;
	status = build_binds(snapshot, listener, section_setting(section, "bind"));
	if (status == STATUS_OK)
		status = snapshot_build_networks(
			snapshot, section_setting(section, "accept-proxy"),
			&listener->accept_proxy);
	if (status == STATUS_OK)
		status = build_listener_tls(snapshot, listener, section);
	if (status == STATUS_OK)
		status = snapshot_build_routes(snapshot, listener, root, section);
	return status;
}

static enum status
build_listeners(struct snapshot *snapshot, const struct section *root)
{
	uint32_t count = count_sections(root, "listeners");
	enum status status = STATUS_OK;

	snapshot->listeners =
		arena_take(&snapshot->arena, count * sizeof(*snapshot->listeners));
	if (!snapshot->listeners)
		return STATUS_NO_MEMORY;
	SECTION_EACH (root, "listeners", section) {
		status = build_listener(snapshot,
					&snapshot->listeners[snapshot->listener_count],
					root, section);
		if (status != STATUS_OK)
			return status;
		snapshot->listener_count++;
	}
	return status;
}

enum status
snapshot_build(const struct section *root, struct snapshot **built)
{
	struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
	enum status status;

	if (!snapshot)
		return STATUS_NO_MEMORY;
	atomic_init(&snapshot->references, 1);
	status = build_top(snapshot, root);
	if (status == STATUS_OK)
		status = build_pools(snapshot, root);
	if (status == STATUS_OK)
		status = build_listeners(snapshot, root);
	if (status == STATUS_OK)
		status = named_files_collect(root, &snapshot->arena,
					     &snapshot->named_files);
	if (status == STATUS_OK)
		*built = snapshot;
	else
		snapshot_unref(snapshot);
	return status;
}
