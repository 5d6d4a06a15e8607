/* One FTP session as a load client needs it: blocking, plain, on loopback.
 *
 * Whatever goes wrong ends the program with one line on standard error: a measurement with a
 * failed session in it is worth nothing. All bytes of the control connection pass through
 * session_send() and session_reply(), all bytes of a data connection through drain(), read_all()
 * and pour(); TLS belongs in those five.
 */
#ifndef FTP_H
#define FTP_H

#include <stddef.h>
#include <stdint.h>

struct target {
    unsigned short port;
    const char *user;
    const char *password;
};

struct session {
    const struct target *target;
    int control;
    int no_epsv;
    size_t used;
    char line[1024];     /* the last line of the last reply */
    char buffer[2048];
};

struct listing {
    uint64_t bytes;
    long lines;
    double first;        /* when the first byte came, as now() */
};

double now(void);
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

void session_open(struct session *session, const struct target *target);
void session_login(struct session *session);
void session_close(struct session *session);
void session_send(struct session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int session_reply(struct session *session);
void session_expect(struct session *session, int hundreds, const char *what);

int data_open(struct session *session);
uint64_t drain(int data);
struct listing read_all(int data);
void pour(int data, int source, uint64_t size);

#endif
