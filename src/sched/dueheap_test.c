#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "sched/dueheap.h"

struct thing {
	struct due due; /* first: the heap's node is the thing */
	int number;
};

static bool smaller(const struct due *a, const struct due *b)
{
	return ((const struct thing *)a)->number < ((const struct thing *)b)->number;
}

#define N 500

static void check(const struct dueheap *h, const struct thing *all)
{
	const struct thing *best = NULL;

	for (int i = 0; i < N; i++)
		if (all[i].due.at >= 0 && (best == NULL || all[i].due.at < best->due.at))
			best = &all[i]; /* of equal ones the first has the smaller number */
	assert_ptr_equal(dueheap_first(h), best);
}

/* Against a search through all of them; -1 stands for "not in the heap". */
static void the_earliest_is_first(void **state)
{
	static struct thing all[N];
	struct dueheap h = { .before = smaller };

	(void)state;
	srand(42);
	for (int i = 0; i < N; i++)
		all[i] = (struct thing){ { -1, 0 }, i };
	for (int step = 0; step < 20000; step++) {
		struct thing *t = &all[rand() % N];

		if (t->due.at < 0) {
			t->due.at = rand() % 100;
			dueheap_add(&h, &t->due);
		} else if (rand() % 2) {
			dueheap_take(&h, &t->due);
			t->due.at = -1;
		} else {
			dueheap_move(&h, &t->due, rand() % 100);
		}
		if (step % 1000 == 0) {
			for (int i = 0; i < N; i++)
				all[i].due.at = all[i].due.at < 0 ? -1 : rand() % 100;
			dueheap_order(&h);
		}
		check(&h, all);
	}
	for (int i = 0; i < N; i++)
		if (all[i].due.at >= 0)
			dueheap_take(&h, &all[i].due);
	assert_null(dueheap_first(&h));
	assert_null(h.nodes);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_earliest_is_first) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
