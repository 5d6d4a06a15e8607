/* The words of the command line. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "ftp.h"

extern struct options {
    const char *job, *path, *directory, *source, *type;
    long clients, count, files;
    uint64_t size;
    double most;                 /* seconds after which a client begins nothing new; 0: none */
    int simple;                  /* not FTP */
    struct target target;
} options;

void options_read(int argc, char **argv);
int is(const char *job);

#endif
