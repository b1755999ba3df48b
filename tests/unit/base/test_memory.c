/* What the layer does when memory is out: nothing is half done, nothing is lost. */
#include "base/arena.h"
#include "base/buffer.h"
#include "base/chain.h"
#include "base/slab.h"
#include "rows.h"

#include <malloc.h>

/* Allocations that still succeed. */
static unsigned allowed;
/* Blocks that were given back and had this in them. */
#define MARK "pa55word"
static unsigned betrayed;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *block);

static bool
spend(void)
{
	return allowed && allowed--;
}

void *
__wrap_malloc(size_t size)
{
	return spend() ? __real_malloc(size) : NULL;
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return spend() ? __real_calloc(count, size) : NULL;
}

void
__wrap_free(void *block)
{
	if (block && memmem(block, malloc_usable_size(block), MARK, strlen(MARK)))
		betrayed++;
	__real_free(block);
}

/* A block grown out of, one emptied, and one cleared. */
static void
leave_marks(struct buffer *buffer)
{
	char bytes[600] = {0};

	allowed = 3;
	assert_int_equal(buffer_print(buffer, "AUTH PLAIN %s", MARK), STATUS_OK);
	assert_int_equal(buffer_append(buffer, span_of(bytes, 600)), STATUS_OK);
	buffer_consume(buffer, buffer_length(buffer));
	assert_int_equal(buffer_append(buffer, SPAN(MARK)), STATUS_OK);
	buffer_clear(buffer);
}

static void
buffer_wipes_secrets(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 4096);
	betrayed = 0;
	leave_marks(&buffer);
	assert_int_equal(betrayed, 3);
	buffer_keep_secret(&buffer);
	leave_marks(&buffer);
	assert_int_equal(betrayed, 3);
}

static void
buffer_keeps_what_it_holds(void **state)
{
	struct buffer buffer;
	char bytes[600] = {0};
	char *room;

	(void)state;
	buffer_init(&buffer, 4096);
	allowed = 1;
	assert_int_equal(buffer_append(&buffer, SPAN("hello")), STATUS_OK);
	assert_int_equal(buffer_append(&buffer, span_of(bytes, 600)), STATUS_NO_MEMORY);
	assert_int_equal(buffer_reserve(&buffer, 600, &room), STATUS_NO_MEMORY);
	assert_int_equal(buffer_print(&buffer, "%600d", 1), STATUS_NO_MEMORY);
	assert_true(span_equals(buffer_span(&buffer), SPAN("hello")));
	buffer_clear(&buffer);
}

static void
empty_buffer_stays_empty(void **state)
{
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 4096);
	allowed = 0;
	assert_int_equal(buffer_append(&buffer, SPAN("hello")), STATUS_NO_MEMORY);
	assert_true(buffer_is_empty(&buffer));
}

static void
chain_takes_all_or_nothing(void **state)
{
	static const char bytes[5 * CHAIN_BLOCK_SIZE];
	struct chain_pool pool;
	struct chain chain;

	(void)state;
	chain_pool_init(&pool, 1);
	chain_init(&chain, &pool);
	allowed = 3;
	assert_int_equal(chain_append(&chain, SPAN("hello")), STATUS_OK);
	assert_int_equal(chain_append(&chain, span_of(bytes, sizeof(bytes))),
			 STATUS_NO_MEMORY);
	assert_int_equal(chain_end(&chain), 5);
	assert_int_equal(pool.used, 1);
	assert_int_equal(pool.blocks.count, 1);
	chain_clear(&chain);
	chain_pool_fini(&pool);
}

static void
arena_keeps_what_it_gave(void **state)
{
	struct arena arena = {0};
	struct span copy;

	(void)state;
	allowed = 1;
	copy = arena_copy(&arena, SPAN("hello"));
	assert_null(arena_take(&arena, 2000));
	assert_non_null(arena_take(&arena, 100));
	assert_true(span_equals(copy, SPAN("hello")));
	arena_reset(&arena);
	assert_null(arena_copy(&arena, SPAN("hello")).at);
	assert_null(arena_string(&arena, SPAN("hello")));
}

static void
slab_gives_null(void **state)
{
	struct slab slab;

	(void)state;
	slab_init(&slab, 10000);
	allowed = 1;
	for (int i = 0; i < 8; i++)
		assert_non_null(slab_take(&slab));
	assert_null(slab_take(&slab));
	assert_int_equal(slab.used, 8);
	slab_fini(&slab);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffer_keeps_what_it_holds),
		cmocka_unit_test(buffer_wipes_secrets),
		cmocka_unit_test(empty_buffer_stays_empty),
		cmocka_unit_test(chain_takes_all_or_nothing),
		cmocka_unit_test(arena_keeps_what_it_gave),
		cmocka_unit_test(slab_gives_null),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
