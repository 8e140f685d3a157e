/*
 * leftover: processes that a program started and left behind, whatever
 * session or process group they moved to.
 *
 * A process that adopts becomes the parent of every orphan among its
 * descendants, and the kernel lists its children in /proc. Where /proc is not
 * mounted they cannot be found; then only process groups are killed.
 */
#ifndef LOCAL_LEFTOVER_H
#define LOCAL_LEFTOVER_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * This process adopts orphans from now on. True: it has no children yet, so
 * that all it will have to adopt are leftovers.
 */
bool leftover_adopt(void);

/*
 * Kills and reaps the children of this process, again and again until there
 * are none or some bounded time has passed; those for which keep(ctx, pid) is
 * true are left alone. keep may be NULL: none are. False: some are left.
 */
bool leftover_kill(bool (*keep)(void *ctx, pid_t pid), void *ctx);

#endif
