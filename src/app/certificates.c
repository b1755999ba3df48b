#include "app/certificates.h"

#include "config/report.h"
#include "net/loop.h"
#include "net/tls_facts.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Milliseconds between two looks at the files. */
#define LOOK 5000
#define HOUR 3600000
#define HOURS_BETWEEN_WARNINGS 24

/* What tells one state of a file from the next. */
struct file_state {
	int error; /* why there is nothing else to say; 0: there is */
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec written;
};

/* A named file and, of a certificate, its key: what is taken over as one. */
struct pair_state {
	struct file_state file;
	struct file_state key;
};

struct watched {
	struct pair_state read; /* as it was when it was read last */
	struct pair_state seen; /* at the last look */
	bool is_still;          /* since the look before */
};

struct certificates {
	struct loop *loop;
	const struct snapshot *snapshot;
	struct tls_tickets *tickets;
	struct tls_set *set;
	/* By named file: */
	uint32_t count;
	struct watched *watched;
	bool *wanted; /* is to be read now */
	struct tls_refusals refusals;
	struct tls_refusals told; /* as they are in the log */
	struct timer look;
	struct timer hour;
	unsigned hours;
	certificates_changed *changed;
	void *with;
};

/* ---- the files ---- */

static struct file_state
state_of(const char *path)
{
	struct stat found;

	if (!path)
		return (struct file_state){0};
	if (stat(path, &found))
		return (struct file_state){.error = errno};
	return (struct file_state){0, found.st_dev, found.st_ino, found.st_size,
				   found.st_mtim};
}

static bool
state_equals(const struct file_state *a, const struct file_state *b)
{
	return a->error == b->error && a->device == b->device && a->inode == b->inode &&
	       a->size == b->size && a->written.tv_sec == b->written.tv_sec &&
	       a->written.tv_nsec == b->written.tv_nsec;
}

static bool
states_equal(const struct pair_state *a, const struct pair_state *b)
{
	return state_equals(&a->file, &b->file) && state_equals(&a->key, &b->key);
}

static void
see(struct certificates *certificates)
{
	for (uint32_t i = 0; i < certificates->count; i++) {
		const struct named_file *file =
			&certificates->snapshot->named_files.at[i];
		struct watched *watched = &certificates->watched[i];
		struct pair_state before = watched->seen;

		watched->seen = (struct pair_state){state_of(file->file.path),
						    state_of(file->key.path)};
		watched->is_still = states_equal(&watched->seen, &before);
	}
}

/* What was refused is tried until it is good: not all faults show in the state. */
static bool
is_news(const struct certificates *certificates, uint32_t file)
{
	const struct watched *watched = &certificates->watched[file];

	return !tls_refusal_is_none(&certificates->refusals.of[file]) ||
	       !states_equal(&watched->seen, &watched->read);
}

/* at_once: also what may be in the middle of being written. False: there is nothing. */
static bool
want_news(struct certificates *certificates, bool at_once)
{
	bool any = false;

	for (uint32_t i = 0; i < certificates->count; i++) {
		certificates->wanted[i] =
			(at_once || certificates->watched[i].is_still) &&
			is_news(certificates, i);
		any = any || certificates->wanted[i];
	}
	return any;
}

/* ---- what is said ---- */

static void
log_advice(const struct report *report)
{
	for (uint32_t i = 0; i < report->count; i++)
		log_message(LOG_WARNING, "tls", "%s: %s", report->entries[i].path,
			    report->entries[i].message);
}

static void
copy_refusals(const struct tls_refusals *from, struct tls_refusals *to)
{
	memcpy(to->of, from->of, from->files->count * sizeof(*from->of));
}

