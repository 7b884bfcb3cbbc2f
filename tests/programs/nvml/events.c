/* Errors of the driver: each line `DEVICE xid NUMBER` is one event, at the time of the line. Those that came before a set
   watched the device are not told to it. */

#include <stdlib.h>

#include "standin.h"
#include "structs.h"

enum { XID = 8 };
static const double LOOK_AGAIN = 0.005;

struct event_set {
    bool watches[MOST_DEVICES];
    int told[MOST_DEVICES];
};

static int events_of(int index, char lines[MOST_LINES][TEXT]) {
    return scenario_lines(handle_of(index, WHOLE), "xid", lines);
}

EXPORT int nvmlEventSetCreate(struct event_set **set) {
    int code = gate(__func__, NULL);
    if (code == SUCCESS)
        *set = calloc(1, sizeof **set);
    return code;
}

EXPORT int nvmlEventSetFree(struct event_set *set) {
    free(set);
    return SUCCESS;
}

EXPORT int nvmlDeviceRegisterEvents(const struct device *device, uint64_t types, struct event_set *set) {
    char lines[MOST_LINES][TEXT];
    int code = gate(__func__, device);
    if (code != SUCCESS)
        return code;
    if (set == NULL || types & ~(uint64_t)XID)
        return INVALID_ARGUMENT;
    set->watches[device->index] = true;
    set->told[device->index] = events_of(device->index, lines);
    return SUCCESS;
}

static bool next_event(struct event_set *set, struct event *event) {
    char lines[MOST_LINES][TEXT];
    for (int index = 0; index < MOST_DEVICES; index++) {
        if (!set->watches[index])
            continue;
        int number = events_of(index, lines);
        if (set->told[index] >= number) {
            set->told[index] = number;
            continue;
        }
        uint64_t xid = strtoull(lines[set->told[index]++], NULL, 10);
        *event = (struct event){handle_of(index, WHOLE), XID, xid, ~0u, ~0u};
        return true;
    }
    return false;
}

EXPORT int nvmlEventSetWait_v2(struct event_set *set, struct event *event, unsigned milliseconds) {
    int code = gate(__func__, NULL);
    if (code != SUCCESS || set == NULL)
        return code != SUCCESS ? code : INVALID_ARGUMENT;
    double until = monotonic() + milliseconds * 1e-3;
    while (!next_event(set, event)) {
        if (monotonic() >= until)
            return TIMEOUT;
        nap(LOOK_AGAIN);
    }
    return SUCCESS;
}
