/*
 * clientenv: what the server that started us has put into the environment
 * about the client: $TCPREMOTEIP and the like, or, where a TLS server has set
 * only its own, $SSLREMOTEIP (contract-companions §8.1).
 */
#ifndef SYS_CLIENTENV_H
#define SYS_CLIENTENV_H

#include "base/str.h"

/* The variable's value, NULL if neither is set: clientenv("REMOTEIP"). */
const char *clientenv(const char *name);
/* The same as a view, and `otherwise` (NULL: empty) where neither is set. */
struct str clientenv_str(const char *name, const char *otherwise);

#endif
