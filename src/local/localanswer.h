/*
 * localanswer: would a delivery to a local address succeed? Found out by the
 * code that delivers, which describes what it would do instead of doing it.
 */
#ifndef LOCAL_LOCALANSWER_H
#define LOCAL_LOCALANSWER_H

#include "local/local.h"
#include "wire/recipientproto.h"

/*
 * As local_deliver: the caller has become the user, the working directory and
 * umask change. Nothing is written, nothing is run. Sender, message and limits
 * of the job do not matter. The room is that of its smallest mailbox.
 *
 * RECIPIENT_ABSENT where a delivery would fail for good before anything is
 * done, however small the message; RECIPIENT_UNKNOWN where it would be deferred, now or always.
 */
struct recipient_finding local_answer(const struct local_job *job);

#endif
