/*
 * smtpd_client: who is calling, for a session on descriptors 0 and 1:
 * from tcpserver's environment (contract §12.1), or from the socket.
 */
#ifndef QMAIL_SMTPD_SMTPD_CLIENT_H
#define QMAIL_SMTPD_SMTPD_CLIENT_H

#include "listener/inetaddr.h"
#include "smtpserver/smtpsession.h"

struct smtpd_client {
	struct smtp_client client; /* views into the environment and into what follows */
	char ip[INETADDR_TEXT];
	struct buf name; /* from DNS */
};

/* Fills everything from the environment; without TCPREMOTEIP the address comes from the socket fd. */
void smtpd_client_from_environment(struct smtpd_client *c, int fd);

/* Fills everything for a connection of our own listener; `local` is our name. May wait for DNS. */
void smtpd_client_from_peer(struct smtpd_client *c, const struct inetaddr *peer, struct str local);

/* Puts the client into the environment, as tcpserver does, for a $QMAILQUEUE program. */
void smtpd_client_export(const struct smtpd_client *c);

#endif
