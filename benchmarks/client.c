/*
 * The benchmark's client: opens many streams, or polls many times, and measures what arrives.
 *
 *     client stream|poll HOST PORT PATH CONNECTIONS WARMUP SECONDS INTERVAL RATE [HEADER...]
 *
 * PATH may be @FILE: connection n then asks for its n-th line, and begins again at its end.
 *
 * In C because a client in Python takes as long for an event as a good server does, and would
 * hold it back. It prints "opened N S" when every connection has its first answer, "begin" and
 * "end" around the measured SECONDS, and then the figures, one a line. With 0 SECONDS it measures
 * until every stream has ended. The lag of an event is its receipt minus the `changed_at` in it;
 * a poll is charged for every change since the poll before, RATE of them a second.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    OPENING_AT_ONCE = 256, /* below every server's backlog */
    CARRY = 64,            /* the longest token and number that a read may cut in two */
    BUFFER = 256 * 1024,
    BUCKETS = 2048, /* of 1 % each: from a microsecond to over ten minutes */
    READY = 512,
    AT_MOST_SECONDS = 900,
};

static const char TOKEN[] = "\"changed_at\":";
static const char COUNT[] = "\"processed_files\":";

struct connection {
    int fd;
    int answered; /* its response has begun */
    int waiting;  /* a poll is under way */
    long files;   /* as of the poll before, or -1 */
    int carried;
    char carry[CARRY];
};

static struct connection *connections;
static int wanted, begun, opened, live, failed, polling, poller;
static char **paths;
static int path_count;
static char headers[4096];
static double rate;
static struct sockaddr_in address;

static int measuring;
static long events, bytes, polls;
static long histogram[BUCKETS];
static char buffer[CARRY + BUFFER];

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void note(double lag) {
    int bucket = lag > 1e-6 ? (int)(log(lag * 1e6) / log(1.01)) : 0;
    histogram[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
}

static void finish(struct connection *c, int good) {
    if (c->fd < 0) return;
    close(c->fd);
    c->fd = -1;
    live--;
    if (!good) failed++;
    if (!c->answered) opened++, c->answered = 1; /* nobody waits for it */
}

static void ask(struct connection *c) {
    static char request[8192];
    int request_size = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n%s\r\n",
                                paths[(c - connections) % path_count], headers);
    c->waiting = 1;
    if (send(c->fd, request, (size_t)request_size, MSG_NOSIGNAL) != request_size) finish(c, 0);
    if (measuring) polls++;
}

static void begin(struct connection *c) {
    int one = 1;
    c->files = -1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    begun++;
    live++;
    if (c->fd < 0) {
        perror("socket");
        exit(1);
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) {
        perror("connect");
        finish(c, 0);
        return;
    }
    struct epoll_event e = {.events = EPOLLOUT, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e);
}

/* What a poll shows happened before it, one after the other. */
static void note_poll(struct connection *c, const char *from, const char *to, double lag) {
    const char *last = NULL, *next = from;
    while ((next = memmem(next, (size_t)(to - next), COUNT, sizeof COUNT - 1))) last = next++;
    long files = last ? atol(last + sizeof COUNT - 1) : c->files;
    if (c->files >= 0 && measuring)
        for (long n = c->files + 1; n <= files; n++) note(lag + (double)(files - n) / rate);
    c->files = files;
    c->waiting = 0;
}

/* Take the events between `at` and `end`, and carry what may go on in the next read. */
static void take(struct connection *c, const char *at, const char *end) {
    double received = now(CLOCK_REALTIME);
    const char *keep = end - (end - at < (long)sizeof TOKEN - 1 ? end - at : (long)sizeof TOKEN - 1);
    const char *token, *done = at;
    while ((token = memmem(done, (size_t)(end - done), TOKEN, sizeof TOKEN - 1))) {
        const char *digit = token + sizeof TOKEN - 1;
        double value = 0, scale = 0;
        for (; digit < end && ((*digit >= '0' && *digit <= '9') || *digit == '.'); digit++) {
            if (*digit == '.') { scale = 1; continue; }
            value = value * 10 + (*digit - '0');
            scale *= 10;
        }
        if (digit == end) {
            keep = token;
            break;
        }
        double lag = received - value / (scale > 0 ? scale : 1) / 1000;
        if (polling) note_poll(c, done, token, lag);
        else if (measuring) note(lag);
        if (measuring) events++;
        done = digit;
        if (keep < done) keep = done;
    }
    c->carried = (int)(end - keep) > CARRY ? CARRY : (int)(end - keep);
    memcpy(c->carry, end - c->carried, (size_t)c->carried);
}

