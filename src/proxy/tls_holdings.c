#include "proxy/tls_holdings.h"

#include "net/tls_facts.h"

#include <stdlib.h>

#define DAY INT64_C(86400)

struct reader {
	const struct tls_reading *reading;
	struct tls_holdings *holdings;
	struct tls_refusals *refusals;
};

static bool
is_wanted(const struct tls_reading *reading, uint32_t file)
{
	return !reading->wanted || reading->wanted[file];
}

static void
holding_ref(struct tls_holding *holding)
{
	if (holding->pair)
		tls_pair_ref(holding->pair);
	if (holding->authorities)
		tls_authorities_ref(holding->authorities);
	if (holding->smarthost)
		smarthost_ref(holding->smarthost);
}

static void
holding_fini(struct tls_holding *holding)
{
	tls_pair_unref(holding->pair);
	tls_authorities_unref(holding->authorities);
	smarthost_unref(holding->smarthost);
	*holding = (struct tls_holding){0};
}

/* In place of what has just been read, or was not. */
static void
keep_before(struct reader *reader, uint32_t file)
{
	const struct tls_holdings *before = reader->reading->before;
	struct tls_holding *holding = &reader->holdings->of[file];

	holding_fini(holding);
	if (!before)
		return;
	*holding = before->of[file];
	holding_ref(holding);
}

/* ---- one file ---- */

static bool
read_pair(const struct named_file *file, struct tls_holding *holding,
	  struct tls_refusal *refusal)
{
	const struct tls_files files = {file->file.path, file->key.path};
	struct tls_pair_faults faults;

	if (tls_pair_load(&holding->pair, &files, &faults) == STATUS_OK)
		return true;
	memcpy(refusal->file, faults.certificate.text, TLS_FAULT_MAX);
	memcpy(refusal->key, faults.key.text, TLS_FAULT_MAX);
	return false;
}

static bool
names_authorities(const struct named_file *file)
{
	return file->kind == NAMED_CLIENTS_CA || file->kind == NAMED_SERVERS_CA;
}

/* One store for all that trust the same: what an earlier one has just read, or NULL. */
static struct tls_authorities *
find_authorities(const struct reader *reader, uint32_t file)
{
	const struct named_files *files = reader->reading->files;

	for (uint32_t i = 0; i < file; i++)
		if (names_authorities(&files->at[i]) && is_wanted(reader->reading, i) &&
		    tls_refusal_is_none(&reader->refusals->of[i]) &&
		    strcmp(files->at[i].file.path, files->at[file].file.path) == 0)
			return reader->holdings->of[i].authorities;
	return NULL;
}

static bool
read_authorities(const struct reader *reader, uint32_t file,
		 struct tls_holding *holding, struct tls_refusal *refusal)
{
	struct tls_authorities *known = find_authorities(reader, file);
	struct tls_fault fault;

	if (known) {
		holding->authorities = tls_authorities_ref(known);
		return true;
	}
	if (tls_authorities_load(&holding->authorities,
				 reader->reading->files->at[file].file.path,
				 &fault) == STATUS_OK)
		return true;
	memcpy(refusal->file, fault.text, TLS_FAULT_MAX);
	return false;
}

static bool
read_tickets(const struct reader *reader, const struct named_file *file,
	     struct tls_refusal *refusal)
{
	struct tls_fault fault;

	if (tls_tickets_read(reader->reading->tickets, file->file.path, &fault) ==
	    STATUS_OK)
		return true;
	memcpy(refusal->file, fault.text, TLS_FAULT_MAX);
	return false;
}

static bool
read_file(struct reader *reader, uint32_t file)
{
	const struct named_file *named = &reader->reading->files->at[file];
	struct tls_holding *holding = &reader->holdings->of[file];
	struct tls_refusal *refusal = &reader->refusals->of[file];

	*refusal = (struct tls_refusal){0};
	switch (named->kind) {
	case NAMED_CLIENTS_PAIR:
	case NAMED_SERVERS_PAIR:
		return read_pair(named, holding, refusal);
	case NAMED_CLIENTS_CA:
	case NAMED_SERVERS_CA:
		return read_authorities(reader, file, holding, refusal);
	case NAMED_TICKET_KEYS:
		return read_tickets(reader, named, refusal);
	case NAMED_PASSWORD:
		return smarthost_load(&holding->smarthost, named->username,
				      named->file.path, refusal->file) == STATUS_OK;
	}
	return false;
}

