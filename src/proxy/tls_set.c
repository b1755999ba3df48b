#include "proxy/tls_set.h"

#include "config/report.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define DAY INT64_C(86400)
/* "listeners.", a name, and the longest key behind it. */
#define SETTING_MAX SECTION_PATH_MAX

struct servers {
	struct tls_authorities *authorities;
	struct tls_material *shown;
	struct smarthost *smarthost;
};

struct tls_set {
	atomic_uint references;
	struct tls_tickets *tickets;
	struct tls_material *material;
	struct tls_authorities **clients; /* by listener */
	uint32_t listener_count;
	struct servers *servers; /* by pool */
	uint32_t pool_count;
};

struct loader {
	struct tls_set *set;
	const struct snapshot *snapshot;
	struct report *report;
};

/* ---- what is needed ---- */

static bool
clients_have_tls(const struct snapshot *snapshot)
{
	for (uint32_t i = 0; i < snapshot->listener_count; i++)
		if (snapshot->listeners[i].tls != LISTENER_TLS_OFF)
			return true;
	return false;
}

static bool
asks_clients(const struct listener_snapshot *listener)
{
	return listener->tls != LISTENER_TLS_OFF &&
	       listener->client_verify != CLIENT_VERIFY_OFF;
}

static bool
shows_certificate(const struct pool_snapshot *pool)
{
	return pool->tls != POOL_TLS_OFF && !span_is_empty(pool->tls_certificate);
}

static bool
logs_in(const struct pool_snapshot *pool)
{
	return !span_is_empty(pool->auth_password_file);
}

/* ---- how it is called in the file ---- */

static const char *
name_pair(size_t index, const char *key, char setting[SETTING_MAX])
{
	snprintf(setting, SETTING_MAX, "tls.certificates[%zu].%s", index, key);
	return setting;
}

static const char *
name_clients(const struct listener_snapshot *listener, char setting[SETTING_MAX])
{
	snprintf(setting, SETTING_MAX, "listeners.%.*s.client-certificates.ca",
		 SPAN_ARGS(report_excerpt(listener->name)));
	return setting;
}

static const char *
name_servers(const struct pool_snapshot *pool, const char *key,
	     char setting[SETTING_MAX])
{
	struct span name = report_excerpt(span_from_string(pool->pool->name));

	snprintf(setting, SETTING_MAX, "pools.%.*s.%s", SPAN_ARGS(name), key);
	return setting;
}

static void
tell_text(struct loader *loader, const char *setting, const char *text)
{
	report_error(loader->report,
		     named_files_place(loader->snapshot->named_files, setting), setting,
		     "%s", text);
}

static void
tell(struct loader *loader, const char *setting, const struct tls_fault *fault)
{
	tell_text(loader, setting, fault->text);
}

/* ---- loading ---- */

static void
tell_pair(struct loader *loader, size_t index, const struct tls_fault *fault)
{
	char setting[SETTING_MAX];

	tell(loader, name_pair(index, fault->in_key ? "key" : "certificate", setting),
	     fault);
}

/* Each by itself, so that all that is wrong comes to light. */
static void
tell_pairs(struct loader *loader, const struct tls_files *files, size_t count,
	   const struct tls_fault *of_all)
{
	uint32_t errors = loader->report->errors;

	for (size_t i = 0; i < count; i++) {
		struct tls_material *material;
		struct tls_fault fault;

		if (tls_material_load(&material, &files[i], 1, &fault))
			tell_pair(loader, i, &fault);
		else
			tls_material_unref(material);
	}
	/* good ones, but not side by side */
	if (loader->report->errors == errors)
		tell_pair(loader, of_all->pair, of_all);
}

static void
load_pairs(struct loader *loader)
{
	const struct snapshot *snapshot = loader->snapshot;
	size_t count = snapshot->tls.pair_count;
	struct tls_files *files = calloc(count, sizeof(*files));
	struct tls_fault fault;

	if (!files) {
		report_error(loader->report, (struct place){0}, "tls.certificates",
			     "out of memory");
		return;
	}
	for (size_t i = 0; i < count; i++)
		files[i] = (struct tls_files){snapshot->tls.pairs[i].certificate.at,
					      snapshot->tls.pairs[i].key.at};
	if (tls_material_load(&loader->set->material, files, count, &fault))
		tell_pairs(loader, files, count, &fault);
	free(files);
}

