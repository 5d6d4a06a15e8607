/* The load client: does one job against one server and prints one line of JSON.
 *
 *     load JOB name=value ...
 *
 * JOB is retr, stor, login, LIST, MLSD, idle or noop; the first two go by the simple protocol with
 * simple=1. Each client is a blocking thread. Clients log in first, wait for each other, and only
 * then does the clock run; it stops with the last final reply. Downloads are dropped inside the
 * kernel and uploads sent from the page cache, or decrypted and encrypted with tls=1; "cpu" tells
 * what the clients needed for it.
 */
#define _GNU_SOURCE
#include "figures.h"
#include "ftp.h"
#include "options.h"
#include "simple.h"
#include "tls.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define STACK ((size_t)512 << 10)

struct client {
    pthread_t thread;
    struct session session;
    long index, operations;
    uint64_t bytes;
    double *times, *firsts;      /* of each operation */
    double ended;
    struct session *idle;
    struct simple *simple;
};

static pthread_barrier_t ready, go;
static double began;
static atomic_int enough;
static struct content source;

static void record(struct client *client, double since, double first)
{
    client->times[client->operations] = now() - since;
    client->firsts[client->operations++] = first ? first - since : 0;
}

static void retrieve(struct client *client, long number)
{
    struct session *session = &client->session;
    double since = now();
    int data = data_open(session);
    if (options.files)
        session_send(session, "RETR %s%05ld", options.path, number % options.files);
    else
        session_send(session, "RETR %s", options.path);
    session_expect(session, 1, "RETR");
    client->bytes += drain(session, data);
    session_expect(session, 2, "RETR");
    record(client, since, 0);
}

static void store(struct client *client, long number)
{
    struct session *session = &client->session;
    double since = now();
    int data = data_open(session);
    session_send(session, "STOR %s%ld-%ld", options.path, client->index, number);
    session_expect(session, 1, "STOR");
    pour(session, data, &source);
    client->bytes += options.size;
    session_expect(session, 2, "STOR");
    record(client, since, 0);
}

static void list(struct client *client)
{
    struct session *session = &client->session;
    int data = data_open(session);
    double since = now();
    session_send(session, "%s", options.job);
    session_expect(session, 1, options.job);
    struct listing found = read_all(session, data);
    session_expect(session, 2, options.job);
    record(client, since, found.first);
    client->bytes += found.bytes;
    if (labs(found.lines - options.files) > 3)
        die("%s: %ld lines for %ld entries", options.job, found.lines, options.files);
}

static void login(struct client *client)
{
    double since = now();
    session_open(&client->session, &options.target);
    session_login(&client->session);
    record(client, since, 0);
    session_close(&client->session);
}

static void ask(struct client *client)
{
    struct timespec pause = {.tv_nsec = 1000000};
    /* Where that is allowed, it does not wait for those who pull. */
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), -10);
    while (client->operations < options.count && !enough) {
        double since = now();
        session_send(&client->session, "NOOP");
        session_expect(&client->session, 2, "NOOP");
        record(client, since, 0);
        nanosleep(&pause, NULL);
    }
}

static int over(void)
{
    return options.most > 0 && now() - began > options.most;
}

static void moved(void *client, double since, uint64_t bytes)
{
    ((struct client *)client)->bytes += bytes;
    record(client, since, 0);
}

static void work_simple(struct client *client)
{
    const struct errand errand = {
        .path = options.path, .files = options.files, .count = options.count,
        .first = client->index * options.count, .index = (int)client->index,
        .content = is("stor") ? &source : NULL, .enough = over, .done = moved, .whom = client,
    };
    simple_run(client->simple, &errand);
}

static void work(struct client *client)
{
    if (is("noop") && client->index == 0) {
        ask(client);
    } else if (is("noop")) {
        while (!enough) {
            client->operations = 0;
            retrieve(client, 0);
        }
        client->operations = 0;
    } else {
        for (long number = 0; number < options.count; number++) {
            if (over())
                break;
            if (is("retr"))
                retrieve(client, client->index * options.count + number);
            else if (is("stor"))
                store(client, number);
            else if (is("login"))
                login(client);
            else
                list(client);
        }
    }
}

