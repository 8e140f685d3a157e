#include "ucspi/hostsfile.h"

static bool next_word(struct str *rest, struct str *word)
{
	size_t n = 0;

	while (rest->n && (*rest->p == ' ' || *rest->p == '\t' || *rest->p == '\r'))
		*rest = str_from(*rest, 1);
	while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t' && rest->p[n] != '\r')
		n++;
	*word = str_head(*rest, n);
	*rest = str_from(*rest, n);
	return n > 0;
}

void hostsfile_find(struct str text, struct str name, void (*each)(void *ctx, const struct inetaddr *a), void *ctx)
{
	struct str line, word;
	struct inetaddr a;

	while (str_next_line(&text, &line)) {
		line = str_head(line, str_chr(line, '#'));
		if (!next_word(&line, &word) || !inetaddr_parse_ip(word, &a))
			continue;
		while (next_word(&line, &word))
			if (str_ieq(word, name)) {
				each(ctx, &a);
				break;
			}
	}
}
