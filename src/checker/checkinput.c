#include "checker/checkinput.h"

bool checkinput_parse(struct str input, struct checkinput *c)
{
	if (!str_cut(input, 0, &c->login, &input) || !str_cut(input, 0, &c->password, &input))
		return false;
	/* The last NUL is not always sent; what is cut there cannot be a challenge. */
	if (!str_cut(input, 0, &c->timestamp, &input))
		c->timestamp = STR("");
	return true;
}
