#include "supervision/vardir.h"

bool vardir_value(struct str content, struct buf *value)
{
	size_t n = str_chr(content, '\n');

	buf_clear(value);
	if (content.n == 0)
		return false;
	while (n && (content.p[n - 1] == ' ' || content.p[n - 1] == '\t'))
		n--;
	buf_add(value, str_head(content, n));
	for (size_t i = 0; i < value->n; i++)
		if (value->p[i] == 0)
			value->p[i] = '\n';
	return true;
}
