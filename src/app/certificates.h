/*
 * certificates: keeps what TLS needs from files in force. Reads it at the start, looks
 * at the files every five seconds, and takes each one over (a certificate together with
 * its key) when it has changed, has stood still between two looks and is good. One that
 * is bad is refused, and what was in force of it stays; the others do not mind. The
 * keys of session tickets are rotated every hour, unless they come from a file.
 *
 * Owner: the service. Thread: control, on whose loop it lives. It reads files: small
 * ones, and seldom.
 */
#ifndef EVENPOST_APP_CERTIFICATES_H
#define EVENPOST_APP_CERTIFICATES_H

#include "proxy/tls_set.h"

struct certificates;
struct loop;

/* A new set is in force; who wants to keep it takes a reference. */
typedef void certificates_changed(struct tls_set *set, void *with);

/*
 * With the rights that the keys may need. loop and snapshot must outlive it.
 * STATUS_INVALID: a fault in the files; STATUS_NO_MEMORY, STATUS_SYSTEM. What went
 * wrong is in the log.
 */
MUST_CHECK enum status
certificates_open(struct certificates **certificates, struct loop *loop,
		  const struct snapshot *snapshot);
/* When no set of it is in use any more: the keys of tickets go with it. NULL: nothing.
 */
void certificates_close(struct certificates *certificates);

/* What is in force; never NULL. */
struct tls_set *certificates_set(const struct certificates *certificates);
/* What is not, though it is in the files; as long as it lasts. */
const struct tls_refusals *
certificates_refusals(const struct certificates *certificates);

/* Looks at the files from now on, with the rights that are left. */
void certificates_watch(struct certificates *certificates,
			certificates_changed *changed, void *with);
/* Somebody says that the files have changed, and are complete. */
void certificates_look(struct certificates *certificates);

#endif
