#include "app/certificates.h"

#include "config/report.h"
#include "net/loop.h"

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

struct certificates {
	struct loop *loop;
	const struct snapshot *snapshot;
	struct tls_tickets *tickets;
	struct tls_set *set;
	const char **paths;
	size_t count;
	struct file_state *read;  /* as the files were when they were read last */
	struct file_state *seen;  /* at the last look */
	struct file_state *fresh; /* at this one */
	bool is_refused;          /* what was read last */
	struct report refusal;    /* as it was told */
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
states_equal(const struct certificates *certificates, const struct file_state *a,
	     const struct file_state *b)
{
	for (size_t i = 0; i < certificates->count; i++)
		if (!state_equals(&a[i], &b[i]))
			return false;
	return true;
}

/* True: they have stood still since the last look. */
static bool
see(struct certificates *certificates)
{
	struct file_state *before = certificates->seen;

	for (size_t i = 0; i < certificates->count; i++)
		certificates->fresh[i] = state_of(certificates->paths[i]);
	certificates->seen = certificates->fresh;
	certificates->fresh = before;
	return states_equal(certificates, certificates->seen, before);
}

/* What was refused is tried until it is good: not all faults show in the state. */
static bool
is_news(const struct certificates *certificates)
{
	return certificates->is_refused ||
	       !states_equal(certificates, certificates->seen, certificates->read);
}

/* ---- what is said ---- */

static bool
reports_equal(const struct report *a, const struct report *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (strcmp(a->entries[i].path, b->entries[i].path) != 0 ||
		    strcmp(a->entries[i].message, b->entries[i].message) != 0)
			return false;
	return true;
}

static void
log_report(const struct report *report, enum log_level level)
{
	for (uint32_t i = 0; i < report->count; i++)
		log_message(level, "tls", "%s: %s", report->entries[i].path,
			    report->entries[i].message);
}

/* Once, however often it is tried again; keeps the report. */
static void
tell_refusal(struct certificates *certificates, struct report *report)
{
	if (reports_equal(report, &certificates->refusal)) {
		report_fini(report);
		return;
	}
	log_report(report, LOG_ERROR);
	if (certificates->set)
		log_message(LOG_ERROR, "tls",
			    "the new files are refused: those in force stay");
	report_fini(&certificates->refusal);
	certificates->refusal = *report;
}

static void
warn_of_ends(const struct certificates *certificates)
{
	struct report report;

	report_init(&report, "");
	tls_set_advise(certificates->set, certificates->snapshot, time(NULL), &report);
	log_report(&report, LOG_WARNING);
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
	char day[TLS_SET_DAY_MAX];
	struct log_line line;

	log_begin(&line, LOG_INFO, "tls");
	log_number(&line, "certificates", material ? tls_material_count(material) : 0);
	log_string(&line, "expires",
		   material ? tls_set_print_day(first_end(material), day) : NULL);
	log_string(&line, "why", "certificates and passwords taken over");
	log_end(&line);
}

/* ---- reading ---- */

/* The states in seen are older than what is read: a later change shows. */
static enum status
load(struct certificates *certificates)
{
	struct tls_set *set;
	struct report report;
	enum status status;

	for (size_t i = 0; i < certificates->count; i++)
		certificates->read[i] = certificates->seen[i];
	report_init(&report, "");
	status = tls_set_load(&set, certificates->snapshot, certificates->tickets,
			      &report);
	certificates->is_refused = status != STATUS_OK;
	if (status != STATUS_OK) {
		tell_refusal(certificates, &report);
		return status;
	}
	report_fini(&report);
	report_fini(&certificates->refusal);
	tls_set_unref(certificates->set);
	certificates->set = set;
	warn_of_ends(certificates);
	return STATUS_OK;
}

static void
take_over(struct certificates *certificates)
{
	if (load(certificates) != STATUS_OK)
		return;
	tell_change(certificates);
	certificates->changed(certificates->set, certificates->with);
}

/* ---- on the clock ---- */

static void
on_look(struct timer *timer)
{
	struct certificates *certificates =
		CONTAINER_OF(timer, struct certificates, look);

	if (see(certificates) && is_news(certificates))
		take_over(certificates);
	loop_timer_start(certificates->loop, timer, LOOK);
}

void
certificates_look(struct certificates *certificates)
{
	see(certificates);
	if (is_news(certificates))
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

/* Keys that root alone may read, and we are not root any more. */
static void
warn_of_lost_rights(const struct certificates *certificates)
{
	for (size_t i = 0; i < certificates->count; i++)
		if (access(certificates->paths[i], R_OK))
			log_message(LOG_WARNING, "tls",
				    "%s: %s: the user that evenpost runs as will not "
				    "take over a new one",
				    certificates->paths[i], strerror(errno));
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
	/* one more: of nothing, calloc() may give NULL */
	size_t most = tls_set_paths_max(certificates->snapshot) + 1;

	certificates->paths = calloc(most, sizeof(*certificates->paths));
	certificates->read = calloc(most, sizeof(struct file_state));
	certificates->seen = calloc(most, sizeof(struct file_state));
	certificates->fresh = calloc(most, sizeof(struct file_state));
	if (!certificates->paths || !certificates->read || !certificates->seen ||
	    !certificates->fresh)
		return STATUS_NO_MEMORY;
	certificates->count =
		tls_set_paths(certificates->snapshot, certificates->paths);
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
	report_init(&made->refusal, "");
	status = reserve(made);
	if (status == STATUS_OK) {
		see(made);
		status = load(made);
	} else {
		log_message(LOG_ERROR, "tls", "%s", status_name(status));
	}
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
	report_fini(&certificates->refusal);
	tls_set_unref(certificates->set);
	tls_tickets_free(certificates->tickets);
	free(certificates->paths);
	free(certificates->read);
	free(certificates->seen);
	free(certificates->fresh);
	free(certificates);
}

struct tls_set *
certificates_set(const struct certificates *certificates)
{
	return certificates->set;
}
