#include "aliases/aliasrecord.h"

void alias_key(struct buf *key, char kind, struct str address)
{
	buf_clear(key);
	buf_addc(key, kind);
	buf_add_lower(key, address);
}

bool alias_add_address(struct buf *data, struct str address, struct err *e)
{
	if (address.n == 0)
		return err_temp(e, "empty recipient addresses not permitted");
	if (address.n > ALIAS_ADDRESS_MAX)
		return err_perm(e, "addresses over %d bytes are not permitted", ALIAS_ADDRESS_MAX);
	if (str_chr(address, 0) < address.n)
		return err_perm(e, "NUL bytes are not permitted");
	buf_addc(data, '&');
	buf_add(data, address);
	buf_addc(data, 0);
	return true;
}

bool alias_add_path(struct buf *data, struct str path, struct str suffix, struct err *e)
{
	if (path.n == 0)
		return err_temp(e, "the name of an included file is missing");
	if (!str_starts(path, STR("/")) && !str_starts(path, STR("./")))
		buf_addz(data, "./");
	buf_add(data, path);
	buf_add(data, suffix);
	buf_addc(data, 0);
	return true;
}

bool alias_next(struct str *rest, struct str *instruction)
{
	return str_chr(*rest, 0) < rest->n && str_cut(*rest, 0, instruction, rest);
}
