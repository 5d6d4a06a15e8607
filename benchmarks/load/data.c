/* The data connections of ftp.h: what is received and sent. */
#define _GNU_SOURCE
#include "ftp.h"
#include "tls.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define TURN ((size_t)4 << 20)

static _Thread_local char buffer[1 << 18];

/* Begin TLS on a data connection where the control connection has it. */
static struct ssl_st *secured(struct session *session, int data)
{
    return session->tls ? tls_connect(data, session->tls) : NULL;
}

/* Receive what has come, or wait for it; returns 0 at the end. */
size_t received(int end, struct ssl_st *tls, void *to, size_t room)
{
    if (tls)
        return tls_read(tls, to, room);
    ssize_t count = recv(end, to, room, to ? 0 : MSG_TRUNC);
    if (count < 0)
        die("connection: %s", strerror(errno));
    return (size_t)count;
}

static void data_close(int data, struct ssl_st *tls)
{
    if (tls)
        tls_end(tls);
    close(data);
}

/* Throw away all that comes, without copying it out of the kernel where it is plain; closes. */
uint64_t drain(struct session *session, int data)
{
    struct ssl_st *tls = secured(session, data);
    uint64_t total = 0;
    size_t count, room = tls ? sizeof buffer : TURN;
    while ((count = received(data, tls, tls ? buffer : NULL, room)) > 0)
        total += count;
    data_close(data, tls);
    return total;
}

/* Read all that comes and count its lines; closes. */
struct listing read_all(struct session *session, int data)
{
    struct ssl_st *tls = secured(session, data);
    struct listing found = {0};
    size_t count;
    while ((count = received(data, tls, buffer, sizeof buffer)) > 0) {
        if (found.bytes == 0)
            found.first = now();
        found.bytes += count;
        for (char *at = buffer; (at = memchr(at, '\n', (size_t)(buffer + count - at))); at++)
            found.lines++;
    }
    data_close(data, tls);
    return found;
}

/* Open the first bytes of a file; when they are to be mapped, all are in memory on return. */
struct content content_open(const char *path, uint64_t size, int mapped)
{
    struct content content = {.file = open(path, O_RDONLY | O_CLOEXEC), .size = size};
    struct stat status;
    if (content.file < 0 || fstat(content.file, &status) < 0)
        die("cannot open the source %s", path);
    if ((uint64_t)status.st_size < size)
        die("the source %s is too short", path);
    if (mapped && size) {
        void *at = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_POPULATE, content.file, 0);
        if (at == MAP_FAILED)
            die("cannot map the source: %s", strerror(errno));
        content.mapped = at;
    }
    return content;
}

/* Send without copying through here; the connection stays open. */
void pour_plain(int data, const struct content *content)
{
    off_t offset = 0;
    while ((uint64_t)offset < content->size) {
        uint64_t left = content->size - (uint64_t)offset;
        ssize_t count = sendfile(data, content->file, &offset, left < TURN ? left : TURN);
        if (count <= 0)
            die("sending: %s", count ? strerror(errno) : "the source is too short");
    }
}

/* Send, with close_notify at the end; then let the server close first. A ticket that nobody read
 * would be answered with an RST, which can take the end of the file with it. */
static void pour_secured(int data, struct ssl_st *tls, const struct content *content)
{
    if (content->size)
        tls_write(tls, content->mapped, content->size);
    tls_end(tls);
    shutdown(data, SHUT_WR);
    while (recv(data, NULL, TURN, MSG_TRUNC) > 0)
        ;
}

/* Send all of a content; closes. */
void pour(struct session *session, int data, const struct content *content)
{
    struct ssl_st *tls = secured(session, data);
    if (tls)
        pour_secured(data, tls, content);
    else
        pour_plain(data, content);
    if (close(data) < 0)
        die("data connection: %s", strerror(errno));
}
