/*
 * tls_fault: one line that says why certificates, keys or settings of TLS did not do,
 * with OpenSSL's reason. Owner: the caller's storage. Thread: owner. Never allocates.
 */
#ifndef EVENPOST_NET_TLS_FAULT_H
#define EVENPOST_NET_TLS_FAULT_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

#define TLS_FAULT_MAX 512

struct tls_fault {
	char text[TLS_FAULT_MAX]; /* cut where it is longer */
};

/* Returns the status, so that a failure is said and returned in one line. */
enum status
tls_fault_set(struct tls_fault *fault, enum status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * OpenSSL's words for why the last call of this thread failed; its queue of errors is
 * empty after that. Valid until the next call.
 */
const char *tls_reason(void);

#endif
