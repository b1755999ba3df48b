/*
 * metrics: the page that Prometheus reads. Names and labels are a contract; no label is
 * ever an address, a sender or a recipient. Where a message found no server, the label
 * server is "-". Thread: control. Allocates in the text.
 */
#ifndef EVENPOST_ADMIN_METRICS_H
#define EVENPOST_ADMIN_METRICS_H

#include "admin/view.h"
#include "base/buffer.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

MUST_CHECK enum status metrics_print(const struct view *view, struct buffer *text);

#endif