static void read_from(struct connection *c) {
    ssize_t n = recv(c->fd, buffer + CARRY, BUFFER, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        finish(c, n == 0);
        return;
    }
    if (measuring) bytes += n;
    char *at = buffer + CARRY, *end = at + n;
    if (!c->answered) {
        if (n < 12 || memcmp(at + 8, " 200", 4) != 0) {
            fprintf(stderr, "refused: %.*s\n", (int)(n < 60 ? n : 60), at);
            finish(c, 0);
            return;
        }
        c->answered = 1;
        opened++;
    }
    at -= c->carried;
    memcpy(at, c->carry, (size_t)c->carried);
    take(c, at, end);
    /* The last chunk of a response whose stream ended; the connection would be kept alive. */
    if (!polling && end - at >= 5 && memcmp(end - 5, "0\r\n\r\n", 5) == 0) finish(c, 1);
}

static void serve(double until, double started, double interval) {
    static struct epoll_event ready[READY];
    static long turn; /* the poll that is due next */
    double left = until - now(CLOCK_MONOTONIC);
    if (polling && started > 0) {
        double due = started + (double)turn * interval / wanted;
        while (due <= now(CLOCK_MONOTONIC)) {
            struct connection *c = &connections[turn++ % wanted];
            if (c->fd >= 0 && !c->waiting) ask(c);
            due = started + (double)turn * interval / wanted;
        }
        if (due - now(CLOCK_MONOTONIC) < left) left = due - now(CLOCK_MONOTONIC);
    }
    if (left < 0) left = 0;
    if (left > 0.5) left = 0.5;
    int n = epoll_wait(poller, ready, READY, (int)ceil(left * 1000));
    for (int i = 0; i < n; i++) {
        struct connection *c = ready[i].data.ptr;
        if (c->fd < 0) continue;
        if (ready[i].events & EPOLLOUT) {
            struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
            epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e);
            ask(c);
        } else read_from(c);
    }
}

static void report(double seconds, double used) {
    printf("end\nevents %ld\nbytes %ld\npolls %ld\nlive %d\nfailed %d\nseconds %.6f\ncpu %.6f\n",
           events, bytes, polls, live, failed, seconds, used);
    printf("histogram");
    for (int i = 0; i < BUCKETS; i++)
        if (histogram[i]) printf(" %d:%ld", i, histogram[i]);
    printf("\ndone\n");
}

static void read_paths(char *given) {
    static char line[2048];
    paths = calloc((size_t)wanted, sizeof *paths);
    paths[0] = given;
    path_count = 1;
    if (given[0] != '@') return;
    FILE *file = fopen(given + 1, "r");
    for (path_count = 0; file && path_count < wanted && fscanf(file, "%2047s", line) == 1;)
        paths[path_count++] = strdup(line);
    if (!path_count) exit(2);
}

static void say(const char *line) {
    puts(line);
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc < 10) return 2;
    polling = strcmp(argv[1], "poll") == 0;
    wanted = atoi(argv[5]);
    double warmup = atof(argv[6]), seconds = atof(argv[7]), interval = atof(argv[8]);
    rate = atof(argv[9]) > 0 ? atof(argv[9]) : 1;
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)atoi(argv[3]));
    if (inet_pton(AF_INET, argv[2], &address.sin_addr) != 1) return 2;
    read_paths(argv[4]);
    int size = snprintf(headers, sizeof headers, "Host: %s:%s\r\n", argv[2], argv[3]);
    for (int i = 10; i < argc && size < (int)sizeof headers; i++)
        size += snprintf(headers + size, sizeof headers - (size_t)size, "%s\r\n", argv[i]);
    if (size >= (int)sizeof headers) return 2;
    connections = calloc((size_t)wanted, sizeof *connections);
    poller = epoll_create1(0);
    alarm(AT_MOST_SECONDS);

    double start = now(CLOCK_MONOTONIC);
    while (opened < wanted) {
        while (begun < wanted && begun - opened < OPENING_AT_ONCE) begin(&connections[begun]);
        serve(start + AT_MOST_SECONDS, 0, interval);
    }
    printf("opened %d %.6f\n", wanted - failed, now(CLOCK_MONOTONIC) - start);
    fflush(stdout);

    double polling_since = now(CLOCK_MONOTONIC), from = polling_since + warmup;
    while (now(CLOCK_MONOTONIC) < from && live > 0) serve(from, polling_since, interval);
    measuring = 1;
    say("begin");
    from = now(CLOCK_MONOTONIC);
    double used = cpu(), until = from + (seconds > 0 ? seconds : AT_MOST_SECONDS);
    while (now(CLOCK_MONOTONIC) < until && live > 0) serve(until, polling_since, interval);
    report(now(CLOCK_MONOTONIC) - from, cpu() - used);
    return 0;
}
