/*
 * The client of the echo servers: each connection has one message under way at any time.
 *
 * usage: echo_load PORT CONNECTIONS SECONDS BYTES
 *
 * Warms up, prints "ready" and waits for a line on standard input. After SECONDS nothing more is
 * sent and every message still out must come back, so when the line of JSON is printed the server
 * is idle and has echoed every message counted in it. Anything else than the bytes that were sent
 * ends the run with status 1.
 */
#include "floor.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <time.h>

#define EVENTS_PER_WAIT 1024
#define MESSAGE_BYTES_MAX 16384
#define LONGEST_SILENCE_SECONDS 10.0
#define WARM_UP_SECONDS 0.1

struct load {
    int poller;
    size_t message_bytes;
    bool sending;
    int out; /* Messages that have not come back. */
    uint64_t messages;
};

static char message[MESSAGE_BYTES_MAX];
static char received_bytes[MESSAGE_BYTES_MAX + 1];
static size_t received_of[DESCRIPTORS_MAX];

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

static int add_connection(const struct load *load, uint16_t port) {
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0 || descriptor >= DESCRIPTORS_MAX) fail("socket: %s", strerror(errno));
    const int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(descriptor, (const struct sockaddr *)&address, sizeof address) != 0) {
        fail("connect: %s", strerror(errno));
    }
    if (fcntl(descriptor, F_SETFL, O_NONBLOCK) != 0) fail("fcntl: %s", strerror(errno));
    struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
    if (epoll_ctl(load->poller, EPOLL_CTL_ADD, descriptor, &event) != 0) {
        fail("epoll_ctl: %s", strerror(errno));
    }
    return descriptor;
}

static void send_message(struct load *load, int descriptor) {
    ssize_t sent = send(descriptor, message, load->message_bytes, MSG_NOSIGNAL);
    if (sent != (ssize_t)load->message_bytes) fail("send: %s", strerror(errno));
    received_of[descriptor] = 0;
    load->out++;
}

static void on_readable(struct load *load, int descriptor) {
    const size_t before = received_of[descriptor];
    const size_t missing = load->message_bytes - before;
    ssize_t received = recv(descriptor, received_bytes, missing + 1, 0);
    if (received < 0 && errno == EAGAIN) return;
    if (received < 0) fail("recv: %s", strerror(errno));
    if (received == 0) fail("the server closed a connection");
    if ((size_t)received > missing) fail("more came back than was sent");
    if (memcmp(received_bytes, message + before, (size_t)received) != 0) {
        fail("something else came back than was sent");
    }
    received_of[descriptor] += (size_t)received;
    if (received_of[descriptor] < load->message_bytes) return;
    load->out--;
    load->messages++;
    if (load->sending) send_message(load, descriptor);
}

/* Returns when `seconds` have passed and every message is back. */
static double run(struct load *load, const int *descriptors, int connections, double seconds) {
    static struct epoll_event events[EVENTS_PER_WAIT];
    const double started = now_seconds();
    double last_message = started;
    load->messages = 0;
    load->sending = true;
    for (int i = 0; i < connections; i++) send_message(load, descriptors[i]);
    while (load->out > 0) {
        int count = epoll_wait(load->poller, events, EVENTS_PER_WAIT, 100);
        for (int i = 0; i < count; i++) on_readable(load, events[i].data.fd);
        const double now = now_seconds();
        if (count > 0) last_message = now;
        if (now - started >= seconds) load->sending = false;
        if (now - last_message > LONGEST_SILENCE_SECONDS) {
            fail("%d messages never came back", load->out);
        }
    }
    return now_seconds() - started;
}

int main(int argc, char **argv) {
    static struct load load;
    static int descriptors[DESCRIPTORS_MAX];
    const int connections = argc == 5 ? atoi(argv[2]) : 0;
    const double seconds = argc == 5 ? atof(argv[3]) : 0;
    load.message_bytes = argc == 5 ? (size_t)atol(argv[4]) : 0;
    if (connections <= 0 || connections > DESCRIPTORS_MAX || seconds <= 0 ||
        load.message_bytes == 0 || load.message_bytes > MESSAGE_BYTES_MAX) {
        fprintf(stderr, "usage: %s PORT CONNECTIONS SECONDS BYTES\n", argv[0]);
        return 2;
    }
    prepare_process();
    for (size_t i = 0; i < load.message_bytes; i++) message[i] = (char)('a' + i % 26);
    load.poller = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < connections; i++) {
        descriptors[i] = add_connection(&load, (uint16_t)atoi(argv[1]));
    }
    run(&load, descriptors, connections, WARM_UP_SECONDS);

    char line[16];
    puts("ready");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL) return 1;
    const double elapsed = run(&load, descriptors, connections, seconds);
    printf("{\"messages\": %llu, \"seconds\": %.6f}\n", (unsigned long long)load.messages, elapsed);
    return 0;
}
