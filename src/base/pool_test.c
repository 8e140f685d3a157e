#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>

#include "base/idtable.h"

struct thing {
	uint64_t id;
	char text[19];
};

#define N 10000

static void objects_are_apart_and_have_numbers(void **state)
{
	static struct thing *things[N];
	struct pool p = POOL_INIT(struct thing);

	(void)state;
	assert_int_equal(p.size, 32);
	for (uint64_t i = 0; i < N; i++) {
		things[i] = pool_new(&p);
		assert_int_equal(things[i]->id, 0);
		*things[i] = (struct thing){ .id = i, .text = "abcdefghijklmnopqr" };
	}
	for (uint32_t i = 0; i < N; i++) {
		assert_int_equal(things[i]->id, i);
		assert_ptr_equal(pool_object(&p, pool_number(&p, things[i])), things[i]);
		assert_true(pool_number(&p, things[i]) > 0);
	}
	/* What is freed is used again, and is zero then. */
	for (int i = 0; i < N; i += 2)
		pool_drop(&p, things[i]);
	for (int i = 0; i < N; i += 2) {
		const struct thing *t = pool_new(&p);

		assert_true(t->id == 0 && t->text[0] == 0 && t->text[18] == 0);
		assert_true(pool_number(&p, t) <= N);
	}
	assert_int_equal(things[1]->id, 1);
	pool_free(&p);
}

static void the_table_keeps_what_is_not_removed(void **state)
{
	struct idtable t = IDTABLE_INIT(struct thing);
	bool present[600] = { 0 };
	uint32_t chance = 1;
	size_t n = 0;

	(void)state;
	assert_null(idtable_find(&t, 1));
	for (int i = 0; i < 40000; i++) {
		uint64_t id;
		struct thing *e;

		chance = chance * 1664525 + 1013904223;
		/* Numbers that collide in the table as often as may be. */
		id = (chance >> 8) % 600;
		e = idtable_find(&t, id * 1024 + 1);
		assert_int_equal(e != NULL, present[id]);
		if (e) {
			assert_int_equal(e->id, id * 1024 + 1);
			idtable_remove(&t, e);
		} else {
			e = idtable_new(&t);
			e->id = id * 1024 + 1;
			idtable_add(&t, e);
		}
		present[id] = !present[id];
	}
	for (uint64_t id = 0; id < 600; id++)
		assert_int_equal(idtable_find(&t, id * 1024 + 1) != NULL, present[id]);
	for (size_t i = 0; i < t.nslots; i++)
		n += idtable_at(&t, i) != NULL;
	assert_int_equal(n, t.n);
	idtable_drop(&t, idtable_new(&t));
	idtable_free(&t);
	assert_null(idtable_find(&t, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_apart_and_have_numbers),
		cmocka_unit_test(the_table_keeps_what_is_not_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
