/*
 * svdir: a service directory as its observers and controllers see it
 * (contract-companions §2.2).
 */
#ifndef SUPERVISION_SVDIR_H
#define SUPERVISION_SVDIR_H

/* To work in with *at calls, when it may be entered; it need not be readable. -1 with errno. */
int svdir_open(const char *name);

/*
 * The writing end of supervise/control or supervise/ok. -1 with errno: ENXIO
 * when nobody reads there (no supervise runs), ENOENT when none ever did.
 */
int svdir_fifo(int dir, const char *name);

/* The writing end of supervise/control, or of svcontrol in a directory of the older form (§2.1). */
int svdir_control(int dir);

#endif
