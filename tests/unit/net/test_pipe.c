/* Pipes: what the pool keeps, what it closes, and the day there is no descriptor. */
#include "net/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>
/* cmocka wants the above first */
#include <cmocka.h>

static struct pipe_pool pool;

static int
setup(void **state)
{
	(void)state;
	pipe_pool_init(&pool, 2);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	pipe_pool_fini(&pool);
	return 0;
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static struct pipe *
take(void)
{
	struct pipe *pipe = pipe_take(&pool);

	assert_non_null(pipe);
	return pipe;
}

static void
a_pipe_is_empty_and_does_not_block(void **state)
{
	struct pipe *pipe = take();
	char byte;

	(void)state;
	assert_int_equal(pipe->held, 0);
	assert_int_equal(read(pipe->read_end, &byte, 1), -1);
	assert_int_equal(errno, EAGAIN);
	assert_true(fcntl(pipe->read_end, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(pipe->write_end, F_GETFD) & FD_CLOEXEC);
	pipe_put(&pool, pipe);
}

static void
its_capacity_is_the_kernels(void **state)
{
	struct pipe *pipe = take();

	(void)state;
	assert_true(pipe->capacity > 0);
	assert_int_equal(pipe->capacity, fcntl(pipe->read_end, F_GETPIPE_SZ));
	pipe_put(&pool, pipe);
}

static void
an_emptied_one_is_taken_again(void **state)
{
	struct pipe *pipe = take();
	int fd = pipe->read_end;

	(void)state;
	pipe_put(&pool, pipe);
	assert_int_equal(pool.spare_count, 1);
	assert_true(is_open(fd));
	assert_ptr_equal(take(), pipe);
	assert_int_equal(pool.spare_count, 0);
	pipe_put(&pool, pipe);
}

static void
one_with_bytes_is_closed(void **state)
{
	struct pipe *pipe = take();
	int fds[] = {pipe->read_end, pipe->write_end};

	(void)state;
	assert_int_equal(write(pipe->write_end, "x", 1), 1);
	pipe->held = 1;
	pipe_put(&pool, pipe);
	assert_int_equal(pool.spare_count, 0);
	assert_false(is_open(fds[0]));
	assert_false(is_open(fds[1]));
}

static void
the_pool_is_bounded(void **state)
{
	struct pipe *pipes[] = {take(), take(), take()};
	int last = pipes[2]->write_end;

	(void)state;
	for (int i = 0; i < 3; i++)
		pipe_put(&pool, pipes[i]);
	assert_int_equal(pool.spare_count, 2);
	assert_false(is_open(last));
}

static void
the_end_of_the_pool_closes_all(void **state)
{
	struct pipe *pipe = take();
	int fd = pipe->write_end;

	(void)state;
	pipe_put(&pool, pipe);
	pipe_pool_fini(&pool);
	assert_false(is_open(fd));
	pipe_pool_init(&pool, 2);
}

static void
nothing_is_put_back(void **state)
{
	(void)state;
	pipe_put(&pool, NULL);
	assert_int_equal(pool.spare_count, 0);
}

static void
without_descriptors_there_is_none(void **state)
{
	struct pipe *spare = take();
	struct rlimit before;
	struct rlimit none;

	(void)state;
	pipe_put(&pool, spare);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_ptr_equal(pipe_take(&pool), spare);
	assert_null(pipe_take(&pool));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(pool.pipes.used, 1);
	pipe_put(&pool, spare);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_pipe_is_empty_and_does_not_block),
		TEST(its_capacity_is_the_kernels),
		TEST(an_emptied_one_is_taken_again),
		TEST(one_with_bytes_is_closed),
		TEST(the_pool_is_bounded),
		TEST(the_end_of_the_pool_closes_all),
		TEST(nothing_is_put_back),
		TEST(without_descriptors_there_is_none),
	};

	return cmocka_run_group_tests_name("pipe", tests, NULL, NULL);
}
