#include "outbound/tlshosts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "conf/control.h"
#include "sys/file.h"
#include "sys/home.h"
#include "sys/random.h"

#define NAME_MAX_BYTES 255

struct names {
	char **list;
	size_t n;
};

static bool add_name(void *ctx, const char *name)
{
	struct names *all = ctx;
	struct buf lower = BUF_INIT(NAME_MAX_BYTES);

	buf_add_lower(&lower, str_of(name));
	if (buf_ok(&lower)) {
		all->list = mem_array(all->list, all->n + 1, sizeof *all->list);
		all->list[all->n++] = mem_copy(buf_str(&lower));
	}
	buf_free(&lower);
	return true;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool list_dir(const char *path, struct names *all, struct err *e)
{
	int fd = file_open_dir(home_dir(), path);
	bool ok;

	if (fd == -1 && errno == ENOENT)
		return true;
	if (fd == -1)
		return err_sys(e, errno, "unable to read %s", path);
	ok = file_list(fd, add_name, all) == 0;
	if (!ok)
		err_sys(e, errno, "unable to read %s", path);
	file_close(fd);
	if (all->n)
		qsort(all->list, all->n, sizeof *all->list, compare);
	return ok;
}

static void free_names(struct names *all)
{
	for (size_t i = 0; i < all->n; i++)
		free(all->list[i]);
	free(all->list);
}

static void load_anchors(struct tlshost *h)
{
	struct buf pem = BUF_INIT(CONTROL_FILE_MAX);
	char path[NAME_MAX_BYTES + 30];
	bool present;
	struct err e;

	snprintf(path, sizeof path, "tlshosts/%s.pem", h->name);
	if (!control_text(path, &pem, &present, &e))
		h->problem = mem_copy(str_of(e.text));
	else if ((h->anchors = tls_anchors_new(buf_str(&pem), &e)) == NULL)
		h->problem = mem_copy(str_of("the file in control/tlshosts has no certificate"));
	buf_free(&pem);
}

static void take_required(struct tlshosts *t, struct names *all)
{
	for (size_t i = 0; i < all->n; i++) {
		struct str name = str_of(all->list[i]);

		if (str_eq(name, STR("exhaustivelist")))
			t->exhaustive = true;
		if (!str_ends(name, STR(".pem")) || name.n == 4)
			continue;
		t->required = mem_array(t->required, t->nrequired + 1, sizeof *t->required);
		t->required[t->nrequired] = (struct tlshost){ .name = mem_copy(str_head(name, name.n - 4)) };
		load_anchors(&t->required[t->nrequired++]);
	}
	if (t->nrequired)
		qsort(t->required, t->nrequired, sizeof *t->required, compare);
}

static bool load_context(struct tlshosts *t, struct err *e)
{
	struct buf certificate = BUF_INIT(CONTROL_FILE_MAX), ciphers = BUF_INIT(10000);
	bool present, ok;

	ok = control_text("clientcert.pem", &certificate, &present, e) &&
	     control_line("tlsclientciphers", &ciphers, &present, e);
	if (ok) {
		t->context = tls_context_new(buf_str(&certificate), buf_str(&ciphers), random_hash_key(), e);
		ok = t->context != NULL || err_context(e, "control/clientcert.pem or control/tlsclientciphers");
	}
	buf_free(&certificate);
	buf_free(&ciphers);
	return ok;
}

bool tlshosts_load(struct tlshosts *t, struct err *e)
{
	struct names required = { 0 }, without = { 0 };
	bool ok;

	*t = (struct tlshosts){ 0 };
	ok = load_context(t, e) && list_dir("control/tlshosts", &required, e) &&
	     list_dir("control/notlshosts", &without, e);
	if (ok)
		take_required(t, &required);
	free_names(&required);
	t->without = without.list;
	t->nwithout = without.n;
	if (!ok)
		tlshosts_free(t);
	return ok;
}

void tlshosts_free(struct tlshosts *t)
{
	for (size_t i = 0; i < t->nrequired; i++) {
		free(t->required[i].name);
		free(t->required[i].problem);
		tls_anchors_free(t->required[i].anchors);
	}
	free(t->required);
	for (size_t i = 0; i < t->nwithout; i++)
		free(t->without[i]);
	free(t->without);
	tls_anchors_free(t->system);
	tls_context_free(t->context);
	*t = (struct tlshosts){ 0 };
}

/* Whom the system trusts. */
static void verify_by_system(struct tlshosts *t, struct session_policy *p)
{
	struct err e;

	if (t->system == NULL)
		t->system = tls_anchors_system(&e);
	p->anchors = t->system;
	if (p->anchors == NULL)
		p->problem = "the system's certificates cannot be read";
}

static void apply(struct tlshosts *t, struct session_policy *p, bool verify)
{
	struct buf name = BUF_INIT(NAME_MAX_BYTES);
	const struct tlshost *host = NULL;
	const char *key;
	bool without = false;

	buf_add_lower(&name, p->name);
	key = buf_cstr(&name);
	/* compare looks at the name only, which comes first. */
	if (t->nrequired)
		host = bsearch(&key, t->required, t->nrequired, sizeof *t->required, compare);
	if (t->nwithout)
		without = bsearch(&key, t->without, t->nwithout, sizeof *t->without, compare) != NULL;
	if (host && p->tls != SESSION_TLS_NEVER) {
		p->tls = SESSION_TLS_MUST;
		p->anchors = host->anchors;
		p->problem = host->problem;
	} else if (verify) {
		verify_by_system(t, p);
	} else if ((without || t->exhaustive) && p->tls == SESSION_TLS_MAY) {
		p->tls = SESSION_TLS_NEVER;
	}
	buf_free(&name);
}

uint64_t tlshosts_fingerprint(void)
{
	static const char *const files[] = { "clientcert.pem", "tlsclientciphers", "tlshosts", "notlshosts" };

	return control_fingerprint(files, sizeof files / sizeof *files);
}

void tlshosts_apply(struct tlshosts *t, struct session_policy *p, bool verify)
{
	if (t->nrequired || t->nwithout || t->exhaustive || verify)
		apply(t, p, verify);
}
