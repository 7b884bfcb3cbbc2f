/* Readings that are one text or one number. */

#include <stdio.h>
#include <string.h>

#include "standin.h"
#include "structs.h"

int one_text(const char *function, const struct device *who, const char *key, char *text, unsigned size) {
    char found[TEXT];
    int code = gate(function, who);
    if (code != SUCCESS)
        return code;
    if (!scenario_text(who, key, found))
        return NOT_SUPPORTED;
    if (strlen(found) >= size)
        return INSUFFICIENT_SIZE;
    strcpy(text, found);
    return SUCCESS;
}

int one_wide(const char *function, const struct device *who, const char *key, uint64_t *value) {
    int code = gate(function, who);
    if (code != SUCCESS)
        return code;
    return scenario_whole(who, key, value) ? SUCCESS : NOT_SUPPORTED;
}

int one_unsigned(const char *function, const struct device *who, const char *key, unsigned *value) {
    uint64_t wide = 0;
    int code = one_wide(function, who, key, &wide);
    if (code == SUCCESS)
        *value = (unsigned)wide;
    return code;
}

/* Of several kinds: `KEY.KIND`. */
static int one_of(const char *function, const struct device *who, const char *key, unsigned kind, unsigned *value) {
    char whole_key[TEXT];
    snprintf(whole_key, sizeof whole_key, "%s.%u", key, kind);
    return one_unsigned(function, who, whole_key, value);
}

#define UNSIGNED(function, key) \
    EXPORT int function(const struct device *device, unsigned *value) { return one_unsigned(#function, device, key, value); }
#define WIDE(function, key) \
    EXPORT int function(const struct device *device, uint64_t *value) { return one_wide(#function, device, key, value); }
#define UNSIGNED_OF(function, key) \
    EXPORT int function(const struct device *device, unsigned kind, unsigned *value) { \
        return one_of(#function, device, key, kind, value); \
    }

UNSIGNED(nvmlDeviceGetArchitecture, "architecture")
UNSIGNED(nvmlDeviceGetComputeMode, "compute.mode")
UNSIGNED(nvmlDeviceGetCurrPcieLinkGeneration, "pcie.generation")
UNSIGNED(nvmlDeviceGetCurrPcieLinkWidth, "pcie.width")
UNSIGNED(nvmlDeviceGetEnforcedPowerLimit, "power.limit")
UNSIGNED(nvmlDeviceGetMaxMigDeviceCount, "mig.most")
UNSIGNED(nvmlDeviceGetMaxPcieLinkGeneration, "pcie.generation.max")
UNSIGNED(nvmlDeviceGetMaxPcieLinkWidth, "pcie.width.max")
UNSIGNED(nvmlDeviceGetMemoryBusWidth, "memory.bus")
UNSIGNED(nvmlDeviceGetMinorNumber, "minor")
UNSIGNED(nvmlDeviceGetNumGpuCores, "cores")
UNSIGNED(nvmlDeviceGetPcieReplayCounter, "pcie.replays")
UNSIGNED(nvmlDeviceGetPerformanceState, "performance.state")
UNSIGNED(nvmlDeviceGetPersistenceMode, "persistence")
UNSIGNED(nvmlDeviceGetPowerManagementDefaultLimit, "power.limit.default")
UNSIGNED(nvmlDeviceGetPowerUsage, "power")
WIDE(nvmlDeviceGetCurrentClocksEventReasons, "reasons")
WIDE(nvmlDeviceGetCurrentClocksThrottleReasons, "reasons")
WIDE(nvmlDeviceGetTotalEnergyConsumption, "energy")
UNSIGNED_OF(nvmlDeviceGetClockInfo, "clock")
UNSIGNED_OF(nvmlDeviceGetMaxClockInfo, "clock.max")
UNSIGNED_OF(nvmlDeviceGetNvLinkState, "nvlink")
UNSIGNED_OF(nvmlDeviceGetTemperature, "temperature")

EXPORT int nvmlDeviceGetTemperatureV(const struct device *device, struct temperature *asked) {
    if (asked->version != (sizeof *asked | 1 << 24))
        return VERSION_MISMATCH;
    return one_of(__func__, device, "temperature", asked->sensor, (unsigned *)&asked->celsius);
}

EXPORT int nvmlDeviceGetName(const struct device *device, char *text, unsigned size) {
    return one_text(__func__, device, "name", text, size);
}

EXPORT int nvmlDeviceGetUUID(const struct device *device, char *text, unsigned size) {
    struct instance found;
    int code = gate(__func__, device);
    if (code != SUCCESS)
        return code;
    if (device == NULL || device->place == WHOLE || !instance_in(device, &found))
        return one_text(__func__, device, "uuid", text, size);
    snprintf(text, size, "%s", found.uuid);
    return SUCCESS;
}

EXPORT int nvmlDeviceGetUtilizationRates(const struct device *device, struct utilization *rates) {
    int code = one_unsigned(__func__, device, "busy", &rates->gpu);
    uint64_t memory = 0;
    if (code == SUCCESS)
        scenario_whole(device, "busy.memory", &memory);
    rates->memory = (unsigned)memory;
    return code;
}

/* Measures for 20 ms, as a driver does. */
EXPORT int nvmlDeviceGetPcieThroughput(const struct device *device, unsigned counter, unsigned *kib_per_second) {
    int code = one_unsigned(__func__, device, counter == 0 ? "pcie.tx" : "pcie.rx", kib_per_second);
    if (code == SUCCESS)
        nap(0.02);
    return code;
}

EXPORT int nvmlDeviceGetTotalEccErrors(const struct device *device, unsigned kind, unsigned counter, uint64_t *errors) {
    char key[TEXT];
    snprintf(key, sizeof key, "ecc.%s%s", kind == 0 ? "corrected" : "uncorrected", counter == 0 ? "" : ".aggregate");
    return one_wide(__func__, device, key, errors);
}