static void
load_tickets(struct loader *loader)
{
	const char *path = loader->snapshot->tls.ticket_keys.at;
	struct tls_fault fault;

	if (*path && tls_tickets_read(loader->set->tickets, path, &fault))
		tell(loader, "tls.ticket-keys", &fault);
}

/* One store for all that trust the same. path: empty for the system's. */
static struct tls_authorities *
find_authorities(const struct loader *loader, struct span path)
{
	const struct snapshot *snapshot = loader->snapshot;
	const struct tls_set *set = loader->set;

	for (uint32_t i = 0; i < set->listener_count; i++)
		if (set->clients[i] &&
		    span_equals(snapshot->listeners[i].client_ca, path))
			return set->clients[i];
	for (uint32_t i = 0; i < set->pool_count; i++)
		if (set->servers[i].authorities &&
		    span_equals(snapshot->pools[i].tls_ca, path))
			return set->servers[i].authorities;
	return NULL;
}

static void
load_authorities(struct loader *loader, struct span path, const char *setting,
		 struct tls_authorities **authorities)
{
	struct tls_authorities *known = find_authorities(loader, path);
	struct tls_fault fault;

	if (known)
		*authorities = tls_authorities_ref(known);
	else if (tls_authorities_load(authorities, span_is_empty(path) ? NULL : path.at,
				      &fault))
		tell(loader, setting, &fault);
}

static void
load_shown(struct loader *loader, const struct pool_snapshot *pool)
{
	const struct tls_files files = {pool->tls_certificate.at, pool->tls_key.at};
	char setting[SETTING_MAX];
	struct tls_fault fault;

	if (!tls_material_load(&loader->set->servers[pool->index].shown, &files, 1,
			       &fault))
		return;
	name_servers(pool, fault.in_key ? "tls-key" : "tls-certificate", setting);
	tell(loader, setting, &fault);
}

static void
load_smarthost(struct loader *loader, const struct pool_snapshot *pool)
{
	char setting[SETTING_MAX];
	char fault[SMARTHOST_FAULT_MAX];

	if (smarthost_load(&loader->set->servers[pool->index].smarthost, pool, fault) !=
	    STATUS_OK)
		tell_text(loader, name_servers(pool, "auth.password-file", setting),
			  fault);
}

static void
load_pool(struct loader *loader, const struct pool_snapshot *pool)
{
	char setting[SETTING_MAX];

	if (pool_verifies_tls(pool))
		load_authorities(loader, pool->tls_ca,
				 name_servers(pool, "tls-ca", setting),
				 &loader->set->servers[pool->index].authorities);
	if (shows_certificate(pool))
		load_shown(loader, pool);
	if (logs_in(pool))
		load_smarthost(loader, pool);
}

static void
load_all(struct loader *loader)
{
	const struct snapshot *snapshot = loader->snapshot;
	struct tls_set *set = loader->set;
	char setting[SETTING_MAX];

	if (clients_have_tls(snapshot)) {
		load_pairs(loader);
		load_tickets(loader);
	}
	for (uint32_t i = 0; i < set->listener_count; i++) {
		const struct listener_snapshot *listener = &snapshot->listeners[i];

		if (asks_clients(listener))
			load_authorities(loader, listener->client_ca,
					 name_clients(listener, setting),
					 &set->clients[i]);
	}
	for (uint32_t i = 0; i < set->pool_count; i++)
		load_pool(loader, &snapshot->pools[i]);
}

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

enum status
tls_set_load(struct tls_set **set, const struct snapshot *snapshot,
	     struct tls_tickets *tickets, struct report *report)
{
	uint32_t errors = report->errors;
	struct loader loader = {set_new(snapshot, tickets), snapshot, report};

