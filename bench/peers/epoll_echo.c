/*
 * The raw loop that echo servers are compared with: edge-triggered epoll, one thread, and as few
 * system calls as a server on epoll can make for a message: its share of a wait, a recv, a send.
 *
 * usage: epoll_echo PORT
 */
#include "floor.h"

#include <sys/epoll.h>

#define EVENTS_PER_WAIT 1024

static char buffer[16384];

static void watch(int poller, int descriptor, uint32_t events) {
    struct epoll_event event = {.events = events | EPOLLET, .data.fd = descriptor};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event) != 0) die("epoll_ctl");
}

static void accept_all(int poller, int listener) {
    for (;;) {
        int connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (connection < 0) return;
        watch(poller, connection, EPOLLIN | EPOLLRDHUP);
    }
}

/* A read that does not fill the buffer has emptied the socket, unless the stream has ended. */
static void echo(int connection, uint32_t events) {
    const bool ending = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    for (;;) {
        ssize_t received = recv(connection, buffer, sizeof buffer, 0);
        if (received < 0 && errno == EAGAIN) return;
        if (received <= 0) break;
        if (send(connection, buffer, (size_t)received, MSG_NOSIGNAL) != received) break;
        if ((size_t)received < sizeof buffer && !ending) return;
    }
    close(connection);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s PORT\n", argv[0]);
        return 2;
    }
    prepare_process();
    const int listener = open_listener((uint16_t)atoi(argv[1]));
    const int poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) die("epoll_create1");
    watch(poller, listener, EPOLLIN);

    static struct epoll_event events[EVENTS_PER_WAIT];
    for (;;) {
        int count = epoll_wait(poller, events, EVENTS_PER_WAIT, -1);
        if (count < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener) {
                accept_all(poller, listener);
            } else {
                echo(events[i].data.fd, events[i].events);
            }
        }
    }
}
