/* The loop: what is called in which round, and what no more. */
#include "net/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

static struct loop loop;
static char order[16];

/* Appends a letter to what has happened so far. */
static void
note(char letter)
{
	size_t length = strlen(order);

	assert_true(length + 1 < sizeof(order));
	order[length] = letter;
	order[length + 1] = 0;
}

static int
setup(void **state)
{
	(void)state;
	memset(order, 0, sizeof(order));
	return loop_open(&loop);
}

static int
teardown(void **state)
{
	(void)state;
	loop_close(&loop);
	return 0;
}

/* One end of a socket pair in the loop. */
struct end {
	struct loop_source source;
	struct end *removes; /* by its on_ready */
	int fd;
	int other;
	int calls;
};

static void
end_ready(struct loop_source *source)
{
	struct end *end = CONTAINER_OF(source, struct end, source);

	end->calls++;
	if (end->removes)
		loop_remove(&end->removes->source);
}

static void
end_open(struct end *end)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	*end = (struct end){.fd = pair[0], .other = pair[1]};
	assert_int_equal(loop_add(&loop, &end->source, end->fd, end_ready), STATUS_OK);
}

static void
end_close(struct end *end)
{
	loop_remove(&end->source);
	close(end->fd);
	close(end->other);
}

static void
readiness_is_remembered(void **state)
{
	struct end end;

	(void)state;
	end_open(&end);
	loop_round(&loop, 0);
	assert_int_equal(end.source.ready, LOOP_WRITABLE);
	assert_int_equal(write(end.other, "x", 1), 1);
	loop_round(&loop, 0);
	assert_int_equal(end.source.ready, LOOP_READABLE | LOOP_WRITABLE);
	assert_int_equal(end.calls, 2);
	/* edge-triggered: nobody has read, and nobody is told twice */
	loop_round(&loop, 0);
	assert_int_equal(end.calls, 2);
	assert_int_equal(shutdown(end.other, SHUT_WR), 0);
	loop_round(&loop, 0);
	assert_int_equal(end.source.ready,
			 LOOP_READABLE | LOOP_WRITABLE | LOOP_HUNG_UP);
	end_close(&end);
}

static void
level_triggered_sources_are_told_again(void **state)
{
	struct end end;

	(void)state;
	end_open(&end);
	loop_remove(&end.source);
	assert_int_equal(loop_add_level(&loop, &end.source, end.fd, end_ready),
			 STATUS_OK);
	loop_round(&loop, 0);
	assert_int_equal(end.calls, 0);
	assert_int_equal(write(end.other, "x", 1), 1);
	loop_round(&loop, 0);
	loop_round(&loop, 0);
	assert_int_equal(end.calls, 2);
	end_close(&end);
}

static void
a_removed_source_is_not_called(void **state)
{
	struct end a;
	struct end b;

	(void)state;
	end_open(&a);
	end_open(&b);
	a.removes = &b;
	b.removes = &a;
	/* both are reported in this round; whichever is first strikes the other out */
	loop_round(&loop, 0);
	assert_int_equal(a.calls + b.calls, 1);
	end_close(&a);
	end_close(&b);
}

static void
a_source_may_remove_itself(void **state)
{
	struct end end;

	(void)state;
	end_open(&end);
	end.removes = &end;
	loop_round(&loop, 0);
	assert_int_equal(end.calls, 1);
	assert_int_equal(end.source.fd, -1);
	loop_remove(&end.source);
	end_close(&end);
}

static void
a_bad_descriptor_is_refused(void **state)
{
	struct loop_source source;
	int pair[2];

	(void)state;
	assert_int_equal(pipe(pair), 0);
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(loop_add(&loop, &source, pair[0], end_ready), STATUS_SYSTEM);
	assert_int_equal(source.fd, -1);
	loop_remove(&source);
}

struct step {
	struct loop_task task;
	struct step *then;  /* deferred by its run */
	struct step * not ; /* undeferred by its run */
	char letter;
};

static void
step_run(struct loop_task *task)
{
	struct step *step = CONTAINER_OF(task, struct step, task);

	note(step->letter);
	if (step->then)
		loop_defer(&loop, &step->then->task);
	if (step->not )
		loop_undefer(&step->not ->task);
}

