#include "app/configuration.h"

#include "admin/token.h"
#include "app/reader.h"
#include "config/check.h"
#include "config/snapshot.h"
#include "config/snapshot_build.h"
#include "proxy/tls_holdings.h"

#include <time.h>
#include <unistd.h>

/* ---- what listeners and pools use ---- */

static void
report_refusals(const struct tls_refusals *refusals, struct report *report)
{
	struct refused_file refused;
	uint32_t at = 0;

	while (tls_refusals_next(refusals, &at, &refused))
		report_error(report, refused.name->place, refused.name->setting,
			     "%s: %s", refused.name->path, refused.why);
}

static enum status
read_files(const struct tls_reading *reading, struct tls_refusals *refusals,
	   struct report *report)
{
	struct tls_holdings holdings;
	enum status status = tls_holdings_load(&holdings, reading, refusals);

	if (status != STATUS_OK)
		return status;
	report_refusals(refusals, report);
	tls_holdings_advise(&holdings, time(NULL), report);
	tls_holdings_fini(&holdings);
	return STATUS_OK;
}

/* They are read to be looked at, and let go. */
static enum status
check_files(const struct named_files *files, struct report *report)
{
	struct tls_refusals refusals;
	struct tls_tickets *tickets = NULL;
	enum status status = tls_refusals_init(&refusals, files);

	if (status == STATUS_OK)
		status = tls_tickets_new(&tickets);
	if (status == STATUS_OK)
		status = read_files(
			&(struct tls_reading){.files = files, .tickets = tickets},
			&refusals, report);
	tls_tickets_free(tickets);
	tls_refusals_fini(&refusals);
	return status;
}

/* ---- who will read them later ---- */

static void
advise_reader(const struct reader *reader, struct span user,
	      const struct file_name *name, struct report *report)
{
	if (name->path && !reader_can_read(reader, name->path))
		report_advice(report, name->place, name->setting,
			      "%s: user %.*s may not read it: a new one is not taken "
			      "over while evenpost runs",
			      name->path, SPAN_ARGS(report_excerpt(user)));
}

/* Where we are root, run would be too, and then that user. */
static void
advise_readers(const struct section *root, const struct named_files *files,
	       struct report *report)
{
	struct span user = section_text(root, "user");
	struct reader reader;

	if (geteuid() != 0 || !reader_find(&reader, user))
		return;
	for (uint32_t i = 0; i < files->count; i++) {
		advise_reader(&reader, user, &files->at[i].file, report);
		advise_reader(&reader, user, &files->at[i].key, report);
	}
}

/* ---- the token ---- */

/* It is read once, at the start. */
static enum status
check_token(const struct section *root, struct arena *arena, struct report *report)
{
	const struct section *admin = section_child(root, "admin");
	const struct setting *setting = section_setting(admin, "token-file");
	struct file_name name = {.setting = "admin.token-file"};
	struct token token;
	enum status status;

	if (!setting->given || !setting->count ||
	    !section_may_differ(admin, "http", "off"))
		return STATUS_OK;
	name.place = setting->values[0].place;
	name.path = arena_string(arena, setting->values[0].text);
	if (!name.path)
		return STATUS_NO_MEMORY;
	status = token_read(&token, name.path);
	if (status != STATUS_OK)
		report_error(report, name.place, name.setting, "%s: %s", name.path,
			     token_fault(status));
	token_clear(&token);
	file_name_advise(&name, report);
	return STATUS_OK;
}

/* ---- the whole ---- */

/* Whatever else is wrong: all errors are to be told at once. */
static enum status
check_named(const struct section *root, struct arena *arena, struct report *report)
{
	struct named_files files;
	enum status status = named_files_collect(root, arena, &files);

	if (status == STATUS_OK)
		status = check_files(&files, report);
	if (status == STATUS_OK)
		status = check_token(root, arena, report);
	if (status == STATUS_OK)
		advise_readers(root, &files, report);
	return status;
}

static enum status
read_text(struct span text, struct arena *arena, struct report *report,
	  struct snapshot **snapshot)
{
	struct section *root = NULL;
	enum status status = settings_check(text, arena, report, &root);

	if (status == STATUS_OK)
		status = snapshot_build(root, snapshot);
	if (root && status != STATUS_NO_MEMORY)
		status = check_named(root, arena, report);
	return status;
}

enum status
configuration_read(const char *path, struct report *report, struct snapshot **snapshot)
{
	struct arena arena = {0};
	struct span text;
	enum status status;

	*snapshot = NULL;
	report->file = path;
	status = settings_load(path, &arena, report, &text);
	if (status == STATUS_OK)
		status = read_text(text, &arena, report, snapshot);
	arena_reset(&arena);
	if (status != STATUS_OK && !report->errors)
		report_error(report, (struct place){0}, "", "%s", status_name(status));
	report_sort(report);
	return status == STATUS_OK && report->errors ? STATUS_INVALID : status;
}
