/*
 * tls_refusals: which of the named files are no good, and why, without a word of what
 * is in them. Those of a program that runs are files that have changed: what was read
 * of them before is in force. Owner: whoever reads the files; by what it was made for.
 * Thread: owner. Allocates when opened.
 */
#ifndef EVENPOST_PROXY_TLS_REFUSALS_H
#define EVENPOST_PROXY_TLS_REFUSALS_H

#include "config/named_files.h"
#include "net/tls_fault.h"

/* Of one named file; empty texts: nothing is wrong. */
struct tls_refusal {
	char file[TLS_FAULT_MAX];
	char key[TLS_FAULT_MAX];
};

struct tls_refusals {
	const struct named_files *files;
	struct tls_refusal *of; /* by named file */
};

/* files must outlive it. */
MUST_CHECK enum status
tls_refusals_init(struct tls_refusals *refusals, const struct named_files *files);
/* A zeroed one is ignored. */
void tls_refusals_fini(struct tls_refusals *refusals);

bool tls_refusal_is_none(const struct tls_refusal *refusal);
bool tls_refusal_equals(const struct tls_refusal *a, const struct tls_refusal *b);

struct refused_file {
	uint32_t file; /* its place among the named files */
	const struct file_name *name;
	const char *why; /* without the name of the file in front */
};

/*
 * One after the other, in the order in which they are named. at: 0 at first. False:
 * there are no more. The texts last until files are read again.
 */
bool tls_refusals_next(const struct tls_refusals *refusals, uint32_t *at,
		       struct refused_file *refused);
uint32_t tls_refusals_count(const struct tls_refusals *refusals);

#endif
