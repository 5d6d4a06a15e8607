/* See simple.h. */
#define _GNU_SOURCE
#include "simple.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SMALL ((uint64_t)64 << 10)
#define LONGEST 1024     /* a line */
#define TURN ((size_t)4 << 20)

static void put(struct simple *session, const char *from, size_t size)
{
    while (size) {
        ssize_t count = send(session->end, from, size, MSG_NOSIGNAL);
        if (count < 0)
            die("sending: %s", strerror(errno));
        from += count;
        size -= (size_t)count;
    }
}

/* Receive something; what was taken makes room. */
static void fill(struct simple *session)
{
    session->used -= session->at;
    memmove(session->buffer, session->buffer + session->at, session->used);
    session->at = 0;
    size_t room = sizeof session->buffer - session->used;
    size_t count = received(session->end, NULL, session->buffer + session->used, room);
    if (count == 0)
        die("closed by the server");
    session->used += count;
}

/* Take the next line into session->line; it has to begin with a word. */
static void expect(struct simple *session, const char *word)
{
    char *from, *end;
    while (!(end = memchr(session->buffer + session->at, '\n', session->used - session->at))) {
        if (session->used - session->at >= LONGEST)
            die("answer too long");
        fill(session);
    }
    from = session->buffer + session->at;
    snprintf(session->line, sizeof session->line, "%.*s", (int)(end - from), from);
    session->at += (size_t)(end - from) + 1;
    if (strncmp(session->line, word, strlen(word)) != 0)
        die("not %s: %s", word, session->line);
}

/* Throw away the bytes of a file; those that have not come yet stay in the kernel. */
static void drop(struct simple *session, uint64_t size)
{
    while (size) {
        uint64_t count = session->used - session->at;
        if (count) {
            count = count < size ? count : size;
            session->at += count;
        } else if (size < SMALL) {
            fill(session);
            continue;
        } else {
            count = received(session->end, NULL, NULL, size < TURN ? size : TURN);
            if (count == 0)
                die("closed by the server in the middle of a file");
        }
        size -= count;
    }
}

static size_t name(const struct errand *errand, long number, char *to)
{
    int length;
    if (errand->content)
        length = snprintf(to, LONGEST, "%s%d-%ld", errand->path, errand->index, number);
    else if (errand->files)
        length = snprintf(to, LONGEST, "%s%05ld", errand->path,
                          (errand->first + number) % errand->files);
    else
        length = snprintf(to, LONGEST, "%s", errand->path);
    if (length < 0 || length >= LONGEST)
        die("name too long");
    return (size_t)length;
}

/* Write what asks for a file, with the bytes of an upload behind it; return where it ends. */
static char *ask(const struct errand *errand, long number, char *to)
{
    const struct content *content = errand->content;
    if (content)
        to += sprintf(to, "UPLD %llu+ ", (unsigned long long)content->size);
    else
        to += sprintf(to, "DWLD ");
    to += name(errand, number, to);
    *to++ = '\n';
    if (content) {
        memcpy(to, content->mapped, content->size);
        to += content->size;
    }
    return to;
}

/* Read the answer of a file and, of a download, its bytes. */
static uint64_t answered(struct simple *session, const struct errand *errand)
{
    expect(session, "OK ");
    uint64_t size = strtoull(session->line + 3, NULL, 10);
    if (!errand->content)
        drop(session, size);
    else if (size != errand->content->size)
        die("stored %llu bytes", (unsigned long long)size);
    return size;
}

/* Keep as many files on their way as may be. */
static void pipelined(struct simple *session, const struct errand *errand)
{
    size_t most = LONGEST + (errand->content ? errand->content->size : 0);
    char *batch = zeroed(PIPELINED, most);
    double since[PIPELINED];
    long asked = 0, count = errand->count;
    for (long done = 0; done < count; done++) {
        char *end = batch;
        if (errand->enough())
            count = asked;
        /* No more than one segment is sent when half of the last ones are still to be answered. */
        if (asked - done <= PIPELINED / 2)
            for (; asked < count && asked - done < PIPELINED; asked++) {
                since[asked % PIPELINED] = now();
                end = ask(errand, asked, end);
            }
        put(session, batch, (size_t)(end - batch));
        if (done < asked) {
            uint64_t size = answered(session, errand);
            errand->done(errand->whom, since[done % PIPELINED], size);
        }
    }
    free(batch);
}

/* One after the other. */
static void in_turn(struct simple *session, const struct errand *errand)
{
    char line[2 * LONGEST], path[LONGEST];
    for (long number = 0; number < errand->count && !errand->enough(); number++) {
        double since = now();
        name(errand, number, path);
        if (errand->content) {
            unsigned long long size = errand->content->size;
            put(session, line, (size_t)sprintf(line, "UPLD %llu %s\n", size, path));
            expect(session, "GO");
            pour_plain(session->end, errand->content);
        } else {
            put(session, line, (size_t)sprintf(line, "DWLD %s\n", path));
        }
        errand->done(errand->whom, since, answered(session, errand));
    }
}

void simple_open(struct simple *session, const struct target *target)
{
    char line[LONGEST];
    int yes = 1;
    session->used = session->at = 0;
    session->end = connected(target->port);
    setsockopt(session->end, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    expect(session, "OK ");
    int length = snprintf(line, sizeof line, "USER %s\nPASS %s\n", target->user, target->password);
    if (length < 0 || (size_t)length >= sizeof line)
        die("name or password too long");
    put(session, line, (size_t)length);
    expect(session, "OK ");
    expect(session, "OK ");
}

void simple_close(struct simple *session)
{
    put(session, "QUIT\n", 5);
    expect(session, "OK ");
    close(session->end);
}

void simple_run(struct simple *session, const struct errand *errand)
{
    if (errand->files || (errand->content && errand->content->size <= SMALL))
        pipelined(session, errand);
    else
        in_turn(session, errand);
}