static void
deferred_tasks_run_in_order_and_once(void **state)
{
	struct step a = {.task.run = step_run, .letter = 'a'};
	struct step b = {.task.run = step_run, .letter = 'b'};

	(void)state;
	loop_defer(&loop, &a.task);
	loop_defer(&loop, &b.task);
	loop_defer(&loop, &a.task);
	loop_round(&loop, 1000000);
	loop_round(&loop, 0);
	assert_string_equal(order, "ab");
}

static void
what_a_task_defers_runs_in_the_next_round(void **state)
{
	struct step b = {.task.run = step_run, .letter = 'b'};
	struct step a = {.task.run = step_run, .letter = 'a', .then = &b};

	(void)state;
	loop_defer(&loop, &a.task);
	loop_round(&loop, 0);
	assert_string_equal(order, "a");
	/* it does not wait: else this would take a quarter of an hour */
	loop_round(&loop, 1000000);
	assert_string_equal(order, "ab");
}

static void
a_task_may_defer_itself(void **state)
{
	struct step a = {.task.run = step_run, .letter = 'a', .then = &a};

	(void)state;
	loop_defer(&loop, &a.task);
	loop_round(&loop, 0);
	loop_round(&loop, 0);
	assert_string_equal(order, "aa");
	loop_undefer(&a.task);
	loop_round(&loop, 0);
	assert_string_equal(order, "aa");
}

static void
a_task_may_undefer_another(void **state)
{
	struct step c = {.task.run = step_run, .letter = 'c'};
	struct step b = {.task.run = step_run, .letter = 'b'};
	struct step a = {.task.run = step_run, .letter = 'a', .not = &b};

	(void)state;
	loop_defer(&loop, &a.task);
	loop_defer(&loop, &b.task);
	loop_defer(&loop, &c.task);
	loop_round(&loop, 0);
	assert_string_equal(order, "ac");
}

static void
woken(struct loop *woken_loop)
{
	note('w');
	loop_stop(woken_loop);
}

static void
expired(struct timer *timer)
{
	(void)timer;
	note('t');
}

static void
a_round_is_sources_timers_tasks(void **state)
{
	struct step task = {.task.run = step_run, .letter = 'd'};
	struct timer timer;

	(void)state;
	loop.on_wake = woken;
	timer_init(&timer, expired);
	loop_timer_start(&loop, &timer, 0);
	/* the clock passes the timer's tick, so that all three are ready at once */
	while (loop_microseconds() / 1000 < (uint64_t)loop.now + 2 * TIMER_TICK)
		;
	loop_wake(&loop);
	loop_defer(&loop, &task.task);
	loop_round(&loop, 0);
	assert_string_equal(order, "wtd");
}

static void
wake_ends_a_run(void **state)
{
	(void)state;
	loop.on_wake = woken;
	loop_wake(&loop);
	loop_wake(&loop);
	loop_run(&loop);
	assert_string_equal(order, "w");
	/* two wakes in one go were one */
	loop_round(&loop, 0);
	assert_string_equal(order, "w");
}

static void
a_timer_ends_the_wait(void **state)
{
	struct timer timer;

	(void)state;
	timer_init(&timer, expired);
	loop_timer_start(&loop, &timer, 1);
	while (timer_is_running(&timer))
		loop_round(&loop, 1000000);
	assert_string_equal(order, "t");
	loop_timer_start(&loop, &timer, 1000000);
	loop_timer_stop(&loop, &timer);
	assert_false(timer_is_running(&timer));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(readiness_is_remembered),
		TEST(level_triggered_sources_are_told_again),
		TEST(a_removed_source_is_not_called),
		TEST(a_source_may_remove_itself),
		TEST(a_bad_descriptor_is_refused),
		TEST(deferred_tasks_run_in_order_and_once),
		TEST(what_a_task_defers_runs_in_the_next_round),
		TEST(a_task_may_defer_itself),
		TEST(a_task_may_undefer_another),
		TEST(a_round_is_sources_timers_tasks),
		TEST(wake_ends_a_run),
		TEST(a_timer_ends_the_wait),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
