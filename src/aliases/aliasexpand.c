#include "aliases/aliasexpand.h"

#include <search.h>
#include <stdlib.h>

#include "base/mem.h"

#define USABLE_ADDRESS_MAX 899 /* of an instruction; longer ones are ignored */
#define TEXT_MAX (512u << 20)

struct expansion {
	const struct alias_source *source;
	struct alias_expansion *result;
	struct buf key;
	struct buf todo;      /* NUL-ended instructions; the last is the next */
	void *seen;           /* tree of C strings */
	struct addresses met; /* final recipients, the last first */
	bool cut, acted;      /* something came up again; a program was run */
};

static bool find(struct expansion *x, char kind, struct str address, bool *found, struct str *data, struct err *e)
{
	alias_key(&x->key, kind, address);
	return x->source->find(x->source->ctx, buf_str(&x->key), found, data, e);
}

/* "user@host", else "@host", else "user@". */
static bool find_wild(struct expansion *x, char kind, struct str address, bool *found, struct str *data, struct err *e)
{
	size_t at = str_rchr(address, '@');

	if (!find(x, kind, address, found, data, e))
		return false;
	if (!*found && at < address.n && !find(x, kind, str_from(address, at), found, data, e))
		return false;
	return *found || at == address.n || find(x, kind, str_head(address, at + 1), found, data, e);
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* An owned copy that is in the tree, or NULL when it was there before. */
static char *note(struct expansion *x, struct str instruction)
{
	char *copy = mem_copy(instruction), **kept = tsearch(copy, &x->seen, compare);

	if (kept == NULL)
		abort();
	if (*kept == copy)
		return copy;
	free(copy);
	x->cut = true;
	return NULL;
}

/* Takes the last instruction; NULL when it was seen before. */
static char *pop(struct expansion *x)
{
	struct str all = str_head(buf_str(&x->todo), x->todo.n - 1);
	size_t before = str_rchr(all, 0), start = before == all.n ? 0 : before + 1;
	char *instruction = note(x, str_from(all, start));

	buf_truncate(&x->todo, start);
	return instruction;
}

/* Commands are run in the order in which they stand; all else waits for its turn. */
static bool push(struct expansion *x, struct str instructions, struct err *e)
{
	while (instructions.n) {
		struct str instruction;

		/* A last one without its NUL counts. */
		str_cut(instructions, 0, &instruction, &instructions);
		if (instruction.n == 0)
			continue;
		if (*instruction.p == '|' || *instruction.p == '!') {
			x->acted = true;
			if (!x->source->program(x->source->ctx, instruction, e))
				return false;
			continue;
		}
		buf_add(&x->todo, instruction);
		buf_addc(&x->todo, 0);
	}
	return buf_ok(&x->todo) || err_temp(e, "the alias has too many recipients");
}

/* An alias with an owner of its own is left to its own delivery, so that its owner counts. */
static bool expand_address(struct expansion *x, struct str address, struct err *e)
{
	bool owned, found = false;
	struct str data;

	if (address.n == 0 || address.n > USABLE_ADDRESS_MAX)
		return true;
	if (!find(x, '?', address, &owned, &data, e) || (!owned && !find(x, ':', address, &found, &data, e)))
		return false;
	if (found)
		return push(x, data, e);
	addresses_add(&x->met, address);
	return true;
}

static bool expand_list(struct expansion *x, const char *path, struct err *e)
{
	struct buf content = BUF_INIT(TEXT_MAX);
	bool ok = x->source->list(x->source->ctx, path, &content, e) && push(x, buf_str(&content), e);

	buf_free(&content);
	return ok;
}

static bool follow(struct expansion *x, const char *instruction, struct err *e)
{
	switch (*instruction) {
	case '&':
		return expand_address(x, str_of(instruction + 1), e);
	case '/':
	case '.':
		return expand_list(x, instruction, e);
	}
	return err_temp(e, "bad instruction in the alias database: %.100s", instruction);
}

static bool follow_all(struct expansion *x, struct err *e)
{
	while (x->todo.n) {
		const char *instruction = pop(x);

		if (instruction && !follow(x, instruction, e))
			return false;
	}
	/* Otherwise the message would vanish without a word. */
	if (x->cut && !x->acted && x->met.n == 0)
		return err_perm(e, "This alias leads only to itself. (#5.4.6)");
	return true;
}

static bool replace_sender(struct expansion *x, struct str recipient, struct err *e)
{
	struct str sender = buf_str(&x->result->sender), owner;
	bool found;

	if (sender.n == 0 || str_eq(sender, STR("#@[]")))
		return true;
	if (!find_wild(x, '?', recipient, &found, &owner, e))
		return false;
	if (found) {
		buf_clear(&x->result->sender);
		buf_add(&x->result->sender, owner);
	}
	return true;
}

bool alias_expand(const struct alias_source *source, struct str recipient, struct alias_expansion *result,
		  struct err *e)
{
	struct expansion x = { .source = source,
			       .result = result,
			       .key = BUF_INIT(TEXT_MAX),
			       .todo = BUF_INIT(TEXT_MAX),
			       .met = ADDRESSES_INIT };
	struct str data;
	bool ok = replace_sender(&x, recipient, e) && find_wild(&x, ':', recipient, &result->found, &data, e);

	if (ok && result->found)
		ok = push(&x, data, e) && follow_all(&x, e);
	while (ok && x.met.n) {
		addresses_add(&result->final, addresses_get(&x.met, x.met.n - 1));
		addresses_truncate(&x.met, x.met.n - 1);
	}
	addresses_free(&x.met);
	tdestroy(x.seen, free);
	buf_free(&x.key);
	buf_free(&x.todo);
	return ok;
}
