#include "net/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* Taken from the kernel at once: bounds how long timers and deferred tasks wait. */
#define EVENTS_PER_ROUND 256

uint64_t
loop_microseconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static int64_t
milliseconds_now(void)
{
	return (int64_t)(loop_microseconds() / 1000);
}

static void
wake_ready(struct loop_source *source)
{
	struct loop *loop = source->loop;
	uint64_t count;

	source->ready = 0;
	/* level-triggered: were it not read, the loop would be told again and again */
	if (read(loop->wake, &count, sizeof(count)) < 0)
		return;
	if (loop->on_wake)
		loop->on_wake(loop);
}

enum status
loop_open(struct loop *loop)
{
	*loop = (struct loop){.now = milliseconds_now()};
	list_init(&loop->tasks);
	timer_wheel_init(&loop->timers, loop->now);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	loop->events = calloc(EVENTS_PER_ROUND, sizeof(*loop->events));
	if (loop->epoll >= 0 && loop->wake >= 0 && loop->events &&
	    !loop_add_level(loop, &loop->wake_source, loop->wake, wake_ready))
		return STATUS_OK;

	enum status status = loop->events ? STATUS_SYSTEM : STATUS_NO_MEMORY;
	loop_close(loop);
	return status;
}

void
loop_close(struct loop *loop)
{
	int saved = errno;

	LIST_EACH (&loop->tasks, at)
		list_remove(at);
	loop_remove(&loop->wake_source);
	if (loop->wake >= 0)
		close(loop->wake);
	if (loop->epoll >= 0)
		close(loop->epoll);
	free(loop->events);
	loop->events = NULL;
	loop->epoll = loop->wake = -1;
	errno = saved;
}

static enum status
source_register(struct loop *loop, struct loop_source *source, int fd,
		loop_ready *on_ready, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	assert(fd >= 0 && on_ready);
	*source = (struct loop_source){.fd = -1};
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return errno == ENOMEM ? STATUS_NO_MEMORY : STATUS_SYSTEM;
	*source = (struct loop_source){.fd = fd, .on_ready = on_ready, .loop = loop};
	return STATUS_OK;
}

enum status
loop_add(struct loop *loop, struct loop_source *source, int fd, loop_ready *on_ready)
{
	return source_register(loop, source, fd, on_ready,
			       EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

enum status
loop_add_level(struct loop *loop, struct loop_source *source, int fd,
	       loop_ready *on_ready)
{
	return source_register(loop, source, fd, on_ready, EPOLLIN);
}

/* The kernel may have reported it in this round already: its memory may be gone by
 * then. */
static void
source_strike(struct loop *loop, const struct loop_source *source)
{
	for (int at = loop->event_at; at < loop->event_count; at++) {
		if (loop->events[at].data.ptr == source)
			loop->events[at].data.ptr = NULL;
	}
}

void
loop_remove(struct loop_source *source)
{
	if (!source->loop)
		return;
	/* fails only where the fd was closed too early: the caller's fault */
	int failed = epoll_ctl(source->loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	assert(!failed);
	source_strike(source->loop, source);
	source->fd = -1;
	source->ready = 0;
	source->loop = NULL;
}

static unsigned
ready_from_events(uint32_t events)
{
	unsigned ready = 0;

	if (events & EPOLLIN)
		ready |= LOOP_READABLE;
	if (events & EPOLLOUT)
		ready |= LOOP_WRITABLE;
	/* an end or an error is learnt by reading; a writer must hear of it too */
	if (events & (EPOLLHUP | EPOLLERR))
		ready |= LOOP_HUNG_UP | LOOP_READABLE | LOOP_WRITABLE;
	if (events & EPOLLRDHUP)
		ready |= LOOP_HUNG_UP | LOOP_READABLE;
	return ready;
}

static void
loop_dispatch(struct loop *loop)
{
	while (loop->event_at < loop->event_count) {
		const struct epoll_event *event = &loop->events[loop->event_at++];
		struct loop_source *source = event->data.ptr;

		if (!source)
			continue;
		source->ready |= ready_from_events(event->events);
		source->on_ready(source);
	}
	loop->event_at = loop->event_count = 0;
}

static void
loop_run_tasks(struct loop *loop)
{
	list_append(&loop->tasks, &loop->mark);
	while (list_first(&loop->tasks) != &loop->mark) {
		struct loop_task *task =
			CONTAINER_OF(list_first(&loop->tasks), struct loop_task, link);

		list_remove(&task->link);
		task->run(task);
	}
	list_remove(&loop->mark);
}

static int
loop_wait_time(const struct loop *loop, int max)
{
	if (loop->stopping || !list_is_empty(&loop->tasks))
		return 0;
	return timer_wheel_wait(&loop->timers, milliseconds_now(), max);
}

void
loop_round(struct loop *loop, int max_wait_ms)
{
	int count = epoll_wait(loop->epoll, loop->events, EVENTS_PER_ROUND,
			       loop_wait_time(loop, max_wait_ms));

	assert(count >= 0 || errno == EINTR);
	loop->now = milliseconds_now();
	loop->event_at = 0;
	loop->event_count = count > 0 ? count : 0;
	loop_dispatch(loop);
	timer_wheel_advance(&loop->timers, loop->now);
	loop_run_tasks(loop);
}

void
loop_run(struct loop *loop)
{
	while (!loop->stopping)
		loop_round(loop, INT_MAX);
	loop->stopping = false;
}

void
loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

void
loop_wake(struct loop *loop)
{
	int saved = errno; /* a signal handler's caller looks at it */
	const uint64_t one = 1;
	/* it fails only when the counter is full, and then the loop will wake anyway */
	ssize_t written = write(loop->wake, &one, sizeof(one));

	(void)written;
	errno = saved;
}

void
loop_defer(struct loop *loop, struct loop_task *task)
{
	if (!list_is_linked(&task->link))
		list_append(&loop->tasks, &task->link);
}

void
loop_undefer(struct loop_task *task)
{
	list_remove(&task->link);
}

void
loop_timer_start(struct loop *loop, struct timer *timer, int64_t delay)
{
	timer_start_at(&loop->timers, timer, loop->now + delay);
}

void
loop_timer_stop(struct loop *loop, struct timer *timer)
{
	timer_stop(&loop->timers, timer);
}
