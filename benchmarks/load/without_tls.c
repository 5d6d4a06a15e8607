/* Takes the place of tls.c where there is no OpenSSL to compile with. */
#include "tls.h"

#include "ftp.h"

void tls_prepare(void)
{
    die("made without TLS");
}

struct ssl_st *tls_connect(int socket, struct ssl_st *control)
{
    (void)socket;
    return control;
}

size_t tls_read(struct ssl_st *tls, void *to, size_t room)
{
    (void)tls, (void)to, (void)room;
    return 0;
}

void tls_write(struct ssl_st *tls, const void *from, size_t size)
{
    (void)tls, (void)from, (void)size;
}

void tls_end(struct ssl_st *tls)
{
    (void)tls;
}

long tls_secured(void)
{
    return 0;
}

long tls_resumed(void)
{
    return 0;
}