static void prepare(struct client *client)
{
    struct session *session = &client->session;
    session_open(session, &options.target);
    session_login(session);
    session_send(session, "TYPE %s", options.type);
    session_expect(session, 2, "TYPE");
    if (options.directory) {
        session_send(session, "CWD %s", options.directory);
        session_expect(session, 2, "CWD");
    }
}

static void linger(struct client *client)
{
    client->idle = zeroed(options.count, sizeof *client->idle);
    for (; client->operations < options.count; client->operations++) {
        session_open(&client->idle[client->operations], &options.target);
        session_login(&client->idle[client->operations]);
    }
}

static void *run(void *argument)
{
    struct client *client = argument;
    int stays = is("idle"), prepared = !stays && !is("login");
    if (options.simple)
        simple_open(client->simple = zeroed(1, sizeof *client->simple), &options.target);
    else if (prepared)
        prepare(client);
    pthread_barrier_wait(&ready);
    pthread_barrier_wait(&go);
    if (options.simple)
        work_simple(client);
    else if (stays)
        linger(client);
    else
        work(client);
    client->ended = now();
    if (is("noop") && client->index == 0)
        enough = 1;
    if (options.simple)
        simple_close(client->simple);
    else if (prepared)
        session_close(&client->session);
    return NULL;
}

static void report(struct client *clients, double cpu)
{
    long operations = 0, times = 0;
    uint64_t bytes = 0;
    double ended = began;
    for (long i = 0; i < options.clients; i++) {
        operations += clients[i].operations;
        bytes += clients[i].bytes;
        ended = clients[i].ended > ended ? clients[i].ended : ended;
    }
    double *all = zeroed(operations + 1, sizeof *all);
    double *firsts = zeroed(operations + 1, sizeof *firsts);
    for (long i = 0; !is("idle") && i < options.clients; i++)
        for (long j = 0; j < clients[i].operations; j++, times++) {
            all[times] = clients[i].times[j];
            firsts[times] = clients[i].firsts[j];
        }
    ascend(all, times);
    ascend(firsts, times);
    printf("{\"seconds\": %.9f, \"bytes\": %llu, \"operations\": %ld, \"cpu\": %.6f, "
           "\"p50\": %.9f, \"p99\": %.9f, \"longest\": %.9f, \"first\": %.9f, "
           "\"secured\": %ld, \"resumed\": %ld}\n",
           ended - began, (unsigned long long)bytes, operations, cpu, quantile(all, times, .5),
           quantile(all, times, .99), quantile(all, times, 1), quantile(firsts, times, .5),
           tls_secured(), tls_resumed());
    fflush(stdout);
}

static void start(struct client *clients)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    for (long i = 0; i < options.clients; i++) {
        clients[i].index = i;
        clients[i].times = zeroed(options.count + 1, sizeof(double));
        clients[i].firsts = zeroed(options.count + 1, sizeof(double));
        if (pthread_create(&clients[i].thread, &attributes, run, &clients[i]))
            die("no more threads");
    }
}

int main(int argc, char **argv)
{
    options_read(argc, argv);
    if (options.target.secure)
        tls_prepare();
    if (is("stor"))
        source = content_open(options.source, options.size, options.target.secure || options.simple);

    struct client *clients = zeroed(options.clients, sizeof *clients);
    pthread_barrier_init(&ready, NULL, (unsigned)options.clients + 1);
    pthread_barrier_init(&go, NULL, (unsigned)options.clients + 1);
    start(clients);
    pthread_barrier_wait(&ready);
    double cpu = used();
    began = now();
    pthread_barrier_wait(&go);
    for (long i = 0; i < options.clients; i++)
        pthread_join(clients[i].thread, NULL);
    report(clients, used() - cpu);
    if (is("idle"))
        while (getchar() != EOF) /* the sessions stay until standard input ends */
            ;
    return 0;
}
