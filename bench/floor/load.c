/*
 * A closed-loop HTTP client that costs as little as a client can.
 *
 * usage: load [-C] [-w] PORT CONNS SECONDS DEPTH PATH
 *   -C  one request per connection: asks for the close, waits for it, connects again (DEPTH is 1)
 *   -w  after the warm-up prints "ready" and waits for a line on standard input
 *
 * The first answer, on a connection of its own, is parsed to learn its length. From then on each
 * connection's stream must be answers of exactly that length, each beginning with a 200 status
 * line, and no byte more than was asked for. The first departure from that ends the run with
 * status 1. After SECONDS nothing more is sent, and every answer still owed must arrive; so when
 * the one line of JSON is printed the server is idle and has answered every request counted in it.
 */
#include "floor.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <time.h>

#define EVENTS_PER_WAIT 1024
#define DEPTH_MAX 256
#define REQUEST_BYTES_MAX 512
#define LONGEST_SILENCE_SECONDS 10.0
#define WAITS_PER_CLOCK_READING 16

static const char expected_start[] = "HTTP/1.1 200 ";
#define EXPECTED_START_LENGTH (sizeof expected_start - 1)

struct options {
    bool connection_per_request;
    bool wait_for_go;
    uint16_t port;
    int connections;
    double seconds;
    uint32_t depth;
    const char *path;
};

struct connection {
    uint32_t offset; /* Within the answer being received. */
    uint32_t owed;   /* Answers still to come for the requests sent. */
};

struct load {
    struct options options;
    struct sockaddr_in address;
    int poller;
    char *batch; /* DEPTH requests in a row. */
    size_t batch_length;
    size_t request_length;
    uint32_t answer_length;
    bool sending;
    int busy; /* Connections with answers owed, or with a close to wait for. */
    uint64_t answers;
};

static struct connection connections[DESCRIPTORS_MAX];
static char receive_buffer[262144];

__attribute__((format(printf, 1, 2))) _Noreturn static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("{\"error\": \"");
    vprintf(format, arguments);
    printf("\"}\n");
    va_end(arguments);
    exit(1);
}

static double now_seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static double cpu_seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int open_connection(const struct load *load) {
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0 || descriptor >= DESCRIPTORS_MAX) fail("socket: %s", strerror(errno));
    const int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(descriptor, (const struct sockaddr *)&load->address, sizeof load->address) != 0) {
        fail("connect: %s", strerror(errno));
    }
    return descriptor;
}

static void send_batch(struct load *load, int descriptor) {
    ssize_t sent = send(descriptor, load->batch, load->batch_length, MSG_NOSIGNAL);
    if (sent != (ssize_t)load->batch_length) fail("send: %s", strerror(errno));
    connections[descriptor] = (struct connection){.owed = load->options.depth};
    load->busy++;
}

/* A connection that is watched, has sent nothing yet, and never blocks. */
static int add_connection(struct load *load) {
    int descriptor = open_connection(load);
    if (fcntl(descriptor, F_SETFL, O_NONBLOCK) != 0) fail("fcntl: %s", strerror(errno));
    struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
    if (epoll_ctl(load->poller, EPOLL_CTL_ADD, descriptor, &event) != 0) {
        fail("epoll_ctl: %s", strerror(errno));
    }
    return descriptor;
}

/* The whole length of the answer whose head these bytes hold, or 0 while the head is incomplete. */
static size_t parse_answer_length(const char *text) {
    const char *head_end = strstr(text, "\r\n\r\n");
    if (head_end == NULL) return 0;
    if (strncmp(text, expected_start, EXPECTED_START_LENGTH) != 0) {
        fail("the first answer was %.12s", text);
    }
    const char *field = strcasestr(text, "\r\nContent-Length:");
    if (field == NULL || field > head_end) fail("the first answer has no Content-Length");
    const long body = strtol(field + strlen("\r\nContent-Length:"), NULL, 10);
    if (body < 0) fail("the first answer has a malformed Content-Length");
    return (size_t)(head_end - text) + strlen("\r\n\r\n") + (size_t)body;
}

static void learn_answer_length(struct load *load) {
    int descriptor = open_connection(load);
    send(descriptor, load->batch, load->request_length, MSG_NOSIGNAL);
    size_t received = 0;
    size_t length = 0;
    while (length == 0 || received < length) {
        /* Once the length is known, what the bytes are matters no more. */
        size_t used = length == 0 ? received : 0;
        size_t room = sizeof receive_buffer - 1 - used;
        ssize_t count = recv(descriptor, receive_buffer + used, room, 0);
        if (count <= 0) fail("the first answer did not come whole");
        received += (size_t)count;
        if (length > 0) continue;
        receive_buffer[received] = '\0';
        length = parse_answer_length(receive_buffer);
    }
    if (received > length) fail("the first answer is longer than its Content-Length");
    load->answer_length = (uint32_t)length;
    close(descriptor);
}

/* Walks from answer to answer; looks only at how each begins and where it ends. */
static void take_bytes(struct load *load, struct connection *connection, const char *bytes,
                       size_t length) {
    while (length > 0) {
        if (connection->owed == 0) fail("more bytes than the answers asked for");
        const uint32_t offset = connection->offset;
        uint32_t step = load->answer_length - offset;
        if (step > length) step = (uint32_t)length;
        if (offset < EXPECTED_START_LENGTH) {
            size_t compared = EXPECTED_START_LENGTH - offset;
            if (compared > step) compared = step;
            if (memcmp(bytes, expected_start + offset, compared) != 0) {
                fail("an answer does not begin with %s", expected_start);
            }
        }
        connection->offset = offset + step;
        if (connection->offset == load->answer_length) {
            connection->offset = 0;
            connection->owed--;
            load->answers++;
        }
        bytes += step;
        length -= step;
    }
}

