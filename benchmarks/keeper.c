/* Starts a server and stays its ancestor: keeper PROGRAM ARGUMENT ...
 *
 * Processes whose parents end before them become the keeper's children, so that their CPU time is
 * in its account (/proc/PID/stat) when it has reaped them. SIGTERM and SIGUSR1 are passed on. The
 * server does not outlive the keeper, nor the keeper the benchmark.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LAST_SECONDS 2

static volatile pid_t server;

static void pass_on(int number)
{
    if (server > 0)
        kill(server, number);
}

int main(int argc, char **argv)
{
    struct sigaction passing = {.sa_handler = pass_on};
    if (argc < 2)
        return 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    server = fork();
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execv(argv[1], argv + 1);
        fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
        _exit(127);
    }
    sigaction(SIGTERM, &passing, NULL);
    sigaction(SIGUSR1, &passing, NULL);
    for (;;) {
        int status;
        pid_t ended = wait(&status);
        if (ended == server)
            alarm(LAST_SECONDS); /* for sessions that are still there */
        if (ended < 0 && errno != EINTR)
            return 0;
    }
}
