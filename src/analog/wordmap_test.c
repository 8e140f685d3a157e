#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "analog/wordmap.h"

static struct str name(char text[16], unsigned i)
{
	snprintf(text, 16, "%u", i);
	return str_of(text);
}

/* Against an array, at random. */
static void finds_what_was_put(void **state)
{
	struct wordmap map = WORDMAP_INIT(((struct hash_key){ 1, 2 }));
	static char values[500];
	bool there[500] = { false };
	char text[16];

	(void)state;
	srandom(7);
	assert_null(wordmap_get(&map, STR("x")));
	assert_null(wordmap_take(&map, STR("x")));
	for (int step = 0; step < 20000; step++) {
		unsigned i = (unsigned)random() % 500;
		struct str word = name(text, i);

		assert_ptr_equal(wordmap_get(&map, word), there[i] ? &values[i] : NULL);
		if (random() % 2) {
			assert_ptr_equal(wordmap_put(&map, word, &values[i]), there[i] ? &values[i] : NULL);
			there[i] = true;
		} else {
			assert_ptr_equal(wordmap_take(&map, word), there[i] ? &values[i] : NULL);
			there[i] = false;
		}
	}
	wordmap_clear(&map, NULL);
	assert_int_equal(map.used, 0);
	assert_null(wordmap_get(&map, STR("1")));
}

static void releases_values(void **state)
{
	struct wordmap map = WORDMAP_INIT(((struct hash_key){ 3, 4 }));

	(void)state;
	assert_null(wordmap_put(&map, STR("a\0b"), malloc(1)));
	assert_null(wordmap_put(&map, STR("a\0c"), malloc(1)));
	assert_int_equal(map.used, 2);
	wordmap_clear(&map, free);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(finds_what_was_put), cmocka_unit_test(releases_values) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
