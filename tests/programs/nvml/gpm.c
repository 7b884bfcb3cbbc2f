/* Counters of activity: `DEVICE gpm.support 1`, and the mean over any window by number: `DEVICE gpm.NUMBER VALUE`. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "standin.h"
#include "structs.h"

enum { DRAM = 10, LAST_KNOWN = 209 };
/* A shorter window holds no new reading. */
static const double SHORTEST = 0.1;

struct gpm_sample {
    const struct device *of;
    double at;
};

EXPORT int nvmlGpmQueryDeviceSupport(const struct device *device, struct gpm_support *answer) {
    uint64_t supported = 0;
    int code = gate(__func__, device);
    if (code != SUCCESS)
        return code;
    if (answer->version != 1)
        return VERSION_MISMATCH;
    scenario_whole(device, "gpm.support", &supported);
    answer->supported = (uint32_t)supported;
    return SUCCESS;
}

EXPORT int nvmlGpmSampleAlloc(struct gpm_sample **sample) {
    int code = gate(__func__, NULL);
    if (code == SUCCESS)
        *sample = calloc(1, sizeof **sample);
    return code;
}

EXPORT int nvmlGpmSampleFree(struct gpm_sample *sample) {
    free(sample);
    return SUCCESS;
}

static int taken(const struct device *of, struct gpm_sample *sample) {
    if (of == NULL || sample == NULL)
        return INVALID_ARGUMENT;
    *sample = (struct gpm_sample){of, monotonic()};
    return SUCCESS;
}

EXPORT int nvmlGpmSampleGet(const struct device *device, struct gpm_sample *sample) {
    int code = gate(__func__, device);
    return code != SUCCESS ? code : taken(device, sample);
}

EXPORT int nvmlGpmMigSampleGet(const struct device *device, unsigned gpu_instance, struct gpm_sample *sample) {
    int code = gate(__func__, device);
    return code != SUCCESS ? code : taken(instance_with(device, gpu_instance), sample);
}

static void answer(const struct device *of, struct gpm_metric *metric, bool too_short) {
    static const struct gpm_name name = {"metric", "a metric", "%"};
    char key[TEXT];
    snprintf(key, sizeof key, "gpm.%u", metric->number);
    metric->value = 0;
    metric->name = name;
    metric->error = scenario_real(of, key, &metric->value) ? SUCCESS : NOT_SUPPORTED;
    if (too_short && metric->error == SUCCESS)
        metric->value = metric->number == DRAM ? NAN : 0;
}

EXPORT int nvmlGpmMetricsGet(struct gpm_question *question) {
    int code = gate(__func__, NULL);
    if (code != SUCCESS)
        return code;
    if (question->version != 1)
        return VERSION_MISMATCH;
    const struct gpm_sample *first = question->first, *second = question->second;
    if (first == NULL || second == NULL || first->of == NULL || first->of != second->of || first->at > second->at)
        return INVALID_ARGUMENT;
    for (unsigned at = 0; at < question->count; at++)
        if (question->metrics[at].number == 0 || question->metrics[at].number > LAST_KNOWN)
            return INVALID_ARGUMENT;
    code = gate(__func__, first->of);
    for (unsigned at = 0; code == SUCCESS && at < question->count; at++)
        answer(first->of, &question->metrics[at], second->at - first->at < SHORTEST);
    return code;
}
