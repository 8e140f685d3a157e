/*
 * connection: what is known about one TCP connection, and the environment
 * that describes it to a program (contract-companions §1.1).
 *
 * PROTO is TCP, or TCP6 for IPv6, where TCP6LOCALIP and the like are set
 * beside TCPLOCALIP. What is not known is not set, whatever was inherited.
 */
#ifndef UCSPI_CONNECTION_H
#define UCSPI_CONNECTION_H

#include "base/buf.h"
#include "filter/childenv.h"
#include "listener/inetaddr.h"

#define CONNECTION_NAME_MAX 1100

struct connection {
	struct inetaddr local, remote;
	char local_ip[INETADDR_TEXT], remote_ip[INETADDR_TEXT];
	bool has_local_name, has_remote_name, has_info;
	struct buf local_name, remote_name, info;
};

#define CONNECTION_INIT                                                     \
	((struct connection){ .local_name = BUF_INIT(CONNECTION_NAME_MAX),  \
			      .remote_name = BUF_INIT(CONNECTION_NAME_MAX), \
			      .info = BUF_INIT(CONNECTION_NAME_MAX) })

/* Which names to find out, and how. */
struct connection_wishes {
	const char *local_name; /* use this, and look nothing up; NULL: ask DNS */
	bool remote_name;
	bool paranoid; /* a remote name that does not lead back is no name */
	bool info;     /* by IDENT */
	unsigned info_seconds;
};

/* Fills local or remote from the socket; false with errno. */
bool connection_local(struct connection *c, int fd);
bool connection_remote(struct connection *c, int fd);
void connection_set_remote(struct connection *c, const struct inetaddr *a);
void connection_set_local(struct connection *c, const struct inetaddr *a);

/* Finds the names out; blocks on DNS and IDENT. */
void connection_name(struct connection *c, const struct connection_wishes *w);

void connection_environment(const struct connection *c, struct childenv *env);
/*
 * The same in SSLLOCALIP and so on; PROTO becomes SSL, and SSL_PROTOCOL and SSL_CIPHER the words of `tls`, such as
 * "TLSv1.3 TLS_AES_256_GCM_SHA384".
 */
void connection_environment_tls(const struct connection *c, struct str tls, struct childenv *env);
/* Removes TCPLOCALIP and so on, TCP6LOCALIP and so on. */
void connection_forget(struct childenv *env);

#endif
