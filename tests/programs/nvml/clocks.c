/* The clocks of the stand-in. */

#include <time.h>

#include "standin.h"

static double now(clockid_t which) {
    struct timespec at;
    clock_gettime(which, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

double monotonic(void) { return now(CLOCK_MONOTONIC); }

uint64_t unix_microseconds(void) { return (uint64_t)(now(CLOCK_REALTIME) * 1e6); }

void nap(double seconds) {
    struct timespec rest = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&rest, NULL);
}
