#include "cdb/cdbrecords.h"

#define TABLES 2048 /* bytes before the first record */

static uint32_t number(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

struct cdbrecords cdbrecords_of(struct str image)
{
	struct cdbrecords r = { .bad = true };
	uint32_t end;

	if (image.n < TABLES)
		return r;
	/* The first table begins where the records end. */
	end = number(image.p);
	if (end < TABLES || end > image.n)
		return r;
	r.bad = false;
	r.rest = (struct str){ image.p + TABLES, end - TABLES };
	return r;
}

bool cdbrecords_next(struct cdbrecords *r, struct str *key, struct str *value)
{
	uint64_t k, v;

	if (r->bad || r->rest.n == 0)
		return false;
	if (r->rest.n >= 8) {
		k = number(r->rest.p);
		v = number(r->rest.p + 4);
		if (k + v <= r->rest.n - 8) {
			*key = str_head(str_from(r->rest, 8), (size_t)k);
			*value = str_head(str_from(r->rest, 8 + (size_t)k), (size_t)v);
			r->rest = str_from(r->rest, 8 + (size_t)(k + v));
			return true;
		}
	}
	r->bad = true;
	return false;
}
