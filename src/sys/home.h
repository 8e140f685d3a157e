/*
 * home: where this mail system lives, and where its programs are.
 *
 * The home is $QMAILHOME, or the directory compiled in (/var/qmail). It has
 * control/, queue/, users/, alias/, run/ (sockets) and log/. No program is
 * set-id, so the environment may be believed.
 */
#ifndef SYS_HOME_H
#define SYS_HOME_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Finds and opens the home. To be called once, before anything below; the
 * working directory stays where it is. Later calls return the first result.
 */
bool home_open(struct err *e);

/* Descriptor of the home (O_PATH is not used: *at calls and fchdir work), and its absolute path. */
int home_dir(void);
const char *home_path(void);

/* chdir to the home, as most qmail programs do. */
bool home_enter(struct err *e);

/*
 * Path of one of our own programs: beside the running one when it is there,
 * else in bin/ of the home. The result is valid until the next call.
 */
const char *home_program(const char *name);

#endif
