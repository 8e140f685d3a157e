/*
 * mailvars: the lines and the environment that a delivery derives from its
 * addresses (contract §10.5). Pure; the caller gives the time.
 */
#ifndef LOCAL_MAILVARS_H
#define LOCAL_MAILVARS_H

#include "base/buf.h"

/* "From sender Sat Nov 21 10:06:03 2026\n"; blanks and line ends in the sender become '-'. */
void mailvars_ufline(struct buf *b, struct str sender, int64_t now);
/* "Return-Path: <sender>\n", the sender quoted where needed; no byte of it ends the line. */
void mailvars_rpline(struct buf *b, struct str sender);
/* "Delivered-To: local@host\n"; line ends become '_'. */
void mailvars_dtline(struct buf *b, struct str local, struct str host);

struct mailvars {
	const char *sender, *newsender, *local, *host, *user, *home, *ext;
	bool default_set;
	struct str default_part;
	int64_t now;
};

/*
 * A new environment: `inherited` with the variables of a delivery set over it.
 * Free with mailvars_free. Values are raw: they come from outside.
 */
char **mailvars_environment(const struct mailvars *v, char *const *inherited);
void mailvars_free(char **environment);

#endif
