#include "base/slab.h"
#include "rows.h"

#include <string.h>

struct object {
	char bytes[700];
};

static void
objects_do_not_overlap(void **state)
{
	struct object *objects[200];
	struct slab slab;

	(void)state;
	slab_init(&slab, sizeof(struct object));
	for (int i = 0; i < 200; i++) {
		objects[i] = slab_take(&slab);
		assert_non_null(objects[i]);
		memset(objects[i], i, sizeof(struct object));
	}
	assert_int_equal(slab.used, 200);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(objects[i]->bytes[0], (char)i);
		assert_int_equal(objects[i]->bytes[699], (char)i);
		slab_put(&slab, objects[i]);
	}
	assert_int_equal(slab.used, 0);
	slab_fini(&slab);
}

static void
the_last_put_is_the_next_taken_and_zeroed(void **state)
{
	static const struct object zeros;
	struct object *object;
	struct slab slab;

	(void)state;
	slab_init(&slab, sizeof(struct object));
	object = slab_take(&slab);
	assert_non_null(object);
	memset(object, 'x', sizeof(*object));
	slab_put(&slab, object);
	assert_ptr_equal(slab_take(&slab), object);
	assert_memory_equal(object, &zeros, sizeof(zeros));
	slab_fini(&slab);
}

static void
small_and_large_objects(void **state)
{
	static const size_t sizes[] = {1, 8, 17, 40000};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct slab slab;

		slab_init(&slab, sizes[i]);
		for (int count = 0; count < 20; count++) {
			char *object = slab_take(&slab);

			assert_non_null(object);
			assert_int_equal((uintptr_t)object % _Alignof(max_align_t), 0);
			object[sizes[i] - 1] = 'x';
		}
		slab_fini(&slab);
	}
}

static void
put_of_nothing(void **state)
{
	struct slab slab;

	(void)state;
	slab_init(&slab, 10);
	slab_put(&slab, NULL);
	assert_int_equal(slab.used, 0);
	slab_fini(&slab);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_do_not_overlap),
		cmocka_unit_test(the_last_put_is_the_next_taken_and_zeroed),
		cmocka_unit_test(small_and_large_objects),
		cmocka_unit_test(put_of_nothing),
	};

	return cmocka_run_group_tests_name("slab", tests, NULL, NULL);
}
