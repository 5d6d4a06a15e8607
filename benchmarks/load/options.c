/* See options.h. */
#define _GNU_SOURCE
#include "options.h"

#include <stdlib.h>
#include <string.h>

#define MOST_CLIENTS 1000

struct options options = {
    .path = "", .source = "", .type = "I", .clients = 1, .count = 1,
    .target = {.user = "bench", .password = "bench"},
};

int is(const char *job)
{
    return strcmp(options.job, job) == 0;
}

static void option(char *text)
{
    char *value = strchr(text, '=');
    if (!value)
        die("name=value, not %s", text);
    *value++ = '\0';
    if (!strcmp(text, "port")) options.target.port = (unsigned short)atoi(value);
    else if (!strcmp(text, "user")) options.target.user = value;
    else if (!strcmp(text, "password")) options.target.password = value;
    else if (!strcmp(text, "clients")) options.clients = atol(value);
    else if (!strcmp(text, "count")) options.count = atol(value);
    else if (!strcmp(text, "files")) options.files = atol(value);
    else if (!strcmp(text, "size")) options.size = strtoull(value, NULL, 10);
    else if (!strcmp(text, "most")) options.most = atof(value);
    else if (!strcmp(text, "path")) options.path = value;
    else if (!strcmp(text, "directory")) options.directory = value;
    else if (!strcmp(text, "source")) options.source = value;
    else if (!strcmp(text, "type")) options.type = value;
    else if (!strcmp(text, "simple")) options.simple = atoi(value);
    else if (!strcmp(text, "tls")) options.target.secure = atoi(value);
    else die("no such option: %s", text);
}

void options_read(int argc, char **argv)
{
    if (argc < 2)
        die("usage: load JOB name=value ...");
    options.job = argv[1];
    for (int i = 2; i < argc; i++)
        option(argv[i]);
    if (options.clients < 1 || options.clients > MOST_CLIENTS || options.count < 1)
        die("clients=1..%d, count=1...", MOST_CLIENTS);
    if (options.simple && (options.target.secure || !(is("retr") || is("stor"))))
        die("simple=1 is for retr and stor, without tls=1");
}
