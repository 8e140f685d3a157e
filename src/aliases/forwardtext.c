#include "aliases/forwardtext.h"

#define WORD_MAX (16u << 20)
#define DATA_MAX (256u << 20)

struct compiler {
	alias_record *record;
	void *ctx;
	bool in_commands;        /* behind the colon */
	struct buf target, word; /* being read */
	struct buf key, data;    /* the instructions of the target so far */
};

/* The word is complete: one command. */
static bool add_command(struct compiler *c, struct err *e)
{
	struct str word = buf_str(&c->word);
	bool ok = true;

	if (word.n == 0)
		return true;
	if (*word.p == '?' && word.n > ALIAS_ADDRESS_MAX) {
		ok = err_perm(e, "addresses over %d bytes are not permitted", ALIAS_ADDRESS_MAX);
	} else if (*word.p == '?') {
		alias_key(&c->key, '?', buf_str(&c->target));
		ok = c->record(c->ctx, buf_str(&c->key), str_from(word, 1), e);
	} else if (*word.p == '|' || *word.p == '!' || *word.p == '/' || *word.p == '.') {
		buf_add(&c->data, word);
		buf_addc(&c->data, 0);
	} else {
		ok = alias_add_address(&c->data, *word.p == '&' ? str_from(word, 1) : word, e);
	}
	buf_clear(&c->word);
	return ok;
}

static bool end_target(struct compiler *c, struct err *e)
{
	bool ok = add_command(c, e);

	if (ok && c->data.n) {
		alias_key(&c->key, ':', buf_str(&c->target));
		ok = c->record(c->ctx, buf_str(&c->key), buf_str(&c->data), e);
	}
	buf_clear(&c->data);
	buf_clear(&c->target);
	c->in_commands = false;
	return ok;
}

static bool add_mark(struct compiler *c, char mark, struct err *e)
{
	if (mark == ':') {
		if (c->in_commands)
			return err_perm(e, "double colons are not permitted");
		c->in_commands = true;
		return true;
	}
	if (!c->in_commands)
		return err_perm(e, "commas are not permitted before colons");
	return mark == ',' ? add_command(c, e) : end_target(c, e);
}

static bool add_text(struct compiler *c, char byte, struct err *e)
{
	struct buf *b = c->in_commands ? &c->word : &c->target;

	if (byte == 0)
		return err_perm(e, "NUL bytes are not permitted");
	buf_addc(b, byte);
	return buf_ok(b) || err_perm(e, "a word is too long");
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

static bool compile(struct compiler *c, struct str text, struct err *e)
{
	bool ok = true;

	for (size_t i = 0; ok && i < text.n; i++) {
		char byte = text.p[i];

		if (byte == '#') {
			i += str_chr(str_from(text, i), '\n');
		} else if (byte == '\\') {
			/* A backslash at the very end stands for nothing. */
			if (++i < text.n)
				ok = add_text(c, text.p[i], e);
		} else if (byte == ':' || byte == ',' || byte == ';') {
			ok = add_mark(c, byte, e);
		} else if (!is_blank(byte)) {
			ok = add_text(c, byte, e);
		}
	}
	if (ok && (c->in_commands || c->target.n))
		return err_perm(e, "final instruction must end with semicolon");
	return ok;
}

bool forwardtext_compile(struct str text, alias_record *record, void *ctx, struct err *e)
{
	struct compiler c = { .record = record,
			      .ctx = ctx,
			      .target = BUF_INIT(WORD_MAX),
			      .word = BUF_INIT(WORD_MAX),
			      .key = BUF_INIT(WORD_MAX + 1),
			      .data = BUF_INIT(DATA_MAX) };
	bool ok = compile(&c, text, e);

	buf_free(&c.target);
	buf_free(&c.word);
	buf_free(&c.key);
	buf_free(&c.data);
	return ok;
}

static void print_word(struct str word, struct buf *out)
{
	for (size_t i = 0; i < word.n; i++) {
		if ((unsigned char)word.p[i] <= 32 || str_chr(STR(",:;\\#"), word.p[i]) < 5)
			buf_addc(out, '\\');
		buf_addc(out, word.p[i]);
	}
}

bool forwardtext_print(struct str key, struct str data, struct buf *out)
{
	struct str instruction;

	if (key.n == 0 || (*key.p != ':' && *key.p != '?'))
		return false;
	print_word(str_from(key, 1), out);
	buf_addc(out, ':');
	if (*key.p == '?') {
		buf_addz(out, " ?");
		print_word(data, out);
		buf_addz(out, ";\n");
		return true;
	}
	buf_addc(out, '\n');
	while (alias_next(&data, &instruction)) {
		buf_addz(out, ", ");
		print_word(instruction, out);
		buf_addc(out, '\n');
	}
	buf_addz(out, ";\n");
	return data.n == 0;
}
