/* Versions, the devices there are, and their handles. */

#include <stdio.h>

#include "standin.h"

static struct device handles[MOST_DEVICES][MOST_PLACES + 1];

static __attribute__((constructor)) void number_the_handles(void) {
    for (int index = 0; index < MOST_DEVICES; index++)
        for (int place = WHOLE; place < MOST_PLACES; place++)
            handles[index][place + 1] = (struct device){index, place};
}

const struct device *handle_of(int index, int place) { return &handles[index][place + 1]; }

static int devices(void) {
    uint64_t number = 0;
    scenario_whole(NULL, "devices", &number);
    return number < MOST_DEVICES ? (int)number : MOST_DEVICES;
}

bool exists(const struct device *who) {
    struct instance found;
    if (who < &handles[0][0] || who >= &handles[MOST_DEVICES][0] || who->index >= devices())
        return false;
    return who->place == WHOLE || instance_in(who, &found);
}

EXPORT const char *nvmlErrorString(int code) {
    static __thread char text[32];
    snprintf(text, sizeof text, "error %d", code);
    return text;
}

EXPORT int nvmlSystemGetDriverVersion(char *text, unsigned size) { return one_text(__func__, NULL, "driver", text, size); }

EXPORT int nvmlSystemGetNVMLVersion(char *text, unsigned size) { return one_text(__func__, NULL, "version", text, size); }

EXPORT int nvmlSystemGetCudaDriverVersion(int *version) {
    return one_unsigned(__func__, NULL, "cuda", (unsigned *)version);
}

EXPORT int nvmlSystemGetCudaDriverVersion_v2(int *version) {
    return one_unsigned(__func__, NULL, "cuda", (unsigned *)version);
}

EXPORT int nvmlDeviceGetCount_v2(unsigned *count) {
    int code = gate(__func__, NULL);
    if (code == SUCCESS)
        *count = (unsigned)devices();
    return code;
}

EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, const struct device **handle) {
    int code = gate(__func__, NULL);
    if (code == SUCCESS && index >= (unsigned)devices())
        code = INVALID_ARGUMENT;
    if (code == SUCCESS)
        code = gate(__func__, handle_of((int)index, WHOLE));
    if (code == SUCCESS)
        *handle = handle_of((int)index, WHOLE);
    return code;
}
