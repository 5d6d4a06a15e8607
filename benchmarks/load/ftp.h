/* One FTP session as a load client needs it: blocking, plain or under TLS, on loopback.
 *
 * Whatever goes wrong ends the program with one line on standard error: a measurement with a
 * failed session in it is worth nothing. All bytes of the control connection pass through
 * session_send() and session_reply(), all bytes of a data connection through drain(), read_all()
 * and pour(); under TLS these three begin with the handshake, so call them behind the 150.
 */
#ifndef FTP_H
#define FTP_H

#include <stddef.h>
#include <stdint.h>

struct target {
    unsigned short port;
    const char *user;
    const char *password;
    int secure;          /* TLS, on all connections */
};

struct ssl_st;

struct session {
    const struct target *target;
    int control;
    struct ssl_st *tls;  /* of the control connection; NULL: plain */
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

struct content {         /* of a file, to be sent */
    int file;
    uint64_t size;
    const char *mapped;  /* what TLS encrypts from, and what is sent behind a line */
};

double now(void);
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
void *zeroed(long count, size_t size);
int connected(unsigned short port);

void session_open(struct session *session, const struct target *target);
void session_login(struct session *session);
void session_close(struct session *session);
void session_send(struct session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int session_reply(struct session *session);
void session_expect(struct session *session, int hundreds, const char *what);

size_t received(int end, struct ssl_st *tls, void *to, size_t room);
struct content content_open(const char *path, uint64_t size, int mapped);
void pour_plain(int data, const struct content *content);
int data_open(struct session *session);
uint64_t drain(struct session *session, int data);
struct listing read_all(struct session *session, int data);
void pour(struct session *session, int data, const struct content *content);

#endif