/* Once, however often it is tried again. */
static void
tell_refusals(struct certificates *certificates)
{
	struct tls_refusals *refusals = &certificates->refusals;
	struct tls_refusals *told = &certificates->told;
	struct refused_file refused;
	uint32_t at = 0;
	bool any = false;

	while (tls_refusals_next(refusals, &at, &refused)) {
		if (tls_refusal_equals(&refusals->of[refused.file],
				       &told->of[refused.file]))
			continue;
		log_message(LOG_ERROR, "tls", "%s: %s: %s", refused.name->setting,
			    refused.name->path, refused.why);
		any = true;
	}
	copy_refusals(refusals, told);
	if (any && certificates->set)
		log_message(LOG_ERROR, "tls",
			    "the new files are refused: those in force stay");
}

static void
warn_of_ends(const struct certificates *certificates)
{
	struct report report;

	report_init(&report, "");
	tls_holdings_advise(tls_set_holdings(certificates->set), time(NULL), &report);
	log_advice(&report);
	report_fini(&report);
}

/* Of those that clients are shown. */
static int64_t
first_end(const struct tls_material *material)
{
	int64_t first = tls_material_expiry(material, 0);

	for (size_t i = 1; i < tls_material_count(material); i++)
		if (tls_material_expiry(material, i) < first)
			first = tls_material_expiry(material, i);
	return first;
}

static void
tell_change(const struct certificates *certificates)
{
	const struct tls_material *material = tls_set_material(certificates->set);
	char day[TLS_DAY_MAX];
	struct log_line line;

	log_begin(&line, LOG_INFO, "tls");
	log_number(&line, "certificates", material ? tls_material_count(material) : 0);
	log_string(&line, "expires",
		   material ? tls_day_print(first_end(material), day) : NULL);
	log_string(&line, "why", "certificates and passwords taken over");
	log_end(&line);
}

/* ---- reading ---- */

/* The states in seen are older than what is read: a later change shows. */
static void
note_reading(struct certificates *certificates)
{
	for (uint32_t i = 0; i < certificates->count; i++)
		if (certificates->wanted[i])
			certificates->watched[i].read = certificates->watched[i].seen;
}

static enum status
load_first(struct certificates *certificates)
{
	enum status status;

	see(certificates);
	for (uint32_t i = 0; i < certificates->count; i++)
		certificates->wanted[i] = true;
	note_reading(certificates);
	status = tls_set_load(&certificates->set, certificates->snapshot,
			      certificates->tickets, &certificates->refusals);
	if (status == STATUS_OK)
		warn_of_ends(certificates);
	else if (status == STATUS_INVALID)
		tell_refusals(certificates);
	return status;
}

/* Whether anything of what was wanted is good. */
static bool
is_renewed(const struct certificates *certificates)
{
	for (uint32_t i = 0; i < certificates->count; i++)
		if (certificates->wanted[i] &&
		    tls_refusal_is_none(&certificates->refusals.of[i]))
			return true;
	return false;
}

static void
put_in_force(struct certificates *certificates, struct tls_set *set)
{
	tls_set_unref(certificates->set);
	certificates->set = set;
	warn_of_ends(certificates);
	certificates->changed(set, certificates->with);
	tell_change(certificates);
}

/* What is wanted. */
static void
take_over(struct certificates *certificates)
{
	struct tls_set *set;

	if (tls_set_renew(&set, certificates->set, certificates->snapshot,
			  certificates->wanted, &certificates->refusals) != STATUS_OK) {
		/* nothing has been read, then: the next look finds it again */
		copy_refusals(&certificates->told, &certificates->refusals);
		log_message(LOG_ERROR, "tls", "out of memory");
		return;
	}
	note_reading(certificates);
	tell_refusals(certificates);
	if (is_renewed(certificates))
		put_in_force(certificates, set);
	else
		tls_set_unref(set);
}

/* ---- on the clock ---- */

static void
on_look(struct timer *timer)
{
	struct certificates *certificates =
		CONTAINER_OF(timer, struct certificates, look);

	see(certificates);
	if (want_news(certificates, false))
		take_over(certificates);
	loop_timer_start(certificates->loop, timer, LOOK);
}

