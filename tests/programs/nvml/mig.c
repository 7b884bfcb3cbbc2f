/* Instances of MIG: `DEVICE instance PLACE UUID GPU_INSTANCE COMPUTE_INSTANCE`; `DEVICE instance PLACE -` takes it away. */

#include <stdio.h>
#include <string.h>

#include "standin.h"

bool instance_in(const struct device *who, struct instance *found) {
    static __thread char lines[MOST_LINES][TEXT];
    int number = scenario_lines(handle_of(who->index, WHOLE), "instance", lines), place;
    bool there = false;
    for (int at = 0; at < number; at++) {
        struct instance one;
        int words = sscanf(lines[at], "%d %255s %u %u", &place, one.uuid, &one.gpu_instance, &one.compute_instance);
        if (place != who->place || words < 2)
            continue;
        there = strcmp(one.uuid, "-") != 0;
        *found = one;
    }
    return there;
}

const struct device *instance_with(const struct device *whole, unsigned gpu_instance) {
    struct instance found;
    for (int place = 0; place < MOST_PLACES; place++) {
        const struct device *one = handle_of(whole->index, place);
        if (instance_in(one, &found) && found.gpu_instance == gpu_instance)
            return one;
    }
    return NULL;
}

EXPORT int nvmlDeviceGetMigDeviceHandleByIndex(const struct device *device, unsigned place, const struct device **handle) {
    struct instance found;
    int code = gate(__func__, device);
    if (code != SUCCESS)
        return code;
    if (place >= MOST_PLACES || !instance_in(handle_of(device->index, (int)place), &found))
        return NOT_FOUND;
    *handle = handle_of(device->index, (int)place);
    return SUCCESS;
}

static int identity(const char *function, const struct device *device, struct instance *found) {
    int code = gate(function, device);
    if (code != SUCCESS)
        return code;
    return device->place != WHOLE && instance_in(device, found) ? SUCCESS : NOT_SUPPORTED;
}

EXPORT int nvmlDeviceGetGpuInstanceId(const struct device *device, unsigned *number) {
    struct instance found;
    int code = identity(__func__, device, &found);
    if (code == SUCCESS)
        *number = found.gpu_instance;
    return code;
}

EXPORT int nvmlDeviceGetComputeInstanceId(const struct device *device, unsigned *number) {
    struct instance found;
    int code = identity(__func__, device, &found);
    if (code == SUCCESS)
        *number = found.compute_instance;
    return code;
}
