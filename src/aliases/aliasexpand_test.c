#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "aliases/aliasexpand.h"

struct record {
	struct str key, data;
};

struct world {
	const struct record *records;
	struct buf done; /* programs that were run */
};

static bool find(void *ctx, struct str key, bool *found, struct str *data, struct err *e)
{
	const struct world *w = ctx;

	(void)e;
	*found = false;
	for (const struct record *r = w->records; r->key.n && !*found; r++)
		if (str_eq(r->key, key)) {
			*found = true;
			*data = r->data;
		}
	return true;
}

static bool list(void *ctx, const char *path, struct buf *content, struct err *e)
{
	(void)ctx;
	if (strcmp(path, "/list") != 0)
		return err_temp(e, "no list %s", path);
	buf_add(content, STR("&l1@x\0&l2@x\0/list\0"));
	return true;
}

static bool program(void *ctx, struct str instruction, struct err *e)
{
	struct world *w = ctx;

	if (str_eq(instruction, STR("|fail")))
		return err_perm(e, "failed");
	buf_add(&w->done, instruction);
	buf_addc(&w->done, ';');
	return true;
}

#define R(k, d)                          \
	{                                \
		{ k, sizeof(k) - 1 },    \
		{                        \
			d, sizeof(d) - 1 \
		}                        \
	}

static const struct record records[] = {
	R(":joe@h", "&a@x\0&b@x\0&a@x\0"),
	R(":@wild", "&any@x\0"),
	R(":pm@", "&root@x\0"),
	R(":nest@h", "&joe@h\0&list@h\0"),
	R(":list@h", "/list\0"),
	R("?list@h", "owner@h"),
	R(":loop@h", "&loop2@h\0"),
	R(":loop2@h", "&loop@h\0"),
	R(":prog@h", "|p1\0&c@x\0!p2\0|p1\0"),
	R(":bad@h", "|fail\0"),
	R(":nolist@h", "/other\0"),
	R(":odd@h", "what\0"),
	R(":cut@h", "&a@x"),
	{ { "", 0 }, { "", 0 } },
};

static struct world world;
static struct alias_expansion x;

static bool expand(const char *recipient, const char *sender, struct err *e)
{
	const struct alias_source source = { &world, find, list, program };

	world.records = records;
	buf_clear(&world.done);
	addresses_free(&x.final);
	x = (struct alias_expansion){ .sender = x.sender, .final = ADDRESSES_INIT };
	x.sender.limit = 1000;
	world.done.limit = 1000;
	buf_clear(&x.sender);
	buf_addz(&x.sender, sender);
	return alias_expand(&source, str_of(recipient), &x, e);
}

/* Final addresses separated by spaces. */
static void gives(const char *recipient, const char *want)
{
	struct buf b = BUF_INIT(1000);
	struct err e;

	assert_true(expand(recipient, "s@s", &e));
	assert_true(x.found);
	for (size_t i = 0; i < x.final.n; i++) {
		buf_add(&b, addresses_get(&x.final, i));
		buf_addc(&b, ' ');
	}
	assert_string_equal(buf_cstr(&b), want);
	buf_free(&b);
}

static void looks_up_with_wildcards(void **state)
{
	struct err e;

	(void)state;
	gives("JOE@H", "b@x a@x ");
	gives("other@wild", "any@x ");
	gives("pm@anywhere", "root@x ");
	gives("pm@wild", "any@x ");
	gives("cut@h", "a@x ");
	assert_true(expand("nobody@h", "s@s", &e));
	assert_false(x.found);
	assert_true(expand("pm", "s@s", &e));
	assert_false(x.found);
}

static void owners_take_over(void **state)
{
	struct err e;

	(void)state;
	gives("list@h", "l1@x l2@x ");
	assert_string_equal(buf_cstr(&x.sender), "owner@h");
	/* A list with an owner within another alias is left to a delivery of its own. */
	gives("nest@h", "b@x a@x list@h ");
	assert_string_equal(buf_cstr(&x.sender), "s@s");
	assert_true(expand("list@h", "", &e));
	assert_string_equal(buf_cstr(&x.sender), "");
	assert_true(expand("list@h", "#@[]", &e));
	assert_string_equal(buf_cstr(&x.sender), "#@[]");
}

static void runs_programs(void **state)
{
	struct err e;

	(void)state;
	gives("prog@h", "c@x ");
	assert_string_equal(buf_cstr(&world.done), "|p1;!p2;|p1;");
	assert_false(expand("bad@h", "s@s", &e));
	assert_string_equal(e.text, "failed");
}

static void does_not_lose_mail(void **state)
{
	struct err e;

	(void)state;
	assert_false(expand("loop@h", "s@s", &e));
	assert_int_equal(e.kind, ERR_PERMANENT);
	assert_false(expand("nolist@h", "s@s", &e));
	assert_string_equal(e.text, "no list /other");
	assert_false(expand("odd@h", "s@s", &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(looks_up_with_wildcards),
		cmocka_unit_test(owners_take_over),
		cmocka_unit_test(runs_programs),
		cmocka_unit_test(does_not_lose_mail),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	addresses_free(&x.final);
	buf_free(&x.sender);
	buf_free(&world.done);
	return r;
}
