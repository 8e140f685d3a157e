/*
 * testplace: a place of its own for a unit test: a new directory below /tmp,
 * which is the working directory until the end.
 *
 * Only tests link it (all of them may). What goes wrong here fails the test.
 * The functions that begin and end fit cmocka, for a group or for each test.
 */
#ifndef TESTING_TESTPLACE_H
#define TESTING_TESTPLACE_H

#include "base/str.h"

int testplace_begin(void **state);
/* With control/ in it, and as $QMAILHOME, opened. */
int testplace_begin_home(void **state);
/* Removes it and all that is in it. */
int testplace_end(void **state);

/* Its path. */
const char *testplace(void);
/* "PLACE/name"; valid until the next call. */
const char *testplace_path(const char *name);

/* Makes the file, or replaces it. */
void testplace_put(const char *name, struct str content);
void testplace_putz(const char *name, const char *content);
void testplace_mkdir(const char *name);

#endif
