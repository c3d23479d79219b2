/*
 * The floor on io_uring: multishot accept and receive, provided buffers, a registered ring.
 *
 * usage: uring_floor -p PORT [-C]
 *
 * With -C a receive is one-shot and the answer's send is linked to the close: a multishot receive
 * would hold the file open past it.
 */
#include "floor.h"

#include <liburing.h>
#include <sys/mman.h>

#define SUBMISSIONS 4096
#define COMPLETIONS 32768
#define BUFFERS 4096 /* A power of two, as the buffer ring wants. */
#define BUFFER_BYTES 2048
#define BUFFER_GROUP 0

enum operation { OPERATION_ACCEPT, OPERATION_RECEIVE, OPERATION_SEND, OPERATION_CLOSE };

struct server {
    struct io_uring ring;
    struct io_uring_buf_ring *buffer_ring;
    char *buffers;
    int buffers_returned; /* In this batch of completions, not yet published to the kernel. */
    int listener;
    bool close_after_answer;
    struct answer_block answers;
};

static uint8_t matched_by_descriptor[DESCRIPTORS_MAX];

/* Room for two, so that a linked pair is never cut in half by a full queue. */
static struct io_uring_sqe *next_entry(struct server *server) {
    while (io_uring_sq_space_left(&server->ring) < 2) io_uring_submit(&server->ring);
    return io_uring_get_sqe(&server->ring);
}

/* Goes last: preparing an entry may clear it. */
static void tag(struct io_uring_sqe *entry, enum operation operation, int descriptor) {
    entry->user_data = (uint64_t)descriptor << 8 | operation;
}

static void submit_accept(struct server *server) {
    struct io_uring_sqe *entry = next_entry(server);
    io_uring_prep_multishot_accept(entry, server->listener, NULL, NULL, 0);
    tag(entry, OPERATION_ACCEPT, server->listener);
}

static void submit_receive(struct server *server, int connection) {
    struct io_uring_sqe *entry = next_entry(server);
    if (server->close_after_answer) {
        io_uring_prep_recv(entry, connection, NULL, BUFFER_BYTES, 0);
    } else {
        io_uring_prep_recv_multishot(entry, connection, NULL, 0, 0);
    }
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->buf_group = BUFFER_GROUP;
    tag(entry, OPERATION_RECEIVE, connection);
}

static void submit_answers(struct server *server, int connection, size_t count) {
    if (count > ANSWERS_PER_SEND_MAX) { /* More heads than one buffer of real requests can hold. */
        shutdown(connection, SHUT_RDWR);
        return;
    }
    struct io_uring_sqe *entry = next_entry(server);
    io_uring_prep_send(entry, connection, server->answers.bytes,
                       count * server->answers.answer_length, MSG_NOSIGNAL | MSG_WAITALL);
    tag(entry, OPERATION_SEND, connection);
    if (!server->close_after_answer) return;

    entry->flags |= IOSQE_IO_LINK;
    entry = io_uring_get_sqe(&server->ring);
    io_uring_prep_close(entry, connection);
    tag(entry, OPERATION_CLOSE, connection);
}

static void on_accept(struct server *server, const struct io_uring_cqe *completion) {
    const int connection = completion->res;
    if (connection >= DESCRIPTORS_MAX) {
        close(connection);
    } else if (connection >= 0) {
        matched_by_descriptor[connection] = 0;
        submit_receive(server, connection);
    }
    if ((completion->flags & IORING_CQE_F_MORE) == 0) submit_accept(server);
}

/* Counts the heads in the buffer that the kernel chose, and gives the buffer back. */
static size_t consume_buffer(struct server *server, const struct io_uring_cqe *completion,
                             int connection) {
    const unsigned short id = (unsigned short)(completion->flags >> IORING_CQE_BUFFER_SHIFT);
    char *buffer = server->buffers + (size_t)id * BUFFER_BYTES;
    size_t heads =
        count_heads(buffer, (size_t)completion->res, &matched_by_descriptor[connection]);
    io_uring_buf_ring_add(server->buffer_ring, buffer, BUFFER_BYTES, id,
                          io_uring_buf_ring_mask(BUFFERS), server->buffers_returned);
    server->buffers_returned++;
    return heads;
}

