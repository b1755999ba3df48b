/*
 * named_files: the certificates, authorities, keys of tickets and passwords that a
 * configuration names, as far as anything in it uses them; each with the place that
 * names it. A certificate and its key are one. They are found in settings that have
 * faults, too, so that what is wrong in files is told with everything else; nothing
 * here opens them. Owner: an arena. Thread: any reads. Allocates in the arena.
 */
#ifndef EVENPOST_CONFIG_NAMED_FILES_H
#define EVENPOST_CONFIG_NAMED_FILES_H

#include "base/status.h"
#include "config/settings.h"

enum named_kind {
	NAMED_CLIENTS_PAIR, /* tls.certificates[] */
	NAMED_TICKET_KEYS,
	NAMED_CLIENTS_CA,
	NAMED_SERVERS_CA,
	NAMED_SERVERS_PAIR, /* what servers are shown */
	NAMED_PASSWORD,
};

struct file_name {
	const char *path;    /* NULL: the configuration lacks it */
	const char *setting; /* "tls.certificates[0].key", as section_path() has it */
	struct place place;
};

struct named_file {
	enum named_kind kind;
	uint32_t index; /* of the certificate, of the listener, or of the pool */
	struct file_name file;
	struct file_name key; /* of a certificate */
	struct span username; /* of a password */
};

struct named_files {
	struct named_file *at;
	uint32_t count;
};

MUST_CHECK enum status
named_files_collect(const struct section *root, struct arena *arena,
		    struct named_files *files);

/* Which of its files is for few eyes; NULL: none. */
const struct file_name *named_file_secret(const struct named_file *file);

/* Where every user of the machine can read or write it; else nothing. */
void file_name_advise(const struct file_name *name, struct report *report);

#endif
