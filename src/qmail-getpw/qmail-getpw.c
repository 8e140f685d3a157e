/*
 * qmail-getpw local: prints who the address belongs to, by the password
 * database alone: user, uid, gid, home, dash, ext, each ended by a NUL
 * (contract §3.4). Exit 0; 100 no argument; 115, 116, 118 as owner.h.
 */
#include <unistd.h>

#include "sys/io.h"
#include "users/getpw.h"

static void put_string(struct buf *b, const char *z)
{
	buf_addz(b, z);
	buf_addc(b, 0);
}

static void put_number(struct buf *b, uint64_t v)
{
	buf_addu(b, v);
	buf_addc(b, 0);
}

int main(int argc, char **argv)
{
	const struct getpw_rules rules = { .own_only = false };
	struct buf out = BUF_INIT(2 * OWNER_TEXT_MAX);
	struct owner o = OWNER_INIT;
	enum owner_status status;

	if (argc < 2)
		return 100;
	status = getpw_find(&rules, str_of(argv[1]), &o);
	if (status != OWNER_FOUND)
		return (int)status;
	put_string(&out, o.user);
	put_number(&out, o.uid);
	put_number(&out, o.gid);
	put_string(&out, o.home);
	put_string(&out, o.dash);
	put_string(&out, o.ext);
	status = io_write_all(1, out.p, out.n) == -1 ? OWNER_TEMPORARY : OWNER_FOUND;
	buf_free(&out);
	owner_free(&o);
	return (int)status;
}
