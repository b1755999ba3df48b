/*
 * status: the ways in which the world can spoil something. A function that
 * returns one must have its value checked.
 * Thread: any.
 */
#ifndef EVENPOST_BASE_STATUS_H
#define EVENPOST_BASE_STATUS_H

enum status {
	STATUS_OK,
	STATUS_AGAIN, /* would block: come back when the kernel says so */
	STATUS_END,   /* the peer ended its side */
	STATUS_FULL,  /* a cap was reached */
	STATUS_NO_MEMORY,
	STATUS_INVALID, /* malformed input */
	STATUS_NOT_FOUND,
	STATUS_TIMEOUT,
	STATUS_REFUSED, /* connection refused or reset before it was made */
	STATUS_LOST,    /* a connection that had been made is gone */
	STATUS_DENIED,  /* permission */
	STATUS_SYSTEM,  /* any other refusal of the system; errno tells */
	STATUS_COUNT
};

#define MUST_CHECK __attribute__((warn_unused_result))

/* A short name in lower case, for logs: "refused", "timeout". */
const char *status_name(enum status status);

#endif
