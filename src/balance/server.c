#include "balance/server.h"

#include "balance/pool.h"
#include "balance/server_internal.h"

#include <assert.h>
#include <stdlib.h>

const uint32_t server_reply_bounds[SERVER_REPLY_BUCKETS - 1] = {
	5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10000, 60000};

const char *
server_failure_name(enum server_failure failure)
{
	static const char *const names[SERVER_FAILURE_COUNT] = {
		[SERVER_FAILURE_CONNECT] = "connect",
		[SERVER_FAILURE_GREETING] = "greeting",
		[SERVER_FAILURE_TIMEOUT] = "timeout",
		[SERVER_FAILURE_LOST] = "lost",
		[SERVER_FAILURE_4XX] = "4xx",
		[SERVER_FAILURE_5XX] = "5xx",
		[SERVER_FAILURE_TLS] = "tls",
	};

	assert(failure < SERVER_FAILURE_COUNT);
	return names[failure];
}

static void
server_delete(struct server *server)
{
	free(server->name);
	free(server->address_text);
	free(server);
}

struct server *
server_new(const struct server_settings *settings, bool probed)
{
	struct server *server = calloc(1, sizeof(*server));

	if (!server)
		return NULL;
	server->name = strndup(settings->name.at, settings->name.length);
	server->address_text =
		strndup(settings->address_text.at, settings->address_text.length);
	if (!server->name || !server->address_text) {
		server_delete(server);
		return NULL;
	}
	atomic_init(&server->references, 1);
	atomic_init(&server->weight, settings->weight);
	atomic_init(&server->preference, settings->preference);
	atomic_init(&server->max_connections, settings->max_connections);
	atomic_init(&server->health, health_word_new(probed, settings->weight));
	atomic_init(&server->probed_once, !probed);
	server->source = settings->source;
	if (settings->address.length)
		server_set_address(server, &settings->address);
	return server;
}

struct server *
server_ref(struct server *server)
{
	atomic_fetch_add_explicit(&server->references, 1, memory_order_relaxed);
	return server;
}

void
server_unref(struct server *server)
{
	unsigned references =
		atomic_fetch_sub_explicit(&server->references, 1, memory_order_acq_rel);

	assert(references > 0);
	if (references == 1)
		server_delete(server);
}

void
server_set_address(struct server *server, const struct endpoint *address)
{
	struct seqlock *lock = &server->address_lock;
	bool begun = seqlock_begin(lock, seqlock_version(lock));

	assert(begun); /* one writer */
	seqlock_store(server->address_words, address, sizeof(*address));
	seqlock_end(lock);
}

bool
server_address(const struct server *server, struct endpoint *address)
{
	seqlock_load(&server->address_lock, server->address_words, address,
		     sizeof(*address));
	return address->length != 0;
}

static bool
is_full_with(const struct server *server, uint32_t active)
{
	uint32_t limit =
		atomic_load_explicit(&server->max_connections, memory_order_relaxed);

	return limit && active + atomic_load(&server->held) >= limit;
}

bool
server_is_full(const struct server *server)
{
	return is_full_with(
		server, atomic_load_explicit(&server->active, memory_order_relaxed));
}

bool
server_take(struct server *server)
{
	uint32_t active = atomic_load_explicit(&server->active, memory_order_relaxed);

	do {
		if (is_full_with(server, active))
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&server->active, &active, active + 1, memory_order_acq_rel,
		memory_order_relaxed));
	return true;
}

void
server_rest(struct server *server, int64_t until)
{
	atomic_store_explicit(&server->rests_until, until, memory_order_relaxed);
}

void
server_wake(struct server *server)
{
	server_rest(server, 0);
	server_unbar(server, SERVER_FAULT_LOGIN);
}

bool
server_rests(const struct server *server, int64_t now)
{
	return atomic_load_explicit(&server->rests_until, memory_order_relaxed) > now;
}

void
server_hold(struct server *server)
{
	atomic_fetch_add(&server->held, 1);
}

void
server_take_held(struct server *server)
{
	atomic_fetch_add(&server->active, 1);
	server_put_held(server);
}

void
server_put_held(struct server *server)
{
	uint32_t held = atomic_fetch_sub(&server->held, 1);

	assert(held > 0);
}

void
server_put(struct server *server)
{
	uint32_t active =
		atomic_fetch_sub_explicit(&server->active, 1, memory_order_acq_rel);

	assert(active > 0);
}

uint32_t
server_warmth(const struct server *server, int64_t now)
{
	const struct pool *pool =
		atomic_load_explicit(&server->pool, memory_order_acquire);
	int64_t since = atomic_load_explicit(&server->up_since, memory_order_relaxed);
	int64_t slow_start = pool ? pool->rules.slow_start : 0;

	if (slow_start == 0 || since == 0 || now - since >= slow_start)
		return 256;
	return now <= since ? 0 : (uint32_t)((now - since) * 256 / slow_start);
}

unsigned
server_reply_bucket(uint64_t microseconds)
{
	unsigned bucket = 0;

	while (bucket < SERVER_REPLY_BUCKETS - 1 &&
	       microseconds > server_reply_bounds[bucket] * 1000ull)
		bucket++;
	return bucket;
}

void
server_count_reply(struct server *server, uint64_t microseconds)
{
	uint64_t taken =
		microseconds ? microseconds : 1; /* 0 says that there is none */
	uint64_t average =
		atomic_load_explicit(&server->reply_ewma, memory_order_relaxed);
	uint64_t next;

	atomic_fetch_add_explicit(
		&server->counters.replies[server_reply_bucket(microseconds)], 1,
		memory_order_relaxed);
	atomic_fetch_add_explicit(&server->counters.reply_us, microseconds,
				  memory_order_relaxed);
	do {
		next = average ? (average * 7 + taken) / 8 : taken;
	} while (!atomic_compare_exchange_weak_explicit(
		&server->reply_ewma, &average, next ? next : 1, memory_order_relaxed,
		memory_order_relaxed));
}

void
server_learn_extensions(struct server *server, struct smtp_extensions extensions,
			bool behind_tls)
{
	uint32_t known =
		atomic_load_explicit(&server->extensions, memory_order_relaxed);
	uint32_t set = extensions.set | SERVER_EXTENSIONS_KNOWN;

	if (behind_tls)
		set |= SERVER_EXTENSIONS_BEHIND_TLS;
	else if (set & SMTP_STARTTLS && known & SERVER_EXTENSIONS_BEHIND_TLS)
		return;
	atomic_store_explicit(&server->size, extensions.size, memory_order_relaxed);
	atomic_store_explicit(&server->auth, extensions.auth, memory_order_relaxed);
	atomic_store_explicit(&server->extensions, set, memory_order_release);
}

bool
server_extensions(const struct server *server, struct smtp_extensions *extensions)
{
	uint32_t set = atomic_load_explicit(&server->extensions, memory_order_acquire);

	*extensions = (struct smtp_extensions){
		.set = set & ~(SERVER_EXTENSIONS_KNOWN | SERVER_EXTENSIONS_BEHIND_TLS),
		.size = atomic_load_explicit(&server->size, memory_order_relaxed),
		.auth = atomic_load_explicit(&server->auth, memory_order_relaxed),
	};
	return set & SERVER_EXTENSIONS_KNOWN;
}
