/* The structures of NVML's interface that the stand-in fills. tests/collectors/gpu compares their sizes with the binding's. */

#ifndef STRUCTS_H
#define STRUCTS_H

#include <stdint.h>

struct device;

struct memory_v1 {
    uint64_t total, free, used;
};

struct memory_v2 {
    uint32_t version;
    uint64_t total, reserved, free, used;
};

struct bar1 {
    uint64_t total, free, used;
};

struct utilization {
    uint32_t gpu, memory;
};

struct temperature {
    uint32_t version, sensor;
    int32_t celsius;
};

struct pci {
    char short_bus_id[16];
    uint32_t domain, bus, device, device_id, subsystem_id;
    char bus_id[32];
};

struct attributes {
    uint32_t multiprocessors, copy_engines, decoders, encoders, jpeg, ofa, gpu_slices, compute_slices;
    uint64_t memory_mib;
};

struct process_info {
    uint32_t pid;
    uint64_t memory;
    uint32_t gpu_instance, compute_instance;
};

struct process_use {
    uint32_t pid;
    uint64_t microseconds;
    uint32_t sm, memory, encoder, decoder;
};

union number {
    double real;
    uint64_t whole;
    int32_t small;
};

struct field {
    uint32_t number, scope;
    int64_t microseconds, latency;
    uint32_t type;
    int32_t error;
    union number value;
};

struct event {
    const struct device *device;
    uint64_t type, data;
    uint32_t gpu_instance, compute_instance;
};

struct gpm_support {
    uint32_t version, supported;
};

struct gpm_name {
    const char *name, *long_name, *unit;
};

struct gpm_metric {
    uint32_t number;
    int32_t error;
    double value;
    struct gpm_name name;
};

struct gpm_sample;

/* Its end differs from version to version of the binding: so many metrics as are asked for are there. */
struct gpm_question {
    uint32_t version, count;
    struct gpm_sample *first, *second;
    struct gpm_metric metrics[];
};

#endif
