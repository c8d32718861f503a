/*
 * flood <times> <path> [processes] [threads]: every thread opens and closes a file so often, as fast as it can: one event a round.
 * Prints how many events a second that were.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long times;
static const char *path;

static void *rounds(void *unused) {
    for (long i = times; i > 0; i--) {
        int fd = open(path, O_RDONLY);
        if (fd < 0) _exit(1);
        close(fd);
    }
    return unused;
}

static void run(int threads) {
    pthread_t others[64];
    for (int i = 1; i < threads; i++)
        if (pthread_create(&others[i], NULL, rounds, NULL)) _exit(1);
    rounds(NULL);
    for (int i = 1; i < threads; i++) pthread_join(others[i], NULL);
}

int main(int argc, char **argv) {
    int processes = argc > 3 ? atoi(argv[3]) : 1, threads = argc > 4 ? atoi(argv[4]) : 1, failed = 0, status;
    struct timespec from, to;
    if (argc < 3 || threads > 64) return 1;
    times = atol(argv[1]);
    path = argv[2];
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 1; i < processes; i++) {
        if (fork() == 0) {
            run(threads);
            _exit(0);
        }
    }
    run(threads);
    while (wait(&status) > 0) failed |= status;
    clock_gettime(CLOCK_MONOTONIC, &to);
    double seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
    printf("%.0f\n", (double)times * processes * threads / seconds);
    return failed ? 1 : 0;
}
