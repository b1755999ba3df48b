/*
 * loop: readiness, time and deferred work for one thread. Sources are edge-triggered
 * and registered once, for reading and writing; what is ready is remembered in the
 * source until its owner has met EAGAIN, so that a paused peer costs no system call.
 * Owner: one thread. Thread: owner, except loop_wake(). Allocates in loop_open() alone.
 *
 * In one round: wait, sources, timers, deferred tasks (those deferred meanwhile run in
 * the next round, which then does not wait). A source removed in a round is not called
 * again, even when the kernel has already reported it.
 */
#ifndef EVENPOST_NET_LOOP_H
#define EVENPOST_NET_LOOP_H

#include "base/list.h"
#include "base/status.h"
#include "net/timer.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	LOOP_READABLE = 1,
	LOOP_WRITABLE = 2,
	LOOP_HUNG_UP = 4, /* the peer ended its side, or an error waits to be read */
};

struct loop;
struct loop_source;
typedef void loop_ready(struct loop_source *source);

struct loop_source {
	int fd;         /* -1: not in a loop */
	unsigned ready; /* LOOP_READABLE …; the owner clears what it has used up */
	loop_ready *on_ready;
	struct loop *loop;
};

struct loop_task {
	struct list link;
	void (*run)(struct loop_task *task);
};

struct loop {
	int epoll;
	int wake;    /* eventfd */
	int64_t now; /* milliseconds, monotonic, taken once a round */
	struct timer_wheel timers;
	struct list tasks;
	struct list mark; /* among the tasks: behind it, those of the next round */
	struct loop_source wake_source;
	void (*on_wake)(struct loop *loop); /* may be NULL */
	bool stopping;
	/* the round in progress, so that removed sources can be struck out */
	struct epoll_event *events;
	int event_count;
	int event_at;
};

MUST_CHECK enum status loop_open(struct loop *loop);
void loop_close(struct loop *loop);

/* Runs rounds until loop_stop(). */
void loop_run(struct loop *loop);
/* One round that waits at most this long; for tests and tools. */
void loop_round(struct loop *loop, int max_wait_ms);
/* From the loop's own thread. From another: post to a mailbox, or loop_wake(). */
void loop_stop(struct loop *loop);
/* Thread: any, and signal handlers. Makes the loop call on_wake soon. */
void loop_wake(struct loop *loop);

/* Microseconds, monotonic, read from the clock now: for measuring. */
uint64_t loop_microseconds(void);

/* The source watches fd, edge-triggered, until it is removed. The fd stays the
 * caller's. */
MUST_CHECK enum status
loop_add(struct loop *loop, struct loop_source *source, int fd, loop_ready *on_ready);
/* For listening sockets: level-triggered, EPOLLIN alone. */
MUST_CHECK enum status loop_add_level(struct loop *loop, struct loop_source *source,
				      int fd, loop_ready *on_ready);
/* Before the fd is closed. Does nothing to a source that is in no loop. */
void loop_remove(struct loop_source *source);

/* Runs at the end of this round. Does nothing to a task that already waits. */
void loop_defer(struct loop *loop, struct loop_task *task);
void loop_undefer(struct loop_task *task);

/* delay in milliseconds from the round's now. */
void loop_timer_start(struct loop *loop, struct timer *timer, int64_t delay);
void loop_timer_stop(struct loop *loop, struct timer *timer);

#endif
