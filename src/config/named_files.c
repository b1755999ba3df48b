#include "config/named_files.h"

#include "config/crosscheck_tls.h"
#include "smtp/sasl_response.h"

#include <sys/stat.h>

/* Of a pool: authorities, a pair, a password. */
#define FILES_OF_POOL 3

struct collector {
	struct named_files *files;
	struct arena *arena;
	bool out_of_memory;
};

static const char *
keep(struct collector *collector, struct span text)
{
	const char *kept = arena_string(collector->arena, text);

	if (!kept)
		collector->out_of_memory = true;
	return kept;
}

static struct file_name
name_of(struct collector *collector, const struct section *section, const char *key)
{
	const struct setting *setting = section_setting(section, key);
	char path[SECTION_PATH_MAX];

	if (!setting->given || !setting->count)
		return (struct file_name){0};
	section_path(section, key, path);
	return (struct file_name){
		keep(collector, setting->values[0].text),
		keep(collector, span_from_string(path)),
		setting->values[0].place,
	};
}

/* What the configuration names nowhere is left out. */
static void
add(struct collector *collector, struct named_file file)
{
	if (file.file.path || file.key.path)
		collector->files->at[collector->files->count++] = file;
}

static void
collect_clients(struct collector *collector, const struct section *tls)
{
	SECTION_EACH (tls, "certificates", at)
		add(collector, (struct named_file){
				       .kind = NAMED_CLIENTS_PAIR,
				       .index = at->index,
				       .file = name_of(collector, at, "certificate"),
				       .key = name_of(collector, at, "key"),
			       });
	add(collector, (struct named_file){
			       .kind = NAMED_TICKET_KEYS,
			       .file = name_of(collector, tls, "ticket-keys"),
		       });
}

static void
collect_listener(struct collector *collector, const struct section *listener)
{
	const struct section *clients = section_child(listener, "client-certificates");

	if (section_may_differ(listener, "tls", "off") &&
	    section_may_differ(clients, "verify", "off"))
		add(collector, (struct named_file){
				       .kind = NAMED_CLIENTS_CA,
				       .index = listener->index,
				       .file = name_of(collector, clients, "ca"),
			       });
}

/* What is wrong with the name is told elsewhere, and no fault of the file. */
static struct span
username_of(struct collector *collector, const struct section *auth)
{
	struct span name = section_text(auth, "username");

	if (!sasl_name_is_valid(name))
		name = SPAN("-");
	return span_of(keep(collector, name), name.length);
}

static void
collect_pool(struct collector *collector, const struct section *pool)
{
	const struct section *auth = section_child(pool, "auth");

	if (section_setting(pool, "tls")->broken || pool_section_verifies_tls(pool))
		add(collector, (struct named_file){
				       .kind = NAMED_SERVERS_CA,
				       .index = pool->index,
				       .file = name_of(collector, pool, "tls-ca"),
			       });
	if (section_may_differ(pool, "tls", "off"))
		add(collector,
		    (struct named_file){
			    .kind = NAMED_SERVERS_PAIR,
			    .index = pool->index,
			    .file = name_of(collector, pool, "tls-certificate"),
			    .key = name_of(collector, pool, "tls-key"),
		    });
	if (auth)
		add(collector,
		    (struct named_file){
			    .kind = NAMED_PASSWORD,
			    .index = pool->index,
			    .file = name_of(collector, auth, "password-file"),
			    .username = username_of(collector, auth),
		    });
}

/* More than there can be. */
static size_t
count_most(const struct section *root)
{
	size_t count = 1;

	SECTION_EACH (section_child(root, "tls"), "certificates", pair)
		count++;
	SECTION_EACH (root, "listeners", listener)
		count++;
	SECTION_EACH (root, "pools", pool)
		count += FILES_OF_POOL;
	return count;
}

enum status
named_files_collect(const struct section *root, struct arena *arena,
		    struct named_files *files)
{
	struct collector collector = {files, arena, false};

	files->count = 0;
	files->at = arena_take(arena, count_most(root) * sizeof(*files->at));
	if (!files->at)
		return STATUS_NO_MEMORY;
	if (clients_may_have_tls(root))
		collect_clients(&collector, section_child(root, "tls"));
	SECTION_EACH (root, "listeners", listener)
		collect_listener(&collector, listener);
	SECTION_EACH (root, "pools", pool)
		collect_pool(&collector, pool);
	return collector.out_of_memory ? STATUS_NO_MEMORY : STATUS_OK;
}

const struct file_name *
named_file_secret(const struct named_file *file)
{
	switch (file->kind) {
	case NAMED_CLIENTS_PAIR:
	case NAMED_SERVERS_PAIR:
		return &file->key;
	case NAMED_TICKET_KEYS:
	case NAMED_PASSWORD:
		return &file->file;
	case NAMED_CLIENTS_CA:
	case NAMED_SERVERS_CA:
		break;
	}
	return NULL;
}

void
file_name_advise(const struct file_name *name, struct report *report)
{
	struct stat found;

	if (name->path && stat(name->path, &found) == 0 &&
	    found.st_mode & (S_IROTH | S_IWOTH))
		report_advice(report, name->place, name->setting,
			      "%s: every user of this machine can read or write it",
			      name->path);
}
