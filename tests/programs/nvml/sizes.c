/* How large each structure is here, under the name that the binding gives it. */

#include <string.h>

#include "standin.h"
#include "structs.h"

static const struct {
    const char *name;
    size_t size;
} sizes[] = {
    {"c_nvmlMemory_t", sizeof(struct memory_v1)},
    {"c_nvmlMemory_v2_t", sizeof(struct memory_v2)},
    {"c_nvmlBAR1Memory_t", sizeof(struct bar1)},
    {"c_nvmlUtilization_t", sizeof(struct utilization)},
    {"c_nvmlTemperature_v1_t", sizeof(struct temperature)},
    {"nvmlPciInfo_t", sizeof(struct pci)},
    {"c_nvmlDeviceAttributes", sizeof(struct attributes)},
    {"c_nvmlProcessInfo_v2_t", sizeof(struct process_info)},
    {"c_nvmlProcessInfo_v3_t", sizeof(struct process_info)},
    {"c_nvmlProcessUtilizationSample_t", sizeof(struct process_use)},
    {"c_nvmlValue_t", sizeof(union number)},
    {"c_nvmlFieldValue_t", sizeof(struct field)},
    {"c_nvmlEventData_t", sizeof(struct event)},
    {"c_nvmlGpmSupport_t", sizeof(struct gpm_support)},
    {"c_metricInfo_t", sizeof(struct gpm_name)},
    {"c_nvmlGpmMetric_t", sizeof(struct gpm_metric)},
    {"c_nvmlGpmMetricsGet_t", sizeof(struct gpm_question)},
};

/* The name of the structure in this place, NULL after the last. */
EXPORT const char *standin_struct(unsigned place) {
    return place < sizeof sizes / sizeof *sizes ? sizes[place].name : NULL;
}

/* 0 for one that is not known. Of a question for GPM: without its metrics. */
EXPORT size_t standin_sizeof(const char *name) {
    for (unsigned place = 0; place < sizeof sizes / sizeof *sizes; place++)
        if (strcmp(sizes[place].name, name) == 0)
            return sizes[place].size;
    return 0;
}
