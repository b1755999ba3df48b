#include "net/timer.h"

#include <assert.h>

/*
 * A timer lies in the level of the highest digit (base 64) in which its due tick and
 * the wheel's tick differ. So all of a level is due before anything of the level above
 * it, a level's slots are due in the order of their numbers, and the earliest slot is
 * found with one bit scan a level; idle time is skipped, however long. The topmost
 * level alone is a ring: what is due beyond its end waits in its last slot and is
 * placed again there.
 */
enum {
	DIGIT_BITS = 6,
	DIGIT_MASK = TIMER_SLOTS - 1,
	TOP = TIMER_LEVELS - 1,
};
#define HORIZON ((int64_t)1 << (DIGIT_BITS * TIMER_LEVELS))

static_assert(TIMER_SLOTS == 1 << DIGIT_BITS, "a slot is a digit");

/* The first tick that is not before the given time. */
static int64_t
tick_after(int64_t milliseconds)
{
	return milliseconds / TIMER_TICK + (milliseconds % TIMER_TICK > 0);
}

static unsigned
level_of(int64_t tick, int64_t due)
{
	uint64_t difference = (uint64_t)(tick ^ due);
	unsigned level;

	if (!difference)
		return 0;
	level = (63 - (unsigned)__builtin_clzll(difference)) / DIGIT_BITS;
	return level < TOP ? level : TOP;
}

static void
slot_add(struct timer_wheel *wheel, struct timer *timer, int64_t tick)
{
	unsigned level = level_of(wheel->tick, tick);
	unsigned slot = (unsigned)(tick >> (DIGIT_BITS * level)) & DIGIT_MASK;

	list_append(&wheel->slots[level][slot], &timer->link);
	wheel->occupied[level] |= (uint64_t)1 << slot;
}

/* earliest: the first tick that will do, for what is overdue. */
static void
timer_place(struct timer_wheel *wheel, struct timer *timer, int64_t earliest)
{
	int64_t tick = tick_after(timer->due);

	if (tick < earliest)
		tick = earliest;
	if (tick - wheel->tick >= HORIZON)
		tick = wheel->tick + HORIZON - 1;
	slot_add(wheel, timer, tick);
}

static void
timer_unplace(struct timer_wheel *wheel, struct timer *timer)
{
	struct list *neighbour = timer->link.next;

	list_remove(&timer->link);
	/* a neighbour that is left alone is the slot's head */
	if (list_is_empty(neighbour)) {
		size_t index = (size_t)(neighbour - &wheel->slots[0][0]);

		wheel->occupied[index / TIMER_SLOTS] &=
			~((uint64_t)1 << index % TIMER_SLOTS);
	}
}

void
timer_wheel_init(struct timer_wheel *wheel, int64_t now)
{
	*wheel = (struct timer_wheel){.tick = now / TIMER_TICK};
	for (unsigned level = 0; level < TIMER_LEVELS; level++)
		for (unsigned slot = 0; slot < TIMER_SLOTS; slot++)
			list_init(&wheel->slots[level][slot]);
}

void
timer_start_at(struct timer_wheel *wheel, struct timer *timer, int64_t due)
{
	assert(timer->expired);
	timer_stop(wheel, timer);
	timer->due = due;
	/* not the tick being done: who restarts himself would hold it up */
	timer_place(wheel, timer, wheel->tick + 1);
	wheel->running++;
}

void
timer_stop(struct timer_wheel *wheel, struct timer *timer)
{
	if (!timer_is_running(timer))
		return;
	timer_unplace(wheel, timer);
	wheel->running--;
}

struct slot_found {
	unsigned level;
	unsigned slot;
	int64_t tick; /* at which the slot begins */
};

/* The slot of a level that comes next, counted from the wheel's own position. */
static struct slot_found
level_next(const struct timer_wheel *wheel, unsigned level)
{
	unsigned shift = DIGIT_BITS * level;
	/* higher levels are done with their current slot, the lowest may not be */
	unsigned skipped = level == 0 ? 0 : 1;
	unsigned from = ((unsigned)(wheel->tick >> shift) + skipped) & DIGIT_MASK;
	uint64_t bits = wheel->occupied[level];
	uint64_t turned = from ? bits >> from | bits << (TIMER_SLOTS - from) : bits;
	unsigned distance = (unsigned)__builtin_ctzll(turned);

	return (struct slot_found){
		.level = level,
		.slot = (from + distance) & DIGIT_MASK,
		.tick = ((wheel->tick >> shift) + skipped + distance) << shift,
	};
}

static bool
wheel_next(const struct timer_wheel *wheel, struct slot_found *found)
{
	for (unsigned level = 0; level < TIMER_LEVELS; level++) {
		if (wheel->occupied[level]) {
			*found = level_next(wheel, level);
			return true;
		}
	}
	return false;
}

/*
 * The wheel has come to the begin of a slot of a higher level: its timers move on, and
 * none of them can come back to the slot, for that is a whole turn away.
 */
static void
slot_cascade(struct timer_wheel *wheel, const struct slot_found *found)
{
	struct list *slot = &wheel->slots[found->level][found->slot];
	struct list *first;

	while ((first = list_first(slot))) {
		struct timer *timer = CONTAINER_OF(first, struct timer, link);

		timer_unplace(wheel, timer);
		timer_place(wheel, timer, wheel->tick);
	}
}

static void
slot_fire(struct timer_wheel *wheel, const struct slot_found *found)
{
	struct list *slot = &wheel->slots[0][found->slot];
	struct list *first;

	while ((first = list_first(slot))) {
		struct timer *timer = CONTAINER_OF(first, struct timer, link);

		timer_stop(wheel, timer);
		timer->expired(timer);
	}
}

void
timer_wheel_advance(struct timer_wheel *wheel, int64_t now)
{
	int64_t target = now / TIMER_TICK;
	struct slot_found found;

	while (wheel_next(wheel, &found) && found.tick <= target) {
		wheel->tick = found.tick;
		if (found.level == 0)
			slot_fire(wheel, &found);
		else
			slot_cascade(wheel, &found);
	}
	if (wheel->tick < target)
		wheel->tick = target;
}

int
timer_wheel_wait(const struct timer_wheel *wheel, int64_t now, int max)
{
	struct slot_found found;
	int64_t wait;

	if (!wheel_next(wheel, &found))
		return max;
	wait = found.tick * TIMER_TICK - now;
	if (wait < 0)
		return 0;
	return wait < max ? (int)wait : max;
}