void
certificates_look(struct certificates *certificates)
{
	see(certificates);
	if (want_news(certificates, true))
		take_over(certificates);
}

static void
on_hour(struct timer *timer)
{
	struct certificates *certificates =
		CONTAINER_OF(timer, struct certificates, hour);

	if (span_is_empty(certificates->snapshot->tls.ticket_keys) &&
	    tls_tickets_rotate(certificates->tickets) != STATUS_OK)
		log_message(LOG_ERROR, "tls",
			    "no random bytes for new keys of session tickets: the old "
			    "ones stay");
	if (++certificates->hours % HOURS_BETWEEN_WARNINGS == 0)
		warn_of_ends(certificates);
	loop_timer_start(certificates->loop, timer, HOUR);
}

static void
warn_of_lost_right(const char *path)
{
	if (path && access(path, R_OK))
		log_message(LOG_WARNING, "tls",
			    "%s: %s: the user that evenpost runs as will not take over "
			    "a new one",
			    path, strerror(errno));
}

/* Keys that root alone may read, and we are not root any more. */
static void
warn_of_lost_rights(const struct certificates *certificates)
{
	const struct named_files *files = &certificates->snapshot->named_files;

	for (uint32_t i = 0; i < files->count; i++) {
		warn_of_lost_right(files->at[i].file.path);
		warn_of_lost_right(files->at[i].key.path);
	}
}

void
certificates_watch(struct certificates *certificates, certificates_changed *changed,
		   void *with)
{
	certificates->changed = changed;
	certificates->with = with;
	if (certificates->count == 0)
		return;
	warn_of_lost_rights(certificates);
	loop_timer_start(certificates->loop, &certificates->look, LOOK);
	loop_timer_start(certificates->loop, &certificates->hour, HOUR);
}

/* ---- life ---- */

static enum status
reserve(struct certificates *certificates)
{
	const struct named_files *files = &certificates->snapshot->named_files;
	/* one more: of nothing, calloc() may give NULL */
	size_t most = files->count + 1ul;

	certificates->watched = calloc(most, sizeof(*certificates->watched));
	certificates->wanted = calloc(most, sizeof(*certificates->wanted));
	if (!certificates->watched || !certificates->wanted ||
	    tls_refusals_init(&certificates->refusals, files) != STATUS_OK ||
	    tls_refusals_init(&certificates->told, files) != STATUS_OK)
		return STATUS_NO_MEMORY;
	certificates->count = files->count;
	return tls_tickets_new(&certificates->tickets);
}

enum status
certificates_open(struct certificates **certificates, struct loop *loop,
		  const struct snapshot *snapshot)
{
	struct certificates *made = calloc(1, sizeof(*made));
	enum status status;

	if (!made)
		return STATUS_NO_MEMORY;
	made->loop = loop;
	made->snapshot = snapshot;
	timer_init(&made->look, on_look);
	timer_init(&made->hour, on_hour);
	status = reserve(made);
	if (status == STATUS_OK)
		status = load_first(made);
	if (status != STATUS_OK && status != STATUS_INVALID)
		log_message(LOG_ERROR, "tls", "%s", status_name(status));
	if (status == STATUS_OK)
		*certificates = made;
	else
		certificates_close(made);
	return status;
}

void
certificates_close(struct certificates *certificates)
{
	if (!certificates)
		return;
	loop_timer_stop(certificates->loop, &certificates->look);
	loop_timer_stop(certificates->loop, &certificates->hour);
	tls_set_unref(certificates->set);
	tls_tickets_free(certificates->tickets);
	tls_refusals_fini(&certificates->refusals);
	tls_refusals_fini(&certificates->told);
	free(certificates->watched);
	free(certificates->wanted);
	free(certificates);
}

struct tls_set *
certificates_set(const struct certificates *certificates)
{
	return certificates->set;
}

const struct tls_refusals *
certificates_refusals(const struct certificates *certificates)
{
	return &certificates->refusals;
}
