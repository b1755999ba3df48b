/*
 * view: what the answers are made of. Everything behind it is frozen, atomic, or the
 * control thread's own. Owner: struct admin. Thread: control.
 */
#ifndef EVENPOST_ADMIN_VIEW_H
#define EVENPOST_ADMIN_VIEW_H

#include "health/monitor.h"
#include "net/loop.h"
#include "proxy/tls_set.h"
#include "proxy/worker.h"

struct view {
	const struct proxy *proxy;
	const struct monitor *monitor;
	const struct loop *loop;             /* for its now */
	struct tls_set *tls;                 /* a reference; NULL: none was given yet */
	const struct tls_refusals *refusals; /* likewise; of files that have changed */
	int64_t started;                     /* the process; milliseconds since 1970 */
	bool stopping;
};

/* Relaxed: each counter is right, several of them need not be of one instant. */
static inline uint64_t
view_count(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static inline uint32_t
view_gauge(const _Atomic uint32_t *gauge)
{
	return atomic_load_explicit(gauge, memory_order_relaxed);
}

/* What the listener's sessions have added up to. */
static inline const struct tally *
view_tally(const struct view *view, const struct listener_snapshot *listener)
{
	return &view->proxy->tallies[listener->index];
}

#endif
