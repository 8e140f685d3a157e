#include "virtual/virtualhome.h"

#include <errno.h>
#include <sys/stat.h>

static void add_name(struct buf *b, struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)chr_lower(name.p[i]);

		if (c == '/' || c == '%' || c < 32 || c == 127 || (c == '.' && i == 0))
			buf_addf(b, "%%%02x", c);
		else
			buf_addc(b, (char)c);
	}
}

void virtualhome_path(struct buf *b, struct str address)
{
	size_t at = str_rchr(address, '@');

	buf_addz(b, VIRTUALHOME_ROOT "/");
	add_name(b, str_from(address, at + 1));
	buf_addc(b, '/');
	add_name(b, str_head(address, at));
}

bool virtualhome_owner(uid_t *uid, gid_t *gid, struct err *e)
{
	struct stat st;

	if (stat(VIRTUALHOME_ROOT, &st) == -1)
		return err_sys(e, errno, "unable to find the directory " VIRTUALHOME_ROOT);
	if (st.st_uid == 0)
		return err_temp(e, "the directory " VIRTUALHOME_ROOT " belongs to root; give it to another account");
	*uid = st.st_uid;
	*gid = st.st_gid;
	return true;
}
