/* See tls.h.
 *
 * The client must not be what is measured: records are written through a buffer and read ahead, so
 * that one call to the kernel takes several of them. A session's last ticket is used for all of its
 * data connections; OpenSSL forbids that only to those who let it keep sessions.
 */
#include "tls.h"

#include "ftp.h"

#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

#define PIECE (128 << 10)
#define KEPT (16 << 20)      /* memory that malloc() does not give back: buffers come and go */

static SSL_CTX *context;
static atomic_long secured, resumed;

long tls_secured(void)
{
    return secured;
}

long tls_resumed(void)
{
    return resumed;
}

static _Noreturn void failed(SSL *tls, int result, const char *what)
{
    int system_error = errno, kind = SSL_get_error(tls, result);
    const char *why = ERR_reason_error_string(ERR_peek_error());
    if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE)
        why = "nothing moves";
    else if (kind == SSL_ERROR_SYSCALL)
        why = strerror(system_error);
    die("TLS, %s: %s", what, why ? why : "an error without a name");
}

void tls_prepare(void)
{
    signal(SIGPIPE, SIG_IGN);
    mallopt(M_MMAP_THRESHOLD, KEPT);
    mallopt(M_TRIM_THRESHOLD, KEPT);
    context = SSL_CTX_new(TLS_client_method());
    if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION)
        || !SSL_CTX_set_ciphersuites(context, "TLS_AES_256_GCM_SHA384")
        || !SSL_CTX_set1_groups_list(context, "P-256"))
        die("OpenSSL has no TLS 1.3 with AES-256-GCM and P-256");
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, PIECE);
}

/* Let both directions use the socket, what is written a buffer besides. */
static void attach(SSL *tls, int socket)
{
    BIO *end = BIO_new_socket(socket, BIO_NOCLOSE), *buffer = BIO_new(BIO_f_buffer());
    if (!end || !buffer || !BIO_set_write_buffer_size(buffer, PIECE) || !BIO_up_ref(end))
        die("no memory");
    SSL_set0_rbio(tls, end);
    SSL_set0_wbio(tls, BIO_push(buffer, end));
}

struct ssl_st *tls_connect(int socket, struct ssl_st *control)
{
    int yes = 1;
    SSL *tls = SSL_new(context);
    if (!tls || (control && !SSL_set_session(tls, SSL_get_session(control))))
        die("no memory, or no session");
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (control)
        attach(tls, socket);
    else
        SSL_set_fd(tls, socket);
    int result = SSL_connect(tls);
    if (result != 1)
        failed(tls, result, control ? "handshake, data connection" : "handshake");
    secured += control != NULL;
    resumed += control != NULL && SSL_session_reused(tls);
    return tls;
}

size_t tls_read(struct ssl_st *tls, void *to, size_t room)
{
    size_t count = 0;
    int result = SSL_read_ex(tls, to, room, &count);
    if (result != 1 && SSL_get_error(tls, result) != SSL_ERROR_ZERO_RETURN)
        failed(tls, result, "reading");
    return count;
}

void tls_write(struct ssl_st *tls, const void *from, size_t size)
{
    size_t count;
    int result = SSL_write_ex(tls, from, size, &count);
    if (result != 1)
        failed(tls, result, "writing");
}

void tls_end(struct ssl_st *tls)
{
    SSL_shutdown(tls);
    (void)BIO_flush(SSL_get_wbio(tls));
    SSL_free(tls);
    ERR_clear_error(); /* the server may be gone already */
}
