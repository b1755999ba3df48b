/* Timers: each is fired in its tick, whatever happens around it. */
#include "net/timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>

#define DAYS (INT64_C(24) * 3600 * 1000)

struct row {
	const char *name;
	int64_t start; /* the clock when the timer is started */
	int64_t due;
	int64_t fires; /* the first millisecond at which it fires */
};

static const struct row rows[] = {
	{"on a tick, fires on it", 0, 80, 80},
	{"between two ticks, fires on the later one", 0, 81, 88},
	{"never early", 0, 87, 88},
	{"due now, fires on the next tick", 80, 80, 88},
	{"due in the past, fires on the next tick", 80, 3, 88},
	{"due in the past, across the end of a slot", 63 * 8, 3, 64 * 8},
	{"last slot of the lowest level", 0, 63 * 8, 63 * 8},
	{"first of the second level", 0, 64 * 8, 64 * 8},
	{"second level, begin of a slot", 8, 128 * 8, 128 * 8},
	{"second level, end of a slot", 8, 127 * 8, 127 * 8},
	{"third level", 4095 * 8, 4096 * 8 + 5, 4097 * 8},
	{"a whole turn of the lowest level", 17 * 8, (17 + 64) * 8, (17 + 64) * 8},
	{"five minutes", 12345, 312345, 312352},
	{"thirty days", 12345, 30 * DAYS + 1, 30 * DAYS + 8},
	{"end of the topmost level", 98 * DAYS, 100 * DAYS, 100 * DAYS},
	{"beyond the horizon", 8, 400 * DAYS, 400 * DAYS},
	{"several turns beyond", 77, 4000 * DAYS, 4000 * DAYS},
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static unsigned fired;

static void
count_fired(struct timer *timer)
{
	(void)timer;
	fired++;
}

static void
timer_fires_when_due(void **state)
{
	const struct row *row = *state;
	struct timer_wheel wheel;
	struct timer timer;

	fired = 0;
	timer_wheel_init(&wheel, row->start);
	timer_init(&timer, count_fired);
	timer_start_at(&wheel, &timer, row->due);
	timer_wheel_advance(&wheel, row->fires - 1);
	assert_int_equal(fired, 0);
	assert_true(timer_is_running(&timer));
	timer_wheel_advance(&wheel, row->fires);
	assert_int_equal(fired, 1);
	assert_false(timer_is_running(&timer));
	timer_wheel_advance(&wheel, row->fires + 10 * DAYS);
	assert_int_equal(fired, 1);
}

/* Sleeping as long as the wheel says, one comes to the timer in few steps and not late.
 */
static void
wait_leads_to_the_timer(void **state)
{
	const struct row *row = *state;
	struct timer_wheel wheel;
	struct timer timer;
	int64_t now = row->start;
	int steps = 0;

	fired = 0;
	timer_wheel_init(&wheel, now);
	timer_init(&timer, count_fired);
	timer_start_at(&wheel, &timer, row->due);
	while (!fired) {
		now += timer_wheel_wait(&wheel, now, INT32_MAX);
		timer_wheel_advance(&wheel, now);
		assert_true(++steps < 300);
	}
	assert_int_equal(now, row->fires);
	assert_int_equal(timer_wheel_wait(&wheel, now, 1234), 1234);
}

static void
wait_is_capped(void **state)
{
	struct timer_wheel wheel;
	struct timer timer;

	(void)state;
	timer_wheel_init(&wheel, 1024);
	timer_init(&timer, count_fired);
	assert_int_equal(timer_wheel_wait(&wheel, 1024, 77), 77);
	timer_start_at(&wheel, &timer, 100 * DAYS);
	assert_int_equal(timer_wheel_wait(&wheel, 1024, 77), 77);
	timer_start_at(&wheel, &timer, 1064);
	assert_int_equal(timer_wheel_wait(&wheel, 1024, 77), 40);
	assert_int_equal(timer_wheel_wait(&wheel, 2000, 77), 0);
	timer_stop(&wheel, &timer);
	assert_int_equal(timer_wheel_wait(&wheel, 2000, 77), 77);
}

struct owner {
	struct timer timer;
};

static void
free_owner(struct timer *timer)
{
	fired++;
	free(CONTAINER_OF(timer, struct owner, timer));
}

static void
expiry_may_free_its_timer(void **state)
{
	struct timer_wheel wheel;

	(void)state;
	fired = 0;
	timer_wheel_init(&wheel, 0);
	for (int i = 0; i < 3; i++) {
		struct owner *owner = calloc(1, sizeof(*owner));

		assert_non_null(owner);
		timer_init(&owner->timer, free_owner);
		timer_start_at(&wheel, &owner->timer, 16);
	}
	timer_wheel_advance(&wheel, 16);
	assert_int_equal(fired, 3);
}

/*
 * The model: each timer knows the tick in which it has to fire, and that is the tick
 * the wheel must be at when it does. Expiry functions start and stop timers at random.
 */
#define MODEL_TIMERS 100

struct model_timer {
	struct timer timer;
	int64_t expected; /* tick; -1: not running */
};

static struct timer_wheel wheel;
static struct model_timer model[MODEL_TIMERS];
static uint64_t random_state;
static unsigned model_fired;

/* splitmix64 */
static uint64_t
random_next(void)
{
	uint64_t bits = random_state += 0x9e3779b97f4a7c15;

	bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9;
	bits = (bits ^ bits >> 27) * 0x94d049bb133111eb;
	return bits ^ bits >> 31;
}

/* As many short spans as long ones: up to 2^bits. */
static int64_t
random_span(unsigned bits)
{
	return (int64_t)(random_next() &
			 ((UINT64_C(1) << random_next() % (bits + 1)) - 1));
}

static void
model_start(struct model_timer *started, int64_t due)
{
	int64_t tick = due / TIMER_TICK + (due % TIMER_TICK != 0);

	timer_start_at(&wheel, &started->timer, due);
	started->expected = tick > wheel.tick ? tick : wheel.tick + 1;
}

static void
model_random_operation(int64_t now)
{
	struct model_timer *chosen = &model[random_next() % MODEL_TIMERS];

	if (random_next() % 4) {
		model_start(chosen, now + random_span(36));
	} else {
		timer_stop(&wheel, &chosen->timer);
		chosen->expected = -1;
	}
}

static void
model_expired(struct timer *timer)
{
	struct model_timer *expired = CONTAINER_OF(timer, struct model_timer, timer);

	assert_int_equal(expired->expected, wheel.tick);
	assert_false(timer_is_running(timer));
	expired->expected = -1;
	model_fired++;
	if (random_next() % 2)
		model_random_operation(wheel.tick * TIMER_TICK);
}

/* Nothing that is due was left; the wheel's count and wait agree with the model. */
static void
model_check(int64_t now)
{
	int64_t next = INT64_MAX;
	unsigned running = 0;
	int wait = timer_wheel_wait(&wheel, now, INT32_MAX);

	for (int i = 0; i < MODEL_TIMERS; i++) {
		assert_int_equal(timer_is_running(&model[i].timer),
				 model[i].expected >= 0);
		if (model[i].expected < 0)
			continue;
		assert_true(model[i].expected > wheel.tick);
		running++;
		if (model[i].expected < next)
			next = model[i].expected;
	}
	assert_int_equal(wheel.running, running);
	if (running)
		assert_true(wait > 0 && wait <= next * TIMER_TICK - now);
	else
		assert_int_equal(wait, INT32_MAX);
}

static void
wheel_agrees_with_the_model(void **state)
{
	const uint64_t *seed = *state;
	int64_t now = 987654321;

	random_state = *seed;
	model_fired = 0;
	timer_wheel_init(&wheel, now);
	for (int i = 0; i < MODEL_TIMERS; i++) {
		model[i].expected = -1;
		timer_init(&model[i].timer, model_expired);
	}
	for (int round = 0; round < 20000; round++) {
		for (uint64_t i = random_next() % 4; i > 0; i--)
			model_random_operation(now);
		now += random_span(round % 64 ? 14 : 36);
		timer_wheel_advance(&wheel, now);
		model_check(now);
	}
	assert_true(model_fired > 10000);
}

int
main(void)
{
	static uint64_t seeds[] = {1, 20240229, 0xdeadbeef};
	struct CMUnitTest each[ROW_COUNT * 2];
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wait_is_capped),
		cmocka_unit_test(expiry_may_free_its_timer),
		cmocka_unit_test_prestate(wheel_agrees_with_the_model, &seeds[0]),
		cmocka_unit_test_prestate(wheel_agrees_with_the_model, &seeds[1]),
		cmocka_unit_test_prestate(wheel_agrees_with_the_model, &seeds[2]),
	};

	for (size_t i = 0; i < ROW_COUNT; i++) {
		void *row = (void *)&rows[i];

		each[2 * i] = (struct CMUnitTest){.name = rows[i].name,
						  .test_func = timer_fires_when_due,
						  .initial_state = row};
		each[2 * i + 1] =
			(struct CMUnitTest){.name = rows[i].name,
					    .test_func = wait_leads_to_the_timer,
					    .initial_state = row};
	}
	return cmocka_run_group_tests_name("timer rows", each, NULL, NULL) +
	       cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
