/* Readings of several numbers at once: memory, addresses, affinity, what an instance has. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "standin.h"
#include "structs.h"

/* What is free, if not said, is what nobody has. */
static int memory(const char *function, const struct device *device, struct memory_v2 *found) {
    int code = one_wide(function, device, "memory.total", &found->total);
    if (code != SUCCESS)
        return code;
    found->reserved = found->used = 0;
    scenario_whole(device, "memory.reserved", &found->reserved);
    scenario_whole(device, "memory.used", &found->used);
    if (found->used + found->reserved > found->total)
        found->used = found->total - found->reserved;
    found->free = found->total - found->reserved - found->used;
    scenario_whole(device, "memory.free", &found->free);
    return SUCCESS;
}

/* In the first version of the call the driver's reserve is part of what is used. */
EXPORT int nvmlDeviceGetMemoryInfo(const struct device *device, struct memory_v1 *answer) {
    struct memory_v2 found;
    int code = memory(__func__, device, &found);
    if (code == SUCCESS)
        *answer = (struct memory_v1){found.total, found.free, found.used + found.reserved};
    return code;
}

/* A driver that was asked with another version said that it has no such function. */
EXPORT int nvmlDeviceGetMemoryInfo_v2(const struct device *device, struct memory_v2 *answer) {
    uint32_t version = answer->version;
    if (version != (sizeof *answer | 2 << 24))
        return FUNCTION_NOT_FOUND;
    int code = memory(__func__, device, answer);
    answer->version = version;
    return code;
}

EXPORT int nvmlDeviceGetBAR1MemoryInfo(const struct device *device, struct bar1 *answer) {
    int code = one_wide(__func__, device, "bar1.total", &answer->total);
    if (code != SUCCESS)
        return code;
    answer->used = 0;
    scenario_whole(device, "bar1.used", &answer->used);
    answer->free = answer->total - answer->used;
    return SUCCESS;
}

/* Numbers with spaces between them. */
static int several(const char *function, const struct device *device, const char *key, uint64_t *values, int most) {
    char text[TEXT], *next = text;
    int code = one_text(function, device, key, text, sizeof text);
    for (int at = 0; at < most; at++)
        values[at] = code == SUCCESS ? strtoull(next, &next, 10) : 0;
    return code;
}

EXPORT int nvmlDeviceGetRemappedRows(const struct device *device, unsigned *corrected, unsigned *uncorrected,
                                     unsigned *pending, unsigned *failed) {
    uint64_t values[4];
    int code = several(__func__, device, "remapped", values, 4);
    *corrected = (unsigned)values[0], *uncorrected = (unsigned)values[1];
    *pending = (unsigned)values[2], *failed = (unsigned)values[3];
    return code;
}

EXPORT int nvmlDeviceGetCudaComputeCapability(const struct device *device, int *major, int *minor) {
    uint64_t values[2];
    int code = several(__func__, device, "capability", values, 2);
    *major = (int)values[0], *minor = (int)values[1];
    return code;
}

EXPORT int nvmlDeviceGetMigMode(const struct device *device, unsigned *current, unsigned *pending) {
    uint64_t values[2];
    int code = several(__func__, device, "mig", values, 2);
    *current = (unsigned)values[0], *pending = (unsigned)values[1];
    return code;
}

EXPORT int nvmlDeviceGetCpuAffinity(const struct device *device, unsigned words, uint64_t *bits) {
    return several(__func__, device, "affinity", bits, (int)words);
}

EXPORT int nvmlDeviceGetAttributes_v2(const struct device *device, struct attributes *answer) {
    uint64_t v[9];
    int code = several(__func__, device, "attributes", v, 9);
    *answer = (struct attributes){(uint32_t)v[0], (uint32_t)v[1], (uint32_t)v[2], (uint32_t)v[3], (uint32_t)v[4],
                                  (uint32_t)v[5], (uint32_t)v[6], (uint32_t)v[7], v[8]};
    return code;
}

EXPORT int nvmlDeviceGetPciInfo_v3(const struct device *device, struct pci *answer) {
    char text[TEXT];
    int code = one_text(__func__, device, "pci", text, sizeof text);
    memset(answer, 0, sizeof *answer);
    if (code != SUCCESS)
        return code;
    if (sscanf(text, "%x:%x:%x", &answer->domain, &answer->bus, &answer->device) != 3)
        return INVALID_ARGUMENT;
    snprintf(answer->bus_id, sizeof answer->bus_id, "%08X:%02X:%02X.0", answer->domain, answer->bus, answer->device);
    snprintf(answer->short_bus_id, sizeof answer->short_bus_id, "%04X:%02X:%02X.0", answer->domain & 0xFFFF,
             answer->bus & 0xFF, answer->device & 0xFF);
    return SUCCESS;
}
