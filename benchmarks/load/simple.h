/* One session of the simple protocol (docs/simple-protocol.md), as ftp.h has one of FTP.
 *
 * Small files are pipelined: up to PIPELINED commands are on their way, uploads with their bytes
 * behind them, and are answered in order. Large ones are asked for one at a time, so that their
 * bytes need not pass through here.
 */
#ifndef SIMPLE_H
#define SIMPLE_H

#include "ftp.h"

#define PIPELINED 64

struct simple {
    int end;
    size_t used, at;     /* what was received, and how much of it was taken */
    char line[1024];     /* the last answer */
    char buffer[1 << 18];
};

/* What to do, and who is told of each file: when it was asked for, and its bytes. */
struct errand {
    const char *path;    /* of the file, or what the names of files begin with */
    long files;          /* to choose from; 0: path is the one */
    long first, count;
    int index;           /* of the client, in the names of uploads */
    const struct content *content; /* NULL: download */
    int (*enough)(void);
    void (*done)(void *whom, double since, uint64_t bytes);
    void *whom;
};

void simple_open(struct simple *session, const struct target *target);
void simple_close(struct simple *session);
void simple_run(struct simple *session, const struct errand *errand);

#endif