/* The server closed. That is right only when it was asked to, after a whole answer. */
static void on_end(struct load *load, int descriptor) {
    if (!load->options.connection_per_request) fail("the server closed a connection");
    if (connections[descriptor].owed != 0) fail("the server closed before its answer was whole");
    close(descriptor);
    load->busy--;
    int next = add_connection(load);
    if (load->sending) send_batch(load, next);
}

static void on_readable(struct load *load, int descriptor) {
    ssize_t received = recv(descriptor, receive_buffer, sizeof receive_buffer, 0);
    if (received < 0 && errno == EAGAIN) return;
    if (received < 0) fail("recv: %s", strerror(errno));
    if (received == 0) {
        on_end(load, descriptor);
        return;
    }
    struct connection *connection = &connections[descriptor];
    take_bytes(load, connection, receive_buffer, (size_t)received);
    if (connection->owed > 0 || load->options.connection_per_request) return;
    load->busy--;
    if (load->sending) send_batch(load, descriptor);
}

/* Runs until `seconds` have passed, then on until every connection has all it is owed. */
static void run(struct load *load, double seconds) {
    static struct epoll_event events[EVENTS_PER_WAIT];
    const double deadline = now_seconds() + seconds;
    double last_answer = now_seconds();
    load->sending = seconds > 0;
    for (unsigned waits = 1; load->sending || load->busy > 0; waits++) {
        int count = epoll_wait(load->poller, events, EVENTS_PER_WAIT, 100);
        for (int i = 0; i < count; i++) on_readable(load, events[i].data.fd);
        if (waits % WAITS_PER_CLOCK_READING != 0 && count > 0) continue;
        const double now = now_seconds();
        if (count > 0) last_answer = now;
        if (now >= deadline) load->sending = false;
        if (now - last_answer > LONGEST_SILENCE_SECONDS) {
            fail("%d connections were never answered in full", load->busy);
        }
    }
}

static struct options parse_options(int argc, char **argv) {
    struct options options = {0};
    int option;
    while ((option = getopt(argc, argv, "Cw")) != -1) {
        options.connection_per_request |= option == 'C';
        options.wait_for_go |= option == 'w';
        if (option == '?') exit(2);
    }
    if (argc - optind == 5) {
        options.port = (uint16_t)atoi(argv[optind]);
        options.connections = atoi(argv[optind + 1]);
        options.seconds = atof(argv[optind + 2]);
        options.depth = (uint32_t)atoi(argv[optind + 3]);
        options.path = argv[optind + 4];
    }
    if (options.port == 0 || options.connections <= 0 || options.seconds <= 0 ||
        options.depth == 0 || options.depth > DEPTH_MAX ||
        (options.connection_per_request && options.depth != 1)) {
        fprintf(stderr, "usage: %s [-C] [-w] PORT CONNS SECONDS DEPTH PATH\n", argv[0]);
        exit(2);
    }
    return options;
}

static void make_batch(struct load *load) {
    char request[REQUEST_BYTES_MAX];
    const char *closing = load->options.connection_per_request ? "Connection: close\r\n" : "";
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%s\r\n", load->options.path,
                          load->options.port, closing);
    if (length >= (int)sizeof request) fail("the path is too long");
    load->request_length = (size_t)length;
    load->batch_length = load->request_length * load->options.depth;
    load->batch = malloc(load->batch_length);
    if (load->batch == NULL) fail("malloc");
    for (uint32_t i = 0; i < load->options.depth; i++) {
        memcpy(load->batch + i * load->request_length, request, load->request_length);
    }
}

static void wait_for_go(void) {
    char line[16];
    puts("ready");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL) exit(1);
}

/* Every connection that is open and idle sends its next batch. */
static void send_on_all(struct load *load, const int *descriptors) {
    for (int i = 0; i < load->options.connections; i++) send_batch(load, descriptors[i]);
}

int main(int argc, char **argv) {
    static struct load load;
    static int descriptors[DESCRIPTORS_MAX];
    load.options = parse_options(argc, argv);
    prepare_process();
    load.address = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons(load.options.port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    load.poller = epoll_create1(EPOLL_CLOEXEC);
    make_batch(&load);
    learn_answer_length(&load);

    for (int i = 0; i < load.options.connections; i++) descriptors[i] = add_connection(&load);
    if (!load.options.connection_per_request) {
        send_on_all(&load, descriptors);
        run(&load, 0);
    }
    if (load.options.wait_for_go) wait_for_go();

    load.answers = 0;
    const double started = now_seconds();
    const double cpu_started = cpu_seconds();
    send_on_all(&load, descriptors);
    run(&load, load.options.seconds);
    const double elapsed = now_seconds() - started;
    printf("{\"answers\": %llu, \"seconds\": %.6f, \"per_second\": %.0f, \"cpu_share\": %.3f, "
           "\"answer_bytes\": %u}\n",
           (unsigned long long)load.answers, elapsed, (double)load.answers / elapsed,
           (cpu_seconds() - cpu_started) / elapsed, load.answer_length);
    return 0;
}
