/*
 * useroptions: the options that tcpserver and tcpclient share
 * (contract-companions §1.2, §1.6).
 */
#ifndef UCSPI_USEROPTIONS_H
#define UCSPI_USEROPTIONS_H

#include "ucspi/connection.h"
#include "ucspi/hostaddr.h"

struct useroptions {
	unsigned verbosity; /* 0 nothing, 1 trouble, 2 everything */
	bool no_delay;
	struct connection_wishes names;
	enum hostaddr_family family;
};

#define USEROPTIONS_LETTERS "dDvqQhHrRt:l:46"
#define USEROPTIONS_INIT \
	((struct useroptions){ .verbosity = 1, .names = { .remote_name = true, .info = true, .info_seconds = 26 } })

/* Takes an option; false: it is none of these. `value` must outlive *u. */
bool useroptions_take(struct useroptions *u, int c, const char *value);

#endif
