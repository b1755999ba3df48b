#include "proxy/tls_contexts.h"

#include <assert.h>
#include <stdlib.h>

/* What a client of mail may offer by ALPN; there is no registered name for SMTP. */
static const struct span protocols[] = {
	SPAN_INITIALIZER("smtp"),
	SPAN_INITIALIZER("submission"),
	SPAN_INITIALIZER("lmtp"),
};

static struct tls_server_settings
server_settings(const struct snapshot *snapshot,
		const struct listener_snapshot *listener, const struct tls_set *set)
{
	static const enum tls_verify verifies[] = {
		[CLIENT_VERIFY_OFF] = TLS_VERIFY_OFF,
		[CLIENT_VERIFY_OPTIONAL] = TLS_VERIFY_OPTIONAL,
		[CLIENT_VERIFY_REQUIRED] = TLS_VERIFY_REQUIRED,
	};
	bool smtp = listener->mode == LISTENER_MESSAGE;

	return (struct tls_server_settings){
		.oldest = snapshot->tls.only_1_3 ? TLS_OLDEST_1_3 : TLS_OLDEST_1_2,
		.verify = verifies[listener->client_verify],
		.material = tls_set_material(set),
		.authorities = tls_set_clients(set, listener),
		.tickets = tls_set_tickets(set),
		.protocols = smtp ? protocols : NULL,
		.protocol_count = smtp ? sizeof(protocols) / sizeof(protocols[0]) : 0,
	};
}

/* Makes the context, or lets the one that is there take the new settings. */
static enum status
take_listener(struct tls_contexts *contexts, const struct listener_snapshot *listener,
	      const struct tls_set *set, struct tls_fault *fault)
{
	struct tls_server **server = &contexts->servers[listener->index];
	struct tls_server_settings settings =
		server_settings(contexts->snapshot, listener, set);

	if (*server)
		return tls_server_swap(*server, &settings, fault);
	return tls_server_new(server, &settings, fault);
}

static enum status
take_pool(struct tls_contexts *contexts, const struct pool_snapshot *pool,
	  const struct tls_set *set, struct tls_fault *fault)
{
	struct tls_client_settings settings = {
		.authorities = tls_set_servers(set, pool),
		.material = tls_set_shown(set, pool),
	};
	struct tls_client *client;
	enum status status = tls_client_new(&client, &settings, fault);

	if (status != STATUS_OK)
		return status;
	tls_client_free(contexts->clients[pool->index]);
	contexts->clients[pool->index] = client;
	return STATUS_OK;
}

/* The set itself may go. Where nothing has changed a server that has refused the login
   is not to hear it again: it rests from that. */
static void
take_smarthost(struct tls_contexts *contexts, const struct pool_snapshot *pool,
	       const struct tls_set *set)
{
	struct smarthost **smarthost = &contexts->smarthosts[pool->index];
	struct smarthost *taken = tls_set_smarthost(set, pool);

	if (smarthost_equals(*smarthost, taken))
		return;
	smarthost_unref(*smarthost);
	*smarthost = taken ? smarthost_ref(taken) : NULL;
	/* the password may be the right one now */
	for (uint32_t i = 0; taken && i < pool->pool->server_count; i++)
		server_wake(pool->pool->servers[i]);
}

enum status
tls_contexts_take(struct tls_contexts *contexts, const struct tls_set *set,
		  struct tls_fault *fault)
{
	const struct snapshot *snapshot = contexts->snapshot;
	enum status status = STATUS_OK;

	for (uint32_t i = 0; i < snapshot->pool_count; i++)
		take_smarthost(contexts, &snapshot->pools[i], set);
	for (uint32_t i = 0; i < snapshot->listener_count && status == STATUS_OK; i++)
		if (snapshot->listeners[i].tls != LISTENER_TLS_OFF)
			status = take_listener(contexts, &snapshot->listeners[i], set,
					       fault);
	for (uint32_t i = 0; i < snapshot->pool_count && status == STATUS_OK; i++)
		if (pool_speaks_tls(&snapshot->pools[i]))
			status = take_pool(contexts, &snapshot->pools[i], set, fault);
	return status;
}

enum status
tls_contexts_init(struct tls_contexts *contexts, const struct snapshot *snapshot,
		  const struct tls_set *set, struct tls_fault *fault)
{
	*contexts = (struct tls_contexts){.snapshot = snapshot};
	if (!set)
		return STATUS_OK;
	for (uint32_t i = 0; i < snapshot->pool_count; i++)
		contexts->session_count += snapshot->pools[i].pool->server_count;
	contexts->servers =
		calloc(snapshot->listener_count + 1ul, sizeof(struct tls_server *));
	contexts->clients =
		calloc(snapshot->pool_count + 1ul, sizeof(struct tls_client *));
	contexts->smarthosts =
		calloc(snapshot->pool_count + 1ul, sizeof(struct smarthost *));
	contexts->sessions =
		calloc(contexts->session_count + 1ul, sizeof(*contexts->sessions));
	if (!contexts->servers || !contexts->clients || !contexts->smarthosts ||
	    !contexts->sessions)
		return STATUS_NO_MEMORY;
	return tls_contexts_take(contexts, set, fault);
}

void
tls_contexts_fini(struct tls_contexts *contexts)
{
	const struct snapshot *snapshot = contexts->snapshot;

	for (uint32_t i = 0; contexts->servers && i < snapshot->listener_count; i++)
		tls_server_free(contexts->servers[i]);
	for (uint32_t i = 0; contexts->clients && i < snapshot->pool_count; i++)
		tls_client_free(contexts->clients[i]);
	for (uint32_t i = 0; contexts->smarthosts && i < snapshot->pool_count; i++)
		smarthost_unref(contexts->smarthosts[i]);
	for (uint32_t i = 0; contexts->sessions && i < contexts->session_count; i++)
		tls_session_clear(&contexts->sessions[i]);
	free(contexts->servers);
	free(contexts->clients);
	free(contexts->smarthosts);
	free(contexts->sessions);
	*contexts = (struct tls_contexts){0};
}

struct tls_session *
tls_contexts_session(struct tls_contexts *contexts, const struct pool_snapshot *pool,
		     const struct server *server)
{
	uint32_t first = 0;

	assert(contexts->sessions);
	for (uint32_t i = 0; i < pool->index; i++)
		first += contexts->snapshot->pools[i].pool->server_count;
	return &contexts->sessions[first + server->index];
}
