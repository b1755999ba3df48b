/*
 * chance: numbers that look random and come again with the same seed (splitmix64). Each
 * who acts in a test has its own, so that what one does not disturb the others.
 * Owner: the struct it is embedded in. Thread: owner. Never allocates.
 */
#ifndef EVENPOST_TESTS_CHANCE_H
#define EVENPOST_TESTS_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

struct chance {
	uint64_t state;
};

static inline uint64_t
chance_next(struct chance *chance)
{
	uint64_t x = chance->state += 0x9e3779b97f4a7c15u;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/* Another's generator, derived from this one. */
static inline struct chance
chance_fork(struct chance *chance)
{
	return (struct chance){chance_next(chance)};
}

/* 0 to limit - 1. */
static inline uint32_t
chance_below(struct chance *chance, uint32_t limit)
{
	return (uint32_t)(chance_next(chance) >> 32) % limit;
}

/* True once in that many times; never for 0. */
static inline bool
chance_once_in(struct chance *chance, uint32_t times)
{
	return times && chance_below(chance, times) == 0;
}

#endif
