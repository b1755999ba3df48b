#include "proxy/tls_set.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Of a pool; references. */
struct servers {
	struct tls_authorities *authorities;
	struct tls_material *shown;
	struct smarthost *smarthost;
};

struct tls_set {
	atomic_uint references;
	struct tls_tickets *tickets;
	struct tls_holdings holdings;
	struct tls_authorities **clients; /* by listener; the holdings' */
	uint32_t listener_count;
	struct servers *servers; /* by pool */
	uint32_t pool_count;
};

/* ---- who gets what ---- */

static enum status
show(struct servers *servers, struct tls_pair *pair)
{
	struct tls_clash clash;

	return pair ? tls_material_make(&servers->shown, &pair, 1, &clash) : STATUS_OK;
}

static enum status
give(struct tls_set *set, const struct named_file *file,
     const struct tls_holding *holding)
{
	/* of a listener, or of a pool */
	uint32_t index = file->index;

	switch (file->kind) {
	case NAMED_CLIENTS_CA:
		set->clients[index] = holding->authorities;
		break;
	case NAMED_SERVERS_CA:
		if (holding->authorities)
			set->servers[index].authorities =
				tls_authorities_ref(holding->authorities);
		break;
	case NAMED_SERVERS_PAIR:
		return show(&set->servers[index], holding->pair);
	case NAMED_PASSWORD:
		if (holding->smarthost)
			set->servers[index].smarthost =
				smarthost_ref(holding->smarthost);
		break;
	case NAMED_CLIENTS_PAIR:
	case NAMED_TICKET_KEYS:
		break;
	}
	return STATUS_OK;
}

static bool
trusts_the_system(const struct pool_snapshot *pool)
{
	return pool_verifies_tls(pool) && span_is_empty(pool->tls_ca);
}

/* One for all of them. No file of the configuration: of memory alone it can lack. */
static enum status
give_system_authorities(struct tls_set *set, const struct snapshot *snapshot)
{
	struct tls_authorities *system = NULL;
	enum status status = STATUS_OK;
	struct tls_fault fault;

	for (uint32_t i = 0; i < set->pool_count && status == STATUS_OK; i++) {
		if (!trusts_the_system(&snapshot->pools[i]))
			continue;
		if (!system)
			status = tls_authorities_load(&system, NULL, &fault);
		if (status == STATUS_OK)
			set->servers[i].authorities = tls_authorities_ref(system);
	}
	tls_authorities_unref(system);
	return status == STATUS_OK ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status
give_all(struct tls_set *set, const struct snapshot *snapshot)
{
	const struct tls_holdings *holdings = &set->holdings;
	enum status status = STATUS_OK;

	for (uint32_t i = 0; i < holdings->count && status == STATUS_OK; i++)
		status = give(set, &holdings->files->at[i], &holdings->of[i]);
	return status == STATUS_OK ? give_system_authorities(set, snapshot) : status;
}

/* ---- loading ---- */

static struct tls_set *
set_new(const struct snapshot *snapshot, struct tls_tickets *tickets)
{
	struct tls_set *set = calloc(1, sizeof(*set));

	if (!set)
		return NULL;
	atomic_init(&set->references, 1);
	set->tickets = tickets;
	set->clients = calloc(snapshot->listener_count, sizeof(*set->clients));
	set->servers = calloc(snapshot->pool_count, sizeof(*set->servers));
	if (set->clients && set->servers) {
		set->listener_count = snapshot->listener_count;
		set->pool_count = snapshot->pool_count;
		return set;
	}
	tls_set_unref(set);
	return NULL;
}

static enum status
set_read(struct tls_set **set, const struct snapshot *snapshot,
	 const struct tls_reading *reading, struct tls_refusals *refusals)
{
	struct tls_set *made = set_new(snapshot, reading->tickets);
	enum status status;

	if (!made)
		return STATUS_NO_MEMORY;
	status = tls_holdings_load(&made->holdings, reading, refusals);
	if (status == STATUS_OK && !reading->before && tls_refusals_count(refusals))
		status = STATUS_INVALID;
	if (status == STATUS_OK)
		status = give_all(made, snapshot);
	if (status == STATUS_OK)
		*set = made;
	else
		tls_set_unref(made);
	return status;
}

enum status
tls_set_load(struct tls_set **set, const struct snapshot *snapshot,
	     struct tls_tickets *tickets, struct tls_refusals *refusals)
{
	const struct tls_reading reading = {.files = &snapshot->named_files,
					    .tickets = tickets};

	return set_read(set, snapshot, &reading, refusals);
}

enum status
tls_set_renew(struct tls_set **set, const struct tls_set *before,
	      const struct snapshot *snapshot, const bool *wanted,
	      struct tls_refusals *refusals)
{
	const struct tls_reading reading = {.files = &snapshot->named_files,
					    .wanted = wanted,
					    .before = &before->holdings,
					    .tickets = before->tickets};

	return set_read(set, snapshot, &reading, refusals);
}

struct tls_set *
tls_set_ref(struct tls_set *set)
{
	atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
	return set;
}

static void
set_free(struct tls_set *set)
{
	for (uint32_t i = 0; i < set->pool_count; i++) {
		tls_authorities_unref(set->servers[i].authorities);
		tls_material_unref(set->servers[i].shown);
		smarthost_unref(set->servers[i].smarthost);
	}
	tls_holdings_fini(&set->holdings);
	free(set->clients);
	free(set->servers);
	free(set);
}

void
tls_set_unref(struct tls_set *set)
{
	unsigned references;

	if (!set)
		return;
	references =
		atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel);
	assert(references > 0);
	if (references == 1)
		set_free(set);
}

/* ---- what is in it ---- */

struct tls_material *
tls_set_material(const struct tls_set *set)
{
	return set->holdings.material;
}

struct tls_tickets *
tls_set_tickets(const struct tls_set *set)
{
	return set->tickets;
}

struct tls_authorities *
tls_set_clients(const struct tls_set *set, const struct listener_snapshot *listener)
{
	return set->clients[listener->index];
}

struct tls_authorities *
tls_set_servers(const struct tls_set *set, const struct pool_snapshot *pool)
{
	return set->servers[pool->index].authorities;
}

struct tls_material *
tls_set_shown(const struct tls_set *set, const struct pool_snapshot *pool)
{
	return set->servers[pool->index].shown;
}

struct smarthost *
tls_set_smarthost(const struct tls_set *set, const struct pool_snapshot *pool)
{
	return set->servers[pool->index].smarthost;
}

const struct tls_holdings *
tls_set_holdings(const struct tls_set *set)
{
	return &set->holdings;
}
