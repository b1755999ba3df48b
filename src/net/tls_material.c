#include "net/tls_material.h"

#include <assert.h>
#include <ctype.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdlib.h>

struct seat {
	struct tls_pair *pair;
	struct seat *beside; /* the next of the same names, with another kind of key */
};

struct served_name {
	struct span name;
	const struct seat *seat; /* the first of those that stand side by side */
};

struct tls_material {
	atomic_uint references;
	struct seat *seats;
	size_t count;
	struct served_name *names; /* sorted, each once */
	size_t name_count;
};

/* ---- making ---- */

/* Those of one name in the order of their pairs. */
static int
compare_served(const void *a, const void *b)
{
	const struct served_name *first = a;
	const struct served_name *second = b;
	int order = span_compare(first->name, second->name);

	if (order)
		return order;
	return (first->seat > second->seat) - (first->seat < second->seat);
}

static enum status
clash_of(const struct tls_material *material, const struct seat *seat,
	 const struct seat *earlier, struct tls_clash *clash)
{
	*clash = (struct tls_clash){(size_t)(seat - material->seats),
				    (size_t)(earlier - material->seats)};
	return STATUS_INVALID;
}

/* Joins the first one before it that has the same names. */
static enum status
material_join(struct tls_material *material, struct seat *seat, struct tls_clash *clash)
{
	struct seat *other = material->seats;

	while (other < seat && !tls_pair_has_names_of(other->pair, seat->pair))
		other++;
	if (other == seat)
		return STATUS_OK;
	for (;; other = other->beside) {
		if (tls_pair_has_key_like(other->pair, seat->pair))
			return clash_of(material, seat, other, clash);
		if (!other->beside)
			break;
	}
	other->beside = seat;
	return STATUS_OK;
}

/* Of those that have the same name the first is found. */
static size_t
names_unify(struct served_name *names, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (kept == 0 || !span_equals(names[kept - 1].name, names[i].name))
			names[kept++] = names[i];
	return kept;
}

static size_t
count_names(const struct tls_material *material)
{
	size_t sum = 0;
	size_t count;

	for (size_t i = 0; i < material->count; i++) {
		tls_pair_names(material->seats[i].pair, &count);
		sum += count;
	}
	return sum;
}

static enum status
material_index(struct tls_material *material)
{
	size_t count = 0;

	/* one more: of nothing, calloc() may give NULL */
	material->names = calloc(count_names(material) + 1, sizeof(*material->names));
	if (!material->names)
		return STATUS_NO_MEMORY;
	for (size_t i = 0; i < material->count; i++) {
		const struct seat *seat = &material->seats[i];
		size_t own;
		const struct span *names = tls_pair_names(seat->pair, &own);

		for (size_t at = 0; at < own; at++)
			material->names[count++] =
				(struct served_name){names[at], seat};
	}
	qsort(material->names, count, sizeof(*material->names), compare_served);
	material->name_count = names_unify(material->names, count);
	return STATUS_OK;
}

static enum status
material_fill(struct tls_material *material, struct tls_pair *const *pairs,
	      size_t count, struct tls_clash *clash)
{
	enum status status = STATUS_OK;

	material->seats = calloc(count, sizeof(*material->seats));
	if (!material->seats)
		return STATUS_NO_MEMORY;
	while (material->count < count && status == STATUS_OK) {
		struct seat *seat = &material->seats[material->count];

		seat->pair = tls_pair_ref(pairs[material->count++]);
		status = material_join(material, seat, clash);
	}
	return status == STATUS_OK ? material_index(material) : status;
}

enum status
tls_material_make(struct tls_material **material, struct tls_pair *const *pairs,
		  size_t count, struct tls_clash *clash)
{
	struct tls_material *made = calloc(1, sizeof(*made));
	enum status status;

	assert(count > 0);
	if (!made)
		return STATUS_NO_MEMORY;
	atomic_init(&made->references, 1);
	status = material_fill(made, pairs, count, clash);
	if (status == STATUS_OK)
		*material = made;
	else
		tls_material_unref(made);
	return status;
}

/* ---- life ---- */

struct tls_material *
tls_material_ref(struct tls_material *material)
{
	atomic_fetch_add_explicit(&material->references, 1, memory_order_relaxed);
	return material;
}

void
tls_material_unref(struct tls_material *material)
{
	unsigned references;

	if (!material)
		return;
	references = atomic_fetch_sub_explicit(&material->references, 1,
					       memory_order_acq_rel);
	assert(references > 0);
	if (references > 1)
		return;
	for (size_t i = 0; i < material->count; i++)
		tls_pair_unref(material->seats[i].pair);
	free(material->seats);
	free(material->names);
	free(material);
}

size_t
tls_material_count(const struct tls_material *material)
{
	return material->count;
}

int64_t
tls_material_expiry(const struct tls_material *material, size_t index)
{
	assert(index < material->count);
	return tls_pair_end(material->seats[index].pair);
}

/* ---- showing ---- */

bool
tls_material_show(const struct tls_material *material, SSL_CTX *openssl)
{
	for (const struct seat *at = material->seats; at; at = at->beside)
		if (!tls_pair_show(at->pair, openssl))
			return false;
	return true;
}

static int
compare_wanted(const void *wanted, const void *served)
{
	const struct span *name = wanted;
	const struct served_name *other = served;

	return span_compare(*name, other->name);
}

static const struct seat *
material_find_exactly(const struct tls_material *material, struct span name)
{
	const struct served_name *found =
		bsearch(&name, material->names, material->name_count,
			sizeof(*material->names), compare_wanted);

	return found ? found->seat : NULL;
}

/* name: in lower case; it is changed. */
static const struct seat *
material_find(const struct tls_material *material, char *name, size_t length)
{
	const struct seat *seat =
		material_find_exactly(material, span_of(name, length));
	size_t dot = span_find(span_of(name, length), '.');

	if (seat || dot == SPAN_NOWHERE || dot == 0)
		return seat;
	name[dot - 1] = '*'; /* the whole first label: "*.example.com" */
	return material_find_exactly(material,
				     span_of(name + dot - 1, length - (dot - 1)));
}

enum tls_choice
tls_material_choose(const struct tls_material *material, SSL *session, struct span name)
{
	char lower[TLSEXT_MAXLEN_host_name];
	const struct seat *seat;

	if (span_is_empty(name) || name.length > sizeof(lower))
		return TLS_CHOICE_DEFAULT;
	for (size_t i = 0; i < name.length; i++)
		lower[i] = (char)tolower((unsigned char)name.at[i]);
	seat = material_find(material, lower, name.length);
	if (!seat)
		return TLS_CHOICE_DEFAULT;
	if (seat == material->seats)
		return TLS_CHOICE_NAMED; /* the context shows it already */
	SSL_certs_clear(session);
	for (; seat; seat = seat->beside)
		if (!tls_pair_show_in(seat->pair, session))
			return TLS_CHOICE_FAILED;
	return TLS_CHOICE_NAMED;
}