	if (!loader.set) {
		report_error(report, (struct place){0}, "tls", "out of memory");
		return STATUS_NO_MEMORY;
	}
	load_all(&loader);
	if (report->errors > errors) {
		tls_set_unref(loader.set);
		return STATUS_INVALID;
	}
	*set = loader.set;
	return STATUS_OK;
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
	for (uint32_t i = 0; i < set->listener_count; i++)
		tls_authorities_unref(set->clients[i]);
	for (uint32_t i = 0; i < set->pool_count; i++) {
		tls_authorities_unref(set->servers[i].authorities);
		tls_material_unref(set->servers[i].shown);
		smarthost_unref(set->servers[i].smarthost);
	}
	tls_material_unref(set->material);
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
	return set->material;
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

/* ---- what will end ---- */

const char *
tls_set_print_day(int64_t when, char day[TLS_SET_DAY_MAX])
{
	struct tm broken_down;
	time_t seconds = when;

	if (!gmtime_r(&seconds, &broken_down) ||
	    !strftime(day, TLS_SET_DAY_MAX, "%Y-%m-%d", &broken_down))
		snprintf(day, TLS_SET_DAY_MAX, "an unknown day");
	return day;
}

static void
advise(const struct snapshot *snapshot, const char *setting, const char *path,
       int64_t expiry, int64_t now, struct report *report)
{
	struct place place = named_files_place(snapshot->named_files, setting);
	char day[TLS_SET_DAY_MAX];

	if (expiry - now < TLS_SET_WARNING_DAYS * DAY)
		report_advice(report, place, setting, "%s: %s on %s", path,
			      expiry <= now ? "expired" : "expires",
			      tls_set_print_day(expiry, day));
}

static void
advise_exposed(const struct snapshot *snapshot, const struct pool_snapshot *pool,
	       struct report *report)
{
	char setting[SETTING_MAX];

	name_servers(pool, "auth.password-file", setting);
	report_advice(report, named_files_place(snapshot->named_files, setting),
		      setting, "%s: every user of this machine can read or write it",
		      pool->auth_password_file.at);
}

void
tls_set_advise(const struct tls_set *set, const struct snapshot *snapshot, int64_t now,
	       struct report *report)
{
	char setting[SETTING_MAX];

	for (size_t i = 0; set->material && i < snapshot->tls.pair_count; i++)
		advise(snapshot, name_pair(i, "certificate", setting),
		       snapshot->tls.pairs[i].certificate.at,
		       tls_material_expiry(set->material, i), now, report);
	for (uint32_t i = 0; i < set->pool_count; i++) {
		const struct pool_snapshot *pool = &snapshot->pools[i];

		if (set->servers[i].shown)
			advise(snapshot, name_servers(pool, "tls-certificate", setting),
			       pool->tls_certificate.at,
			       tls_material_expiry(set->servers[i].shown, 0), now,
			       report);
		if (set->servers[i].smarthost &&
		    smarthost_is_exposed(set->servers[i].smarthost))
			advise_exposed(snapshot, pool, report);
	}
}

/* ---- what it is made of ---- */

size_t
tls_set_paths_max(const struct snapshot *snapshot)
{
	return 2 * (size_t)snapshot->tls.pair_count + 1 + snapshot->listener_count +
	       4 * (size_t)snapshot->pool_count;
}

static size_t
clients_paths(const struct snapshot *snapshot, const char **paths)
{
	size_t count = 0;

	if (!clients_have_tls(snapshot))
		return 0;
	for (uint32_t i = 0; i < snapshot->tls.pair_count; i++) {
		paths[count++] = snapshot->tls.pairs[i].certificate.at;
		paths[count++] = snapshot->tls.pairs[i].key.at;
	}
	if (!span_is_empty(snapshot->tls.ticket_keys))
		paths[count++] = snapshot->tls.ticket_keys.at;
	for (uint32_t i = 0; i < snapshot->listener_count; i++)
		if (asks_clients(&snapshot->listeners[i]))
			paths[count++] = snapshot->listeners[i].client_ca.at;
	return count;
}

size_t
tls_set_paths(const struct snapshot *snapshot, const char **paths)
{
	size_t count = clients_paths(snapshot, paths);

	for (uint32_t i = 0; i < snapshot->pool_count; i++) {
		const struct pool_snapshot *pool = &snapshot->pools[i];

		if (pool_verifies_tls(pool) && !span_is_empty(pool->tls_ca))
			paths[count++] = pool->tls_ca.at;
		if (logs_in(pool))
			paths[count++] = pool->auth_password_file.at;
		if (!shows_certificate(pool))
			continue;
		paths[count++] = pool->tls_certificate.at;
		paths[count++] = pool->tls_key.at;
	}
	return count;
}
