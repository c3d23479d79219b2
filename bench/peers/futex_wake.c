/*
 * What waking another OS thread costs with nothing around it: two threads, on a core each, that
 * sleep in the kernel on a futex and wake one another in turns.
 *
 * usage: futex_wake ROW COUNT FIRST_CORE SECOND_CORE
 *
 * Prints the nanoseconds of a round trip: those that pass (wake_other_worker), or those of both
 * threads' processor time (wake_other_worker_cpu).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct turn {
    _Alignas(64) _Atomic uint32_t whose;
    long count;
    int core;
};

static void pin(int core) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(core, &cores);
    pthread_setaffinity_np(pthread_self(), sizeof cores, &cores);
}

static void wait_for_turn(struct turn *turn, uint32_t mine) {
    while (atomic_load_explicit(&turn->whose, memory_order_acquire) != mine) {
        syscall(SYS_futex, &turn->whose, FUTEX_WAIT_PRIVATE, 1 - mine, NULL, NULL, 0);
    }
}

static void pass_turn(struct turn *turn, uint32_t to) {
    atomic_store_explicit(&turn->whose, to, memory_order_release);
    syscall(SYS_futex, &turn->whose, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *answer(void *argument) {
    struct turn *turn = argument;
    pin(turn->core);
    for (long i = 0; i < turn->count; i++) {
        wait_for_turn(turn, 1);
        pass_turn(turn, 0);
    }
    return NULL;
}

static double now_ns(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

int main(int argc, char **argv) {
    const long count = argc == 5 ? atol(argv[2]) : 0;
    if (count <= 0) {
        fprintf(stderr, "usage: %s ROW COUNT FIRST_CORE SECOND_CORE\n", argv[0]);
        return 2;
    }
    const bool elapsed = strcmp(argv[1], "wake_other_worker") == 0;
    const clockid_t clock = elapsed ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID;
    const long warm_up = count / 10 + 1;
    struct turn turn = {.count = count + warm_up, .core = atoi(argv[4])};
    pthread_t other;
    if (pthread_create(&other, NULL, answer, &turn) != 0) return 1;
    pin(atoi(argv[3]));
    double started = 0;
    for (long i = 0; i < count + warm_up; i++) {
        if (i == warm_up) started = now_ns(clock);
        pass_turn(&turn, 1);
        wait_for_turn(&turn, 0);
    }
    printf("%.2f\n", (now_ns(clock) - started) / (double)count);
    pthread_join(other, NULL);
    return 0;
}
