/* See ftp.h. */
#define _GNU_SOURCE
#include "ftp.h"

#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 20 /* seconds without a byte after which a server counts as dead */

double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void die(const char *format, ...)
{
    char text[1536];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s\n", text);
    _exit(1);
}

void *zeroed(long count, size_t size)
{
    void *memory = calloc((size_t)count, size);
    if (!memory)
        die("no memory");
    return memory;
}

int connected(unsigned short port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    struct timeval patience = {.tv_sec = PATIENCE};
    int end = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (end < 0)
        die("socket: %s", strerror(errno));
    setsockopt(end, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(end, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(end, (struct sockaddr *)&address, sizeof address) < 0)
        die("connect to port %u: %s", port, strerror(errno));
    return end;
}

void session_open(struct session *session, const struct target *target)
{
    int yes = 1;
    *session = (struct session){.target = target, .control = connected(target->port)};
    setsockopt(session->control, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    session_expect(session, 2, "greeting");
}

void session_login(struct session *session)
{
    if (session->target->secure) {
        session_send(session, "AUTH TLS");
        session_expect(session, 2, "AUTH");
        session->tls = tls_connect(session->control, NULL);
    }
    session_send(session, "USER %s", session->target->user);
    int code = session_reply(session);
    if (code == 331) {
        session_send(session, "PASS %s", session->target->password);
        code = session_reply(session);
    }
    if (code / 100 != 2)
        die("login: %s", session->line);
    if (session->tls) {
        session_send(session, "PBSZ 0");
        session_expect(session, 2, "PBSZ");
        session_send(session, "PROT P");
        session_expect(session, 2, "PROT");
    }
}

void session_close(struct session *session)
{
    session_send(session, "QUIT");
    session_expect(session, 2, "QUIT");
    if (session->tls)
        tls_end(session->tls);
    close(session->control);
}

void session_send(struct session *session, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text - 2, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof text - 2)
        die("command too long");
    memcpy(text + length, "\r\n", 2);
    if (session->tls)
        tls_write(session->tls, text, (size_t)length + 2);
    else if (send(session->control, text, (size_t)length + 2, MSG_NOSIGNAL) != length + 2)
        die("control connection: %s", strerror(errno));
}

/* Move the next line into session->line. */
static void next_line(struct session *session)
{
    char *end;
    while (!(end = memchr(session->buffer, '\n', session->used))) {
        size_t room = sizeof session->buffer - session->used;
        if (room == 0)
            die("reply line too long");
        char *to = session->buffer + session->used;
        size_t count = received(session->control, session->tls, to, room);
        if (count == 0)
            die("control connection: closed by the server");
        session->used += count;
    }
    size_t length = (size_t)(end - session->buffer) + 1;
    size_t kept = length < sizeof session->line ? length : sizeof session->line;
    memcpy(session->line, session->buffer, kept);
    session->line[kept - 1] = '\0';
    session->line[strcspn(session->line, "\r")] = '\0';
    session->used -= length;
    memmove(session->buffer, session->buffer + length, session->used);
}

/* Read one whole reply, RFC 959 4.2, and return its code. */
int session_reply(struct session *session)
{
    char code[4];
    next_line(session);
    snprintf(code, sizeof code, "%.3s", session->line);
    if (session->line[3] == '-')
        do
            next_line(session);
        while (strncmp(session->line, code, 3) != 0 || session->line[3] != ' ');
    return atoi(code);
}

void session_expect(struct session *session, int hundreds, const char *what)
{
    if (session_reply(session) / 100 != hundreds)
        die("%s: %s", what, session->line);
}

static unsigned short passive_port(struct session *session)
{
    unsigned a, b, c, d, high, low, port;
    if (!session->no_epsv) {
        session_send(session, "EPSV");
        int code = session_reply(session);
        const char *from = strchr(session->line, '(');
        if (code == 229 && from && sscanf(from, "(|||%u|)", &port) == 1)
            return (unsigned short)port;
        session->no_epsv = 1;
    }
    session_send(session, "PASV");
    session_expect(session, 2, "PASV");
    const char *from = session->line + 3 + strcspn(session->line + 3, "0123456789");
    if (sscanf(from, "%u,%u,%u,%u,%u,%u", &a, &b, &c, &d, &high, &low) != 6)
        die("PASV: %s", session->line);
    return (unsigned short)(high << 8 | low);
}

int data_open(struct session *session)
{
    return connected(passive_port(session));
}
