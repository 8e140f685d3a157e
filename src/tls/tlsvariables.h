/*
 * tlsvariables: what is known of a TLS connection and of both sides'
 * certificates, as the environment variables that mod_ssl made known.
 *
 *   SSL_PROTOCOL SSL_SESSION_ID SSL_CIPHER SSL_CIPHER_USEKEYSIZE
 *   SSL_CIPHER_ALGKEYSIZE SSL_CIPHER_EXPORT SSL_VERSION_INTERFACE
 *   SSL_VERSION_LIBRARY SSL_CLIENT_VERIFY
 *   and for SSL_SERVER and SSL_CLIENT, where there is a certificate: _CERT
 *   _CERT_CHAIN_n _M_VERSION _M_SERIAL _V_START _V_END _A_SIG _A_KEY _S_DN
 *   _I_DN and the parts of these two, as _S_DN_CN
 */
#ifndef TLS_TLSVARIABLES_H
#define TLS_TLSVARIABLES_H

#include "tls/tlsclient.h"
#include "tls/tlsserver.h"

/* Append "NAME=value" and a NUL for each, after the handshake. */
void tls_server_variables(const struct tls_server *s, struct buf *to);
void tls_client_variables(const struct tls_client *c, struct buf *to);

#endif
