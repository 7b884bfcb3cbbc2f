/* What the parts of the stand-in for NVML share. It answers what a scenario says: a text file, named by the environment
   variable STANDIN_NVML_SCENARIO, that is read again whenever it changes (tests/nvml.py describes and writes it). */

#ifndef STANDIN_H
#define STANDIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

enum {
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    DRIVER_NOT_LOADED = 9,
    TIMEOUT = 10,
    FUNCTION_NOT_FOUND = 13,
    VERSION_MISMATCH = 25,
};

enum { MOST_DEVICES = 16, MOST_PLACES = 16, MOST_LINES = 128, TEXT = 256 };

/* What a handle points to: a device, or the instance of MIG in one of its places (WHOLE: the device itself). In place of
   a pointer to one, NULL means the library. */
struct device {
    int index;
    int place;
};
enum { WHOLE = -1 };

/* scenario.c: the lines that hold at this moment. Of several lines with one key, the last counts. */
bool scenario_read(void);
bool scenario_text(const struct device *who, const char *key, char text[TEXT]);
bool scenario_whole(const struct device *who, const char *key, uint64_t *value);
bool scenario_real(const struct device *who, const char *key, double *value);
int scenario_lines(const struct device *who, const char *key, char lines[MOST_LINES][TEXT]);

/* clocks.c */
double monotonic(void);
uint64_t unix_microseconds(void);
void nap(double seconds);

/* gate.c: what every function asks first; anything but SUCCESS is its answer. Waits where it is to hang. */
int gate(const char *function, const struct device *who);

/* mig.c */
struct instance {
    char uuid[TEXT];
    unsigned gpu_instance;
    unsigned compute_instance;
};
bool instance_in(const struct device *who, struct instance *found);
const struct device *instance_with(const struct device *whole, unsigned gpu_instance);

/* system.c */
const struct device *handle_of(int index, int place);
bool exists(const struct device *who);

/* device.c */
int one_text(const char *function, const struct device *who, const char *key, char *text, unsigned size);
int one_unsigned(const char *function, const struct device *who, const char *key, unsigned *value);
int one_wide(const char *function, const struct device *who, const char *key, uint64_t *value);

#endif