static void
read_files(struct reader *reader)
{
	for (uint32_t i = 0; i < reader->holdings->count; i++)
		if (!is_wanted(reader->reading, i) || !read_file(reader, i))
			keep_before(reader, i);
}

/* ---- all pairs for clients ---- */

/* files: the place of each among the named files. */
static size_t
gather_pairs(const struct reader *reader, struct tls_pair **pairs, uint32_t *files)
{
	size_t count = 0;

	for (uint32_t i = 0; i < reader->holdings->count; i++) {
		struct tls_pair *pair = reader->holdings->of[i].pair;

		if (!pair || reader->reading->files->at[i].kind != NAMED_CLIENTS_PAIR)
			continue;
		files[count] = i;
		pairs[count++] = pair;
	}
	return count;
}

static bool
is_fresh(const struct reader *reader, uint32_t file)
{
	const struct tls_holdings *before = reader->reading->before;

	return !before || reader->holdings->of[file].pair != before->of[file].pair;
}

/* Those of before stood side by side: one of the two at least is fresh. */
static void
refuse_clash(struct reader *reader, uint32_t file, uint32_t earlier)
{
	uint32_t refused = is_fresh(reader, file) ? file : earlier;
	uint32_t other = refused == file ? earlier : file;
	const struct named_file *named = reader->reading->files->at;

	snprintf(reader->refusals->of[refused].file, TLS_FAULT_MAX, TLS_CLASH_FAULT,
		 named[refused].file.path, named[other].file.path);
	keep_before(reader, refused);
}

/* Each round has a fresh one less: it ends. */
static enum status
settle(struct reader *reader, struct tls_pair **pairs, uint32_t *files)
{
	struct tls_clash clash;
	enum status status;

	for (;;) {
		size_t count = gather_pairs(reader, pairs, files);

		if (count == 0)
			return STATUS_OK;
		status = tls_material_make(&reader->holdings->material, pairs, count,
					   &clash);
		if (status != STATUS_INVALID)
			return status;
		refuse_clash(reader, files[clash.pair], files[clash.earlier]);
	}
}

static enum status
settle_pairs(struct reader *reader)
{
	size_t most = reader->holdings->count + 1ul;
	struct tls_pair **pairs = calloc(most, sizeof(*pairs));
	uint32_t *files = calloc(most, sizeof(*files));
	enum status status =
		pairs && files ? settle(reader, pairs, files) : STATUS_NO_MEMORY;

	free(pairs);
	free(files);
	return status;
}

/* ---- the whole ---- */

enum status
tls_holdings_load(struct tls_holdings *holdings, const struct tls_reading *reading,
		  struct tls_refusals *refusals)
{
	struct reader reader = {reading, holdings, refusals};
	enum status status = STATUS_NO_MEMORY;

	*holdings = (struct tls_holdings){
		.files = reading->files,
		.of = calloc(reading->files->count + 1ul, sizeof(*holdings->of)),
		.count = reading->files->count,
	};
	if (holdings->of) {
		read_files(&reader);
		status = settle_pairs(&reader);
	}
	if (status != STATUS_OK)
		tls_holdings_fini(holdings);
	return status;
}

void
tls_holdings_fini(struct tls_holdings *holdings)
{
	for (uint32_t i = 0; holdings->of && i < holdings->count; i++)
		holding_fini(&holdings->of[i]);
	tls_material_unref(holdings->material);
	free(holdings->of);
	*holdings = (struct tls_holdings){0};
}

/* ---- advice ---- */

static void
advise_pair(const struct file_name *name, const struct tls_pair *pair, int64_t now,
	    struct report *report)
{
	int64_t begin = tls_pair_begin(pair);
	int64_t end = tls_pair_end(pair);
	char day[TLS_DAY_MAX];

	if (begin > now)
		report_advice(report, name->place, name->setting,
			      "%s: not valid before %s", name->path,
			      tls_day_print(begin, day));
	if (end - now < TLS_HOLDINGS_WARNING_DAYS * DAY)
		report_advice(report, name->place, name->setting, "%s: %s on %s",
			      name->path, end <= now ? "expired" : "expires",
			      tls_day_print(end, day));
}

void
tls_holdings_advise(const struct tls_holdings *holdings, int64_t now,
		    struct report *report)
{
	for (uint32_t i = 0; i < holdings->count; i++) {
		const struct named_file *file = &holdings->files->at[i];
		const struct file_name *secret = named_file_secret(file);

		if (holdings->of[i].pair)
			advise_pair(&file->file, holdings->of[i].pair, now, report);
		if (secret)
			file_name_advise(secret, report);
	}
}
