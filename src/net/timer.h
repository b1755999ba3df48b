/*
 * timer: a hierarchical wheel on its owner's monotonic clock (Varghese and Lauck,
 * 1987). Start, restart and stop are O(1). A timer fires once, never early, at most
 * one tick (TIMER_TICK) late as far as the wheel is concerned.
 * Owner: one loop. Thread: owner. Never allocates: the timer is embedded.
 */
#ifndef EVENPOST_NET_TIMER_H
#define EVENPOST_NET_TIMER_H

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds. */
#define TIMER_TICK 8

struct timer;
typedef void timer_expired(struct timer *timer);

struct timer {
	struct list link;
	int64_t due; /* milliseconds on the wheel's clock; meaningful while it runs */
	timer_expired *expired;
};

#define TIMER_LEVELS 5
#define TIMER_SLOTS 64

struct timer_wheel {
	int64_t tick; /* ticks done */
	uint32_t running;
	uint64_t occupied[TIMER_LEVELS]; /* one bit a slot that is not empty */
	struct list slots[TIMER_LEVELS][TIMER_SLOTS];
};

/* now: milliseconds, monotonic. */
void timer_wheel_init(struct timer_wheel *wheel, int64_t now);

static inline void
timer_init(struct timer *timer, timer_expired *expired)
{
	*timer = (struct timer){.expired = expired};
}

static inline bool
timer_is_running(const struct timer *timer)
{
	return timer->link.next != NULL;
}

/* (Re)starts it: due at the given time in milliseconds on the wheel's clock. */
void timer_start_at(struct timer_wheel *wheel, struct timer *timer, int64_t due);
void timer_stop(struct timer_wheel *wheel, struct timer *timer);

/*
 * Fires all that is due. An expiry function may start and stop any timer, and free the
 * structure around its own.
 */
void timer_wheel_advance(struct timer_wheel *wheel, int64_t now);

/* Milliseconds until the next one may be due, at most max; max when none runs. */
int timer_wheel_wait(const struct timer_wheel *wheel, int64_t now, int max);

#endif
