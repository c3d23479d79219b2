/*
 * The floor: edge-triggered epoll, one thread, a constant answer per request head.
 *
 * usage: epoll_floor -p PORT [-C]
 *
 * Its CPU time per request is what the benchmarks divide by.
 */
#include "floor.h"

#include <sys/epoll.h>

#define EVENTS_PER_WAIT 1024

static uint8_t matched_by_descriptor[DESCRIPTORS_MAX];
static char receive_buffer[65536];

static void watch(int poller, int descriptor, uint32_t events) {
    struct epoll_event event = {.events = events | EPOLLET, .data.fd = descriptor};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event) != 0) die("epoll_ctl");
}

static void accept_all(int poller, int listener) {
    for (;;) {
        int connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (connection < 0) return;
        if (connection >= DESCRIPTORS_MAX) {
            close(connection);
            continue;
        }
        matched_by_descriptor[connection] = 0;
        watch(poller, connection, EPOLLIN | EPOLLRDHUP);
    }
}

/* A short send means a client that does not read: the close that follows fails its run. */
static bool send_answers(int connection, const struct answer_block *answers, size_t count) {
    while (count > 0) {
        size_t now = count < ANSWERS_PER_SEND_MAX ? count : ANSWERS_PER_SEND_MAX;
        size_t length = now * answers->answer_length;
        if (send(connection, answers->bytes, length, MSG_NOSIGNAL) != (ssize_t)length) return false;
        count -= now;
    }
    return true;
}

/*
 * Reads until the socket is empty. A read that does not fill the buffer has emptied it, so the one
 * that would say EAGAIN is saved, except when the event says that the end of the stream is there.
 */
static void serve(int connection, uint32_t events, const struct answer_block *answers,
                  bool close_after_answer) {
    const bool ending = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    for (;;) {
        ssize_t received = recv(connection, receive_buffer, sizeof receive_buffer, 0);
        if (received < 0 && errno == EAGAIN) return;
        if (received <= 0) break;
        size_t heads = count_heads(receive_buffer, (size_t)received,
                                   &matched_by_descriptor[connection]);
        if (heads > 0) {
            if (close_after_answer) heads = 1;
            if (!send_answers(connection, answers, heads)) break;
            if (close_after_answer) break;
        }
        if ((size_t)received < sizeof receive_buffer && !ending) return;
    }
    close(connection);
}

int main(int argc, char **argv) {
    const struct floor_options options = parse_floor_options(argc, argv);
    prepare_process();
    const struct answer_block answers = make_answers(options.close_after_answer);
    const int listener = open_listener(options.port);
    const int poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) die("epoll_create1");
    watch(poller, listener, EPOLLIN);

    static struct epoll_event events[EVENTS_PER_WAIT];
    for (;;) {
        int count = epoll_wait(poller, events, EVENTS_PER_WAIT, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener) {
                accept_all(poller, listener);
            } else {
                serve(events[i].data.fd, events[i].events, &answers, options.close_after_answer);
            }
        }
    }
}
