/*
 * listener_fixture: what the tests of the listener share. Not for others.
 */
#ifndef LISTENER_LISTENER_FIXTURE_H
#define LISTENER_LISTENER_FIXTURE_H

#include "listener/inetaddr.h"

/* "192.0.2.1:25" or "[::1]:25". */
static inline struct inetaddr address(const char *text)
{
	struct inetaddr a;
	struct err e;
	bool any;

	assert_true(inetaddr_parse(str_of(text), &a, &any, &e));
	return a;
}

#endif
