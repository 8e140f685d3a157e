/*
 * popup: the two processes of a POP3 client who has not logged in.
 *
 *   front    talks with the client (popauth.h), as an account without rights,
 *            and knows nothing but what the client says; ends when it has
 *            passed on name and password, or, with TLS, when the connection ends
 *   monitor  root, where passwords are checked as root; takes one packet
 *            from the front, gives it to a program of the checkpassword
 *            interface, and never looks at what the client sends
 *
 * Between them: a socket for that packet, and with TLS one for the clear text.
 */
#ifndef QMAIL_POPUP_POPUP_H
#define QMAIL_POPUP_POPUP_H

#include <stdbool.h>
#include <sys/types.h>

#include "tls/tlsserver.h"

#define POPUP_NAME "qmail-popup"

struct popup {
	const char *hostname;
	char *const *program;           /* and its arguments */
	struct tls_server_context *tls; /* NULL: not offered */
	bool tls_at_once;               /* TLS comes before the greeting */
	bool tls_required;              /* no password without it */
	bool change_user;               /* the front becomes: */
	uid_t uid;
	gid_t gid;
	bool log;
};

/* Serves the client on two descriptors. `client` is for the log. */
void popup_session(const struct popup *p, int in, int out, const char *client); /* popup_monitor.c */

/* How the front tells the monitor where the program will find the client. */
enum popup_channel { POPUP_CLEAR = 'C', POPUP_TLS = 'T' };
#define POPUP_PACKET_MAX 16384

struct popup_front {
	const struct popup *popup;
	const char *stamp;
	int in, out;  /* the client */
	pid_t parent; /* the monitor, without which the front ends */
	int monitor;  /* packet socket: popup_channel, credentials */
	int data;     /* stream socket for the clear text; -1 without TLS */
};

_Noreturn void popup_front(const struct popup_front *f); /* popup_front.c */

#endif