static void on_receive(struct server *server, const struct io_uring_cqe *completion,
                       int connection) {
    const bool armed = (completion->flags & IORING_CQE_F_MORE) != 0;
    if (completion->res > 0) {
        size_t heads = consume_buffer(server, completion, connection);
        if (heads > 0 && server->close_after_answer) {
            submit_answers(server, connection, 1);
            return;
        }
        if (heads > 0) submit_answers(server, connection, heads);
        if (!armed) submit_receive(server, connection);
    } else if (completion->res == -ENOBUFS) {
        /* The buffers of this batch are published before the new receive is submitted. */
        submit_receive(server, connection);
    } else {
        close(connection);
    }
}

static void on_completion(struct server *server, const struct io_uring_cqe *completion) {
    const int descriptor = (int)(completion->user_data >> 8);
    switch ((enum operation)(completion->user_data & 0xff)) {
    case OPERATION_ACCEPT:
        on_accept(server, completion);
        break;
    case OPERATION_RECEIVE:
        on_receive(server, completion, descriptor);
        break;
    case OPERATION_SEND: /* The receive, or the cancelled close, notices and cleans up. */
        if (completion->res < 0) shutdown(descriptor, SHUT_RDWR);
        break;
    case OPERATION_CLOSE:
        if (completion->res == -ECANCELED) close(descriptor);
        break;
    }
}

static void *map_zeroed(size_t length) {
    void *memory =
        mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) die("mmap");
    return memory;
}

static void check(int result, const char *what) {
    if (result < 0) {
        errno = -result;
        die(what);
    }
}

static void set_up_ring(struct server *server) {
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
        .cq_entries = COMPLETIONS,
    };
    check(io_uring_queue_init_params(SUBMISSIONS, &server->ring, &params), "io_uring_setup");
    check(io_uring_register_ring_fd(&server->ring), "io_uring_register_ring_fd");

    server->buffers = map_zeroed((size_t)BUFFERS * BUFFER_BYTES);
    server->buffer_ring = map_zeroed(BUFFERS * sizeof(struct io_uring_buf));
    struct io_uring_buf_reg registration = {
        .ring_addr = (uintptr_t)server->buffer_ring,
        .ring_entries = BUFFERS,
        .bgid = BUFFER_GROUP,
    };
    check(io_uring_register_buf_ring(&server->ring, &registration, 0), "register_buf_ring");
    io_uring_buf_ring_init(server->buffer_ring);
    for (int i = 0; i < BUFFERS; i++) {
        io_uring_buf_ring_add(server->buffer_ring, server->buffers + (size_t)i * BUFFER_BYTES,
                              BUFFER_BYTES, (unsigned short)i, io_uring_buf_ring_mask(BUFFERS), i);
    }
    io_uring_buf_ring_advance(server->buffer_ring, BUFFERS);
}

int main(int argc, char **argv) {
    const struct floor_options options = parse_floor_options(argc, argv);
    prepare_process();
    static struct server server;
    server.close_after_answer = options.close_after_answer;
    server.answers = make_answers(options.close_after_answer);
    server.listener = open_listener(options.port);
    set_up_ring(&server);
    submit_accept(&server);

    for (;;) {
        io_uring_submit_and_wait(&server.ring, 1);
        struct io_uring_cqe *completion;
        unsigned head;
        unsigned seen = 0;
        io_uring_for_each_cqe(&server.ring, head, completion) {
            on_completion(&server, completion);
            seen++;
        }
        io_uring_buf_ring_advance(server.buffer_ring, server.buffers_returned);
        server.buffers_returned = 0;
        io_uring_cq_advance(&server.ring, seen);
    }
}
