#include "serving/listening.h"

#include "conf/control.h"
#include "sys/home.h"
#include "sys/service.h"

#define CHILDREN_MAX 10000

static bool open_listed(struct listener *l, const struct listening_place *p, struct buf *bound, struct err *e)
{
	struct control_list list;
	bool ok = control_list_load(p->file, &list, e);

	if (ok && !list.present)
		ok = listener_bind(l, str_of(p->otherwise), bound, e);
	else if (ok && list.n == 0)
		ok = err_perm(e, "control/%s names no address", p->file);
	for (size_t i = 0; ok && i < list.n; i++)
		ok = listener_bind(l, list.items[i], bound, e);
	control_list_free(&list);
	return ok;
}

bool listening_open(struct listener *l, const struct listening_place *p, struct err *e)
{
	struct buf bound = BUF_INIT(LISTENER_SOCKETS_MAX * 64);
	bool ok = p->n > 0 || open_listed(l, p, &bound, e);
	struct str rest, line;

	for (size_t i = 0; ok && i < p->n; i++)
		ok = listener_bind(l, p->addresses[i], &bound, e);
	rest = buf_str(&bound);
	while (ok && str_next_line(&rest, &line))
		service_log(p->name, "listening on %.*s", STR_ARG(line));
	buf_free(&bound);
	return ok;
}

bool listening_limits(struct listener_config *c, const char *file, struct err *e)
{
	uint64_t children = 100, per_client = 20;

	/* A listener may work without a home. */
	if (home_dir() != -1 &&
	    (!control_number(file, &children, e) || !control_number("concurrencyperclient", &per_client, e)))
		return false;
	c->max_children = children > CHILDREN_MAX ? CHILDREN_MAX : (unsigned)children;
	c->max_per_client = per_client > CHILDREN_MAX ? CHILDREN_MAX : (unsigned)per_client;
	return true;
}
