/*
 * readiness: whether mail can be served: each server of the pools in use has had a
 * first probe result, each listener has a server that is up and has no fault of its
 * set-up that keeps all mail away (see server_is_barred()), and the program does not
 * stop. Thread: control. Allocates in the text.
 */
#ifndef EVENPOST_ADMIN_READINESS_H
#define EVENPOST_ADMIN_READINESS_H

#include "admin/view.h"
#include "base/buffer.h"

/* One line a check that was made, "[+] …" or "[-] …", and the verdict. */
MUST_CHECK enum status
readiness_print(const struct view *view, struct buffer *text, bool *ready);

#endif
