/* TLS for blocking sockets: 1.3 with AES-256-GCM and P-256, the same for every server; vsftpd and
 * Pure-FTPd take no other group.
 *
 * A failed handshake, and an end without close_notify where one is wanted, end the program as all
 * failures do (see ftp.h). Kernel TLS stays off. without_tls.c takes the place of tls.c where there
 * is no OpenSSL to compile with.
 */
#ifndef TLS_H
#define TLS_H

#include <stddef.h>

struct ssl_st;

void tls_prepare(void);      /* once, before all others */

/* Begin TLS; a data connection goes on with the session of its control connection, if the server
 * lets it, and sends what is written in large pieces: the last one with tls_end(). */
struct ssl_st *tls_connect(int socket, struct ssl_st *control);
size_t tls_read(struct ssl_st *tls, void *to, size_t room); /* 0: close_notify */
void tls_write(struct ssl_st *tls, const void *from, size_t size);
void tls_end(struct ssl_st *tls);       /* sends close_notify; the socket stays open */

long tls_secured(void);      /* data connections so far, of all threads */
long tls_resumed(void);      /* those of them that went on with a session */

#endif
