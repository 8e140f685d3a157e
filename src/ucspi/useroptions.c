#include "ucspi/useroptions.h"

#include "sys/options.h"

bool useroptions_take(struct useroptions *u, int c, const char *value)
{
	switch (c) {
	case 'q':
	case 'Q':
	case 'v':
		u->verbosity = c == 'q' ? 0 : c == 'Q' ? 1 : 2;
		return true;
	case 'h':
	case 'H':
		u->names.remote_name = c == 'h';
		return true;
	case 'r':
	case 'R':
		u->names.info = c == 'r';
		return true;
	case 'd':
	case 'D':
		u->no_delay = c == 'D';
		return true;
	case '4':
	case '6':
		u->family = c == '4' ? HOSTADDR_V4 : HOSTADDR_V6;
		return true;
	case 't':
		u->names.info_seconds = (unsigned)options_number(value, 1000000);
		return true;
	case 'l':
		u->names.local_name = value;
		return true;
	}
	return false;
}
