/* A library that looks to a sampler as the CUDA driver does: exported functions that only call others, which have no
   names once it is stripped and in which all of the time is spent, under frame pointers. `turns`: how long. */

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#define INNER static __attribute__((noinline))

INNER int spin(long turns) {
    volatile long left = turns;
    while (left > 0)
        left -= 1;
    return 0;
}

INNER int polls(long turns) {
    struct timespec now;
    for (long turn = 0; turn < turns; turn++)
        clock_gettime(CLOCK_MONOTONIC, &now);
    return (int)now.tv_nsec;
}

INNER int asks(long turns) {
    int failed = 0;
    for (long turn = 0; turn < turns; turn++)
        failed += ioctl(-1, 0, 0);
    return failed;
}

INNER int copies(long turns) {
    size_t size = 4 << 20;
    char *to = malloc(size);
    int sum = 0;
    for (long turn = 0; turn < turns; turn += 1 << 16)
        sum += *(char *)memset(to, (int)turn, size);
    free(to);
    return sum;
}

INNER int deeper(int (*inner)(long), long turns, int depth) {
    return depth > 0 ? 1 + deeper(inner, turns, depth - 1) : 1 + inner(turns);
}

int cuStreamSynchronize(long turns) { return 1 + deeper(spin, turns, 8); }
int cuEventSynchronize(long turns) { return 1 + deeper(polls, turns / 16, 5); }
int cuLaunchKernel(long turns) { return 1 + deeper(spin, turns, 7); }
int cuMemAlloc_v2(long turns) { return 1 + deeper(asks, turns / 64, 11); }
int cuMemcpyHtoDAsync_v2(long turns) { return 1 + deeper(copies, turns, 9); }
int cuTooDeep(long turns) { return 1 + deeper(spin, turns, 40); }
int cudbgOther(long turns) { return 1 + deeper(spin, turns, 3); }
