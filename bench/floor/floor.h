/*
 * What the floor servers share: the constant answer, the counter of request heads, the listener.
 *
 * A floor server says what the kernel alone costs. It does the least that still answers every
 * request once: it finds the blank line that ends a head and sends fixed bytes. Nothing here is a
 * model of how to write a server.
 */
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Descriptors index the per-connection arrays; a larger one is refused. */
#define DESCRIPTORS_MAX 65536
/* The most answers that one send carries: many times the deepest pipelining that is measured. */
#define ANSWERS_PER_SEND_MAX 256
#define LISTEN_BACKLOG 4096

struct floor_options {
    uint16_t port;
    bool close_after_answer;
};

/* The same answer ANSWERS_PER_SEND_MAX times in a row, so that a pipelined batch is one send. */
struct answer_block {
    char *bytes;
    size_t answer_length;
};

_Noreturn static inline void die(const char *what) {
    perror(what);
    exit(1);
}

static inline struct floor_options parse_floor_options(int argc, char **argv) {
    struct floor_options options = {0};
    int option;
    while ((option = getopt(argc, argv, "p:C")) != -1) {
        if (option == 'p') {
            options.port = (uint16_t)atoi(optarg);
        } else if (option == 'C') {
            options.close_after_answer = true;
        } else {
            options.port = 0;
            break;
        }
    }
    if (options.port == 0) {
        fprintf(stderr, "usage: %s -p PORT [-C]\n  -C  close each connection after one answer\n",
                argv[0]);
        exit(2);
    }
    return options;
}

/* The header fields a real server sends, so that the kernel copies as many bytes. */
static inline struct answer_block make_answers(bool close_after_answer) {
    char answer[256];
    int length = snprintf(answer, sizeof answer,
                          "HTTP/1.1 200 OK\r\n"
                          "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
                          "Server: floor\r\n"
                          "Content-Type: text/plain\r\n"
                          "%s"
                          "Content-Length: 13\r\n"
                          "\r\n"
                          "Hello, World!",
                          close_after_answer ? "Connection: close\r\n" : "");
    struct answer_block block = {.answer_length = (size_t)length};
    block.bytes = malloc(block.answer_length * ANSWERS_PER_SEND_MAX);
    if (block.bytes == NULL) die("malloc");
    for (size_t i = 0; i < ANSWERS_PER_SEND_MAX; i++) {
        memcpy(block.bytes + i * block.answer_length, answer, block.answer_length);
    }
    return block;
}

/*
 * Counts the request heads that end in these bytes. `matched` is how much of CR LF CR LF the bytes
 * of earlier reads ended with (0 to 3), and is updated.
 */
static inline size_t count_heads(const char *bytes, size_t length, uint8_t *matched) {
    static const char blank_line[4] = {'\r', '\n', '\r', '\n'};
    const char *at = bytes;
    const char *end = bytes + length;
    size_t heads = 0;
    while (*matched == 0 && end - at >= 4) {
        const char *found = memchr(at, '\r', (size_t)(end - at) - 3);
        if (found == NULL) {
            at = end - 3;
        } else if (memcmp(found, blank_line, sizeof blank_line) == 0) {
            heads++;
            at = found + sizeof blank_line;
        } else {
            at = found + 1;
        }
    }
    for (; at < end; at++) { /* A match that began in an earlier read, or may end in a later one. */
        if (*at == blank_line[*matched]) {
            (*matched)++;
        } else {
            *matched = *at == '\r';
        }
        if (*matched == sizeof blank_line) {
            heads++;
            *matched = 0;
        }
    }
    return heads;
}

/* TCP_NODELAY is set here once: accepted sockets inherit it. */
static inline int open_listener(uint16_t port) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0) die("socket");
    const int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0) die("bind");
    if (listen(listener, LISTEN_BACKLOG) != 0) die("listen");
    return listener;
}

/* Raises the soft limit of descriptors to the hard one, and makes broken pipes plain errors. */
static inline void prepare_process(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) die("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) die("setrlimit");
    signal(SIGPIPE, SIG_IGN);
}
